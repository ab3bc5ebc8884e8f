"""Classifiers of every kind that MediaPipe's TextClassifier can be given, written to files."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import keras
import numpy as np

from gru_zoo import export
from gru_zoo.export.mediapipe import resized
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.wordpiece import WordPieceTokenizer
from tests.export.conftest import LABELS, make_classifier, shake

PIECES = (
    "[PAD] [UNK] [CLS] [SEP] ! , . ' - / < > ( ) the a mov ##ie ##s ##ed lov wonder ##ful qui ##et "
    "film pl ##ot is ##n t do don good great bad dull so very end music but br 10 ##0 i it"
).split()
EACH = {"negative": 0.5, "mixed": 0.2, "positive": 0.3}


def piece_classifier(length: int = 16, **arguments) -> SequenceClassifier:
    """Return a classifier of word pieces with random asymmetric weights."""
    keras.utils.set_random_seed(6)
    tokenizer = WordPieceTokenizer(PIECES, length)
    model = SequenceClassifier(
        tokenizer, LABELS, **{"embedding_dim": 10, "units": 14, "dropout": 0.1, **arguments}
    )
    shake(model, seed=6)
    return model


# name -> (model, thresholds)
KINDS = {
    "words": lambda: (make_classifier(), None),
    "longer": lambda: (resized(make_classifier(), 33), None),
    "one threshold": lambda: (make_classifier(), 0.3),
    "a threshold each": lambda: (make_classifier(), EACH),
    "keras, both directions": lambda: (make_classifier(cell="keras_gru", bidirectional=True), None),
    "pieces": lambda: (piece_classifier(), None),
    "pieces, all": lambda: (piece_classifier(9, bidirectional=True), EACH),
}


def write(kind: str, path: Path) -> tuple[SequenceClassifier, np.ndarray]:
    """Write a kind's file; return its model and the thresholds [labels] in it, 0 for none."""
    model, thresholds, content = _made(kind)
    path.write_bytes(content)
    return model, thresholds


@functools.cache  # Two runtimes read each.
def _made(kind: str) -> tuple[SequenceClassifier, np.ndarray, bytes]:
    model, thresholds = KINDS[kind]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        export.tflite(model, path, "mediapipe", thresholds=thresholds)
        content = path.read_bytes()
    each = thresholds if isinstance(thresholds, dict) else dict.fromkeys(LABELS, thresholds or 0)
    return model, np.array([each[label] for label in LABELS]), content


def expected(model: SequenceClassifier, thresholds: np.ndarray, texts: list[str]) -> np.ndarray:
    """Return the model's probabilities, NaN where a threshold leaves a label out."""
    probabilities = model.predict(texts, verbose=0)
    return np.where(probabilities >= thresholds, probabilities, np.nan)
