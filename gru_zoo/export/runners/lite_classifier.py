"""A classifier's TFLite file, run in Python as a device runs it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from gru_zoo import arguments
from gru_zoo.export.flatbuffer import metadata
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.text.tokenizers import WordTokenizer, string_tensor
from gru_zoo.text.wordpiece import WordPieceTokenizer


def feeds(ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a classifier's file may ask for, by name, for ids [1, time] int32.

    Example:
        >>> feeds(np.array([[7, 0]], np.int32))["mask"].tolist()
        [[1, 0]]
    """
    # A WordPiece model that MediaPipe runs has BERT's three inputs.
    return {
        "ids": ids,
        "mask": (ids != 0).astype(np.int32),
        "segment_ids": np.zeros_like(ids),
    }


def _tokenizer(inside: metadata.TextMetadata, length: int) -> WordTokenizer | WordPieceTokenizer:
    """Return a file's tokenizer, for texts of `length` ids."""
    if inside.words_only:
        return WordTokenizer.from_words_bytes(inside.vocabulary, length)
    kind = WordPieceTokenizer if inside.pattern is None else WordTokenizer
    return kind.from_vocabulary_bytes(inside.vocabulary, length)


class LiteClassifier:
    """Raw texts to probabilities through the LiteRT interpreter.

    Vocabulary, labels and sequence length are read from the file itself, so nothing but the
    file is needed. One thread at a time, as the interpreter itself: threads have one each.

    Args:
        path: a `.tflite` file that `gru_zoo.export.tflite` wrote.

    Attributes:
        interpreter: the LiteRT interpreter, tensors allocated.
        labels: names of the classes, in the order of the probabilities.
        tokenizer: text to ids.

    Raises:
        ValueError: the file is cut short or changed, or has no vocabulary inside.

    Example:
        >>> from gru_zoo import load
        >>> lite = load("sentiment_imdb_gru_small", format="tflite", variant="int8")
        >>> lite.predict(["A quiet, wonderful film."]).shape
        (1, 2)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        inside = metadata.read(path)
        self.labels = inside.labels
        self.interpreter = interpreter(path)
        self.interpreter.allocate_tensors()
        self._given = self.interpreter.get_input_details()
        (self._probabilities,) = self.interpreter.get_output_details()
        length = int(self._given[0]["shape"][1])
        self.tokenizer = _tokenizer(inside, length)

    def predict(self, texts: str | bytes | Sequence[str | bytes]) -> np.ndarray:
        """Return probabilities `[texts, labels]` float32, one run of the interpreter a text.

        Args:
            texts: texts, or one text, as the Keras model takes them.

        Raises:
            ValueError: there is no text, or something among them is none.
        """
        given = arguments.texts("texts", texts)
        if given is None:
            raise ValueError(f"texts must be one text or a list of texts; got {texts!r:.60}.")
        ids = self.tokenizer(string_tensor(given)).numpy()
        rows = np.empty((len(ids), len(self.labels)), np.float32)
        for row, text in enumerate(ids):
            arrays = feeds(text[None])
            for about in self._given:
                self.interpreter.set_tensor(about["index"], arrays[about["name"]])
            self.interpreter.invoke()
            rows[row] = self.interpreter.get_tensor(self._probabilities["index"])[0]
        return rows
