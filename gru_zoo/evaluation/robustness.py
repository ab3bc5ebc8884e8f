"""What a sentiment model is like beyond its accuracy: the `measured` sections of its card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gru_zoo.artifacts.card import Section
from gru_zoo.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)
from gru_zoo.evaluation.robustness_samples import KINDS, UNUSUAL
from gru_zoo.training.batching import predict_by_length

if TYPE_CHECKING:
    from gru_zoo.models.classifier import SequenceClassifier

# Ends of the groups of reviews by their number of words.
LENGTHS = (50, 100, 200, 400, 800)
# Titles of the sections that limits are read from.
OUTSIDE = "Out-of-domain data"
SAMPLES = "Negation, sarcasm and other languages"


class Texts(NamedTuple):
    """Texts with their true classes, and what they are in plain words."""

    name: str
    texts: Sequence[bytes | str]
    labels: np.ndarray  # [texts], 0 negative, 1 positive


def measured_sections(
    model: SequenceClassifier, validation: Texts, test: Texts, others: Sequence[Texts] = ()
) -> list[Section]:
    """Return what is measured about a sentiment model, as sections of its card.

    Accuracy by the length of reviews, on out-of-domain data, on samples of negation, sarcasm and
    other languages; calibration, with a temperature fitted on validation data; predictions for
    unusual input.

    Args:
        model: a classifier with the labels negative and positive.
        validation: what choices are made on.
        test: what the card's figure is of.
        others: out-of-domain texts that it was not trained on.

    Raises:
        ValueError: the model has other labels.

    Example:
        >>> from gru_zoo.models.classifier import SequenceClassifier
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> some = Texts("two", ["fine", "not fine"], np.array([1, 0]))
        >>> sections = measured_sections(SequenceClassifier(words, units=5), some, some)
        >>> [section.title for section in sections][:2]
        ['Accuracy by length', 'Calibration']
    """
    if tuple(model.labels) != ("negative", "positive"):
        raise ValueError(
            f"model must have the labels negative and positive; got {', '.join(model.labels)}."
        )
    tested = probabilities(model, test.texts)
    temperature = fit_temperature(probabilities(model, validation.texts), validation.labels)
    outside = [(other, probabilities(model, other.texts)) for other in others]
    return [
        _by_length(model, test, tested),
        _calibration([(test, tested), *outside], validation, temperature),
        *([_outside(outside)] if outside else []),
        _samples(model),
        _unusual(model),
    ]


def limits(sections: Sequence[Section]) -> list[str]:
    """Return what measured sections say a model is bad at, in sentences for its card.

    Args:
        sections: of `measured_sections`.

    Example:
        >>> rows = [["plain statements", "9 of 9", "98 %"], ["sarcasm", "4 of 9", "80 %"]]
        >>> limits([Section(SAMPLES, ["samples", "correct", "confidence"], rows)])
        ['Correct on our short samples: 9 of 9 plain statements, 4 of 9 sarcasm.']
    """
    found = {section.title: section.rows for section in sections}
    said = []
    if SAMPLES in found:
        counts = ", ".join(f"{correct} {kind}" for kind, correct, _ in found[SAMPLES])
        said.append(f"Correct on our short samples: {counts}.")
    for name, number, accuracy, *_ in found.get(OUTSIDE, []):
        said.append(f"On out-of-domain data ({name}: {number:,}) its accuracy is {accuracy}.")
    return said


def probabilities(model: SequenceClassifier, texts: Sequence[bytes | str]) -> np.ndarray:
    """Return a model's probabilities `[texts, labels]` float32.

    Example:
        >>> from gru_zoo import load
        >>> probabilities(load("sentiment_imdb_gru_small"), ["A fine film.", ""]).shape
        (2, 2)
    """
    return predict_by_length(model, model.tokenizer.encode(list(texts)))


def _by_length(model: SequenceClassifier, test: Texts, tested: np.ndarray) -> Section:
    words = word_counts(test.texts)
    right = tested.argmax(axis=1) == test.labels
    rows = []
    for low, high in zip((0, *LENGTHS), (*LENGTHS, None), strict=True):
        chosen = (words > low) & (words <= (high or words.max(initial=0)))
        chosen |= (words == 0) & (low == 0)
        if chosen.any():
            name = f"{low + 1 if low else 0} to {high}" if high else f"more than {low}"
            rows.append([name, int(chosen.sum()), share(right[chosen])])
    return Section(
        "Accuracy by length",
        ["words", "reviews", "accuracy"],
        rows,
        f"On {test.name}. The model reads at most {model.tokenizer.sequence_length - 1} words.",
    )


def _calibration(
    results: Sequence[tuple[Texts, np.ndarray]], validation: Texts, temperature: float
) -> Section:
    rows = []
    scaled_by = f"temperature-scaled, T = {temperature:.2f}"
    for texts, found in results:
        for name, value in (("uncalibrated", 1.0), (scaled_by, temperature)):
            scaled = with_temperature(found, value)
            rows.append(
                [
                    texts.name,
                    name,
                    f"{100 * expected_calibration_error(scaled, texts.labels):.1f} %",
                    f"{negative_log_likelihood(found, texts.labels, value):.3f}",
                ]
            )
    return Section(
        "Calibration",
        ["data", "probabilities", "expected calibration error", "negative log-likelihood"],
        rows,
        f"The temperature T was fitted on {validation.name}; temperature scaling changes no label. "
        "The exported files return uncalibrated probabilities.",
    )


def _outside(results: Sequence[tuple[Texts, np.ndarray]]) -> Section:
    rows = []
    for texts, found in results:
        chosen = found.argmax(axis=1)
        right = chosen == texts.labels
        row = [texts.name, len(texts.labels), share(right)]
        rows.append([*row, *(share(right[texts.labels == label]) for label in (1, 0))])
    return Section(
        OUTSIDE,
        ["data", "texts", "accuracy", "recall, positive", "recall, negative"],
        rows,
        "Not used in training.",
    )


def _samples(model: SequenceClassifier) -> Section:
    rows = []
    for name, samples in KINDS.items():
        texts, labels = [text for text, _ in samples], np.array([label for _, label in samples])
        found = probabilities(model, texts)
        right = found.argmax(axis=1) == labels
        sure = f"{100 * found.max(axis=1).mean():.0f} %"
        rows.append([name, f"{int(right.sum())} of {len(right)}", sure])
    return Section(
        SAMPLES,
        ["samples", "correct", "mean probability of the predicted label"],
        rows,
        "Sentences written for this purpose (`gru_zoo/evaluation/robustness_samples.py`), half of "
        "them positive and half negative, except for sarcasm, where 14 of 20 are negative. They "
        "are few: take the figures as hints.",
    )


def _unusual(model: SequenceClassifier) -> Section:
    found = probabilities(model, list(UNUSUAL.values()))
    rows = [
        [name, model.labels[int(row.argmax())], f"{100 * row.max():.0f} %"]
        for name, row in zip(UNUSUAL, found, strict=True)
    ]
    return Section(
        "Unusual input",
        ["input", "prediction", "probability"],
        rows,
        "Most of these have no correct label: the table shows what to expect.",
    )


def word_counts(texts: Sequence[bytes | str]) -> np.ndarray:
    """Return the number of words of each text, int64 [texts].

    Example:
        >>> word_counts(["a fine film", ""]).tolist()
        [3, 0]
    """
    import tensorflow as tf

    from gru_zoo.text.tokenizers import delimiter_split

    size = 1024
    parts = [
        delimiter_split(tf.constant(list(texts[start : start + size]), tf.string)).row_lengths()
        for start in range(0, len(texts), size)
    ]
    return np.concatenate(parts)


def share(right: np.ndarray) -> str:
    """Return the share of true entries in percent.

    Example:
        >>> share(np.array([True, False]))
        '50.00 %'
    """
    return f"{100 * right.mean():.2f} %" if len(right) else "–"
