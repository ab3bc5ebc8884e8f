"""A preset's metric on its real test split, task by task: (file, the card's figure, the figure)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gru_zoo import load
from gru_zoo.batching import predict_bucketed, quarter_lengths
from gru_zoo.card import Card
from gru_zoo.data import imdb


def sentiment(about: Card) -> Iterator[tuple[str, float, float]]:
    """Accuracy of the Keras model and of the int8 file on IMDB's test half."""
    dataset, source = imdb.load("test", "tfds")
    assert about.data["sha256"] == source.sha256
    rows = list(dataset.as_numpy_iterator())
    texts = [row["text"] for row in rows]
    targets = np.array([row["label"] for row in rows])
    model = load(about.name)
    ids = model.tokenizer.encode(texts)
    probabilities = predict_bucketed(model, ids, quarter_lengths(ids.shape[1]))
    yield "model.keras", about.value, float(np.mean(probabilities.argmax(axis=1) == targets))
    chosen = load(about.name, format="tflite", variant="int8").predict(texts).argmax(axis=1)
    yield "int8", exported(about, "int8"), float(np.mean(chosen == targets))


def exported(about: Card, variant: str) -> float:
    """The card's figure of a file."""
    return next(row["metric"] for row in about.exports if row["variant"] == variant)


SCORES = {"text-classification": sentiment}
