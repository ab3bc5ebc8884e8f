"""IMDB's reviews as arrays and a classifier's score on them, shared by several recipes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.source import Source
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.training.runs import RunFolder
    from gru_zoo.training.word_dropout import WordDropout
    from recipes.shared.flags import ReviewFlags

    Flags = TypeVar("Flags", bound=ReviewFlags)

# What a card says of them (counted by tests/data/test_imdb.py): the benchmark as published.
OVERLAP = (
    "Train/test overlap: 123 of IMDB's 25,000 labelled training reviews are in its test half too, "
    "with the same label; the benchmark is kept as published."
)
OVERLAP_UNLABELLED = (
    "Train/test overlap: the training reviews, unlabelled ones included, contain the texts of 377 "
    "of the 25,000 test reviews (108 of them with their labels) and of 29 of the 2,500 validation "
    "reviews (none with its label); the benchmark is kept as published."
)


class Reviews(NamedTuple):
    """Texts and what their writers thought."""

    texts: np.ndarray  # [reviews] object, UTF-8 bytes
    labels: np.ndarray  # [reviews] int32, 0 negative, 1 positive, -1 unknown


def read(split: str, source: str = "auto", limit: int = 0) -> tuple[Reviews, Source]:
    """Return a split of the reviews, in its fixed order, and where it came from.

    Args:
        split: as for `gru_zoo.data.imdb.load`.
        source: as there.
        limit: at most so many reviews; 0 takes all.
    """
    import numpy as np

    from gru_zoo.data import imdb

    dataset, record = imdb.load(split, source)
    dataset = dataset.take(limit) if limit else dataset
    rows = list(dataset.as_numpy_iterator())
    texts = np.array([row["text"] for row in rows], object)
    return Reviews(texts, np.array([row["label"] for row in rows], np.int32)), record


def spread(given: Reviews, count: int) -> Reviews:
    """Return at most `count` of the reviews, evenly spread; 0 takes all."""
    size = len(given.labels)
    if not 0 < count < size:
        return given
    rows = [number * size // count for number in range(count)]
    return Reviews(given.texts[rows], given.labels[rows])


def for_training(source: str, limit: int) -> tuple[dict[str, Reviews], Source]:
    """Return every split but the test's: train, validation, and unsupervised where there is one."""
    labelled, record = read("train", source, limit)
    splits = {"train": labelled, "validation": read("validation", source, limit)[0]}
    if record.splits.get("unsupervised"):
        splits["unsupervised"] = read("unsupervised", source, limit)[0]
    return splits, record


def scored_on(test: Reviews, source: Source) -> str:
    """Say what a score on test reviews was measured on, and that it is a part where it is one."""
    return so_many(len(test.labels), *source.splits["test"])


def so_many(size: int, count: int, text: str) -> str:
    """Say that it is so many reviews, of how many, and what these are.

    Example:
        >>> so_many(64, 25_000, "IMDB's test half")
        "64 of the 25,000 reviews: IMDB's test half"
    """
    part = "" if size == count else f" of the {count:,}"
    return f"{size:,}{part} reviews: {text}"


def form_of(data: Mapping[str, Any]) -> str:
    """Return the source, "tfds" or "packaged", of a record of IMDB's reviews."""
    return "tfds" if "TFDS" in data["name"] else "packaged"


def source_of(run: RunFolder) -> str:
    """Return the source of a run's reviews, as for `read`: the one it has read, if there are two.

    "auto" is what is there today: TFDS may have come since, whose test split is another one.
    """
    source = run.config.get("source", "auto")
    if source == "auto" and (run.path / "data.json").exists() and _are_reviews(run.data()):
        return form_of(run.data())
    return source


def as_read(flags: Flags, run: RunFolder) -> Flags:
    """Return a run's flags with the source of its reviews, see `source_of`."""
    return dataclasses.replace(flags, source=source_of(run))


def _are_reviews(data: Mapping[str, Any]) -> bool:
    """Return whether a record is of IMDB's reviews, and not of a play or a user's table."""
    from gru_zoo.data import imdb

    return data["origin"] == imdb.ORIGIN


def overlap(data: Mapping[str, Any], unlabelled: bool = False) -> list[str]:
    """Return what a card says of training reviews that stand in the test split too.

    Of the packaged reviews there are none: the test is held out by a hash of the text.

    Args:
        data: the record of the reviews, as `Source.as_dict` gives it.
        unlabelled: whether those without labels have been read.
    """
    if form_of(data) != "tfds":
        return []
    return [OVERLAP_UNLABELLED if unlabelled else OVERLAP]


def encode(model: SequenceClassifier, texts: np.ndarray, backward: bool = False) -> np.ndarray:
    """Return ids [texts, time] int32; if `backward`, the words after `<START>` in reverse order."""
    import numpy as np

    ids = model.tokenizer.encode(texts)
    if backward:
        for row, words in zip(ids, np.count_nonzero(ids, axis=1), strict=True):
            row[1:words] = row[1:words][::-1].copy()
    return ids


def word_dropout(model: SequenceClassifier, ids: np.ndarray, strength: float) -> WordDropout | None:
    """Return what hides rare words of batches by the flag `word_dropout`, None for 0.

    Args:
        model: whose ids they are.
        ids: of the labelled training reviews, [reviews, time]: what is counted.
        strength: the flag.

    Raises:
        ValueError: the model reads word pieces, which spell rare words.
    """
    from gru_zoo.text.tokenizers import UNKNOWN
    from gru_zoo.training.word_dropout import WordDropout

    vocabulary = model.tokenizer.vocabulary
    if not strength:
        return None
    if UNKNOWN not in vocabulary:
        raise ValueError(f"word_dropout must be 0 for a WordPiece model; got {strength}.")
    return WordDropout(ids, strength, vocabulary.index(UNKNOWN), len(vocabulary))


def score(given: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return cross entropy in nats and accuracy of probabilities [reviews, labels]."""
    import numpy as np

    chosen = given[np.arange(len(labels)), labels]
    return {
        "loss": float(-np.log(np.maximum(chosen, 1e-7)).mean()),
        "accuracy": float((given.argmax(axis=1) == labels).mean()),
    }
