"""Does each file of an artifact still give what it gave when it was made?

The Keras model is asked its golden questions again, and every file is compared with the model on
them, by the comparison that let it into the artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gru_zoo.artifacts.card import Card
from gru_zoo.export.checks.differences import relative_difference

# What the Keras model may be off its goldens on another processor.
KERAS_LIMIT = 1e-5

Arrays = Mapping[str, np.ndarray]


class Result(NamedTuple):
    """How far a file's results are from the goldens.

    Attributes:
        file: path in the artifact.
        difference: NaN where it is not known.
        wrong: why it is too far, or nothing.
        untold: why that cannot be told, such as a package that is missing; or nothing.
    """

    file: str
    difference: float
    wrong: str = ""
    untold: str = ""


def replay(about: Card, folder: Path) -> Iterator[Result]:
    """Run an artifact's files on its golden inputs, `model.keras` first.

    Args:
        about: the card.
        folder: the artifact, its checksums compared.

    Yields:
        one result per file; a file that cannot be run, or differs by more than it may, says so.
        Of a kind of model that is not known here, one for the model alone.

    Raises:
        ImportError: a package that the model itself needs is missing.
        ValueError: the goldens are damaged.

    Example:
        >>> from gru_zoo.zoo.registry import card, place
        >>> name = "sentiment_imdb_gru_small"
        >>> next(replay(card(name), place(name))).file
        'model.keras'
    """
    from gru_zoo.models.keras_file import load_keras_file

    model = load_keras_file(folder / "model.keras")
    kind = type(model).__name__
    if kind not in AGAIN:
        untold = f"reference outputs of a {kind} cannot be computed again"
        yield Result("model.keras", float("nan"), untold=untold)
        return
    with np.load(folder / "golden.npz", allow_pickle=False) as archive:
        golden = {key: archive[key] for key in archive.files}
    given, parts = AGAIN[kind](model, golden, about)
    off = difference(given, golden)
    wrong = "" if off <= KERAS_LIMIT else f"must be within {KERAS_LIMIT:g}"  # NaN is wrong too.
    yield Result("model.keras", off, wrong)
    for export in about.exports:
        try:
            record = parts["compare"](folder / export["file"], export["file"])
            yield Result(export["file"], record["largest_difference"])
        except ImportError as error:
            yield Result(export["file"], float("nan"), untold=str(error))
        except (ValueError, OSError, RuntimeError) as error:
            yield Result(export["file"], float("nan"), str(error))


def difference(given: Arrays, golden: Arrays) -> float:
    """Return the largest difference of the numbers with a fraction; all others must be equal.

    Numbers beyond 1 in size may differ in proportion.

    Raises:
        ValueError: another array, shape, or value of those that must be equal.

    Example:
        >>> difference({"a": np.array([0.5])}, {"a": np.array([0.25])})
        0.25
    """
    worst = 0.0
    for name in sorted({*given, *golden}):
        if name not in given or name not in golden:
            raise ValueError(f"golden.npz must hold {', '.join(sorted(given))}; {name!r} differs.")
        new, old = given[name], golden[name]
        if old.dtype.kind == "f" and new.shape == old.shape:
            worst = float(np.max(relative_difference(new, old), initial=worst))
        elif not np.array_equal(new, old):
            raise ValueError(f"model.keras must give the golden {name!r}; it gives others.")
    return worst


def _classifier(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.classifier import classifier_goldens, classifier_parts

    texts = golden["texts"].tolist()
    again = classifier_goldens(model, [text.decode() for text in texts])
    return again, classifier_parts(model, texts, golden["probabilities"].argmax(axis=1))


def _tagger(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.tagger import tagger_goldens, tagger_parts
    from gru_zoo.data.universal_dependencies import Sentence

    ends = np.cumsum(golden["lengths"])
    words = [word.decode() for word in golden["words"].tolist()]
    sentences = [
        tuple(words[end - n : end]) for n, end in zip(golden["lengths"], ends, strict=True)
    ]
    # Any tags will do: the files are compared with the model, not with the truth.
    tagged = [Sentence(row, (model.tags[0],) * len(row)) for row in sentences]
    return tagger_goldens(model, sentences), tagger_parts(model, tagged)


def _reader(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.reader import Asked, reader_goldens, reader_parts
    from gru_zoo.text.stories import split_sentences

    stories = [split_sentences(story.decode()) for story in golden["stories"].tolist()]
    questions = [question.decode() for question in golden["questions"].tolist()]
    answers = [model.answers[i] for i in golden["probabilities"].argmax(axis=1)]
    asked = Asked(stories, questions, answers)
    again = reader_goldens(model, asked)
    return again, reader_parts(model, asked, again["probabilities"])


def _translator(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.translator import Task, translator_goldens, translator_parts

    texts = [text.decode() for text in golden["texts"].tolist()]
    # The search that the goldens are of: another one finds other translations.
    search = {key: about.configuration[key] for key in ("beams", "alpha")}
    # Any score will do: the files are compared with the model, not with the truth.
    task = Task(texts, score=lambda translations: 0.0, **search)
    return translator_goldens(model, texts, task), translator_parts(model, task)


def _language_model(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.language_model import language_model_goldens, language_model_parts

    return language_model_goldens(model, golden["ids"]), language_model_parts(model, golden["ids"])


def _functional(model: Any, golden: Arrays, about: Card) -> tuple[Arrays, dict[str, Any]]:
    from gru_zoo.artifacts.frames import frame_goldens, frame_parts
    from gru_zoo.artifacts.signals import signal_goldens, signal_parts

    inputs = golden["inputs"]
    if about.metric == "nll":
        return frame_goldens(model, inputs), frame_parts(model, inputs, inputs)
    # Any classes will do: the files are compared with the model, not with the truth.
    targets = golden["outputs"][:, -1].argmax(axis=1)
    parts = signal_parts(model, inputs, targets, inputs, about.configuration["labels"])
    return signal_goldens(model, inputs), parts


# Class of the model -> what it gives for its goldens' inputs, and what `folder.publish` takes.
AGAIN: dict[str, Callable[[Any, Arrays, Card], tuple[Arrays, dict[str, Any]]]] = {
    "LanguageModel": _language_model,
    "SequenceClassifier": _classifier,
    "Tagger": _tagger,
    "Reader": _reader,
    "Seq2Seq": _translator,
    "Functional": _functional,
}
