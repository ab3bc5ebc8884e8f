"""A tagger's TFLite file, run in Python as a device runs it: words to tags."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gru_zoo.export.names import WHOLE
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.text.word_features import WordFeatures

# Files in the folder `assets` beside a tagger's file.
FEATURES, TAGS = "features.json", "tags.txt"


class LiteTagger:
    """Words to tags through the LiteRT interpreter, a sentence at a time.

    Args:
        path: a `.tflite` file of a tagger; the folder `assets` beside it has vocabularies and tags.

    Attributes:
        interpreter: the LiteRT interpreter.
        features: words to ids.
        tags: names, in the order of the probabilities.

    Raises:
        FileNotFoundError: the file or the assets are not there.
        ValueError: it is no TFLite file.

    Example:
        >>> LiteTagger("missing/model_int8.tflite")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    def __init__(self, path: str | os.PathLike) -> None:
        assets = Path(path).parent / "assets"
        config = json.loads((assets / FEATURES).read_text(encoding="utf-8"))
        self.features = WordFeatures.from_config(config)
        self.tags = tuple((assets / TAGS).read_text(encoding="utf-8").splitlines())
        self.interpreter = interpreter(path)
        self._run = self.interpreter.get_signature_runner(WHOLE)

    def probabilities(self, words: Sequence[str]) -> np.ndarray:
        """Return probabilities [words, tags] float32 of one sentence.

        Raises:
            ValueError: the sentence has no word, is a text, or holds something that is no string.
        """
        if isinstance(words, (str, bytes)):  # Its characters would be tagged.
            raise ValueError(f"words must be the words of a sentence; got the text {words!r}.")
        if words is None or len(words) == 0:  # An array has no truth value.
            raise ValueError("words must be one or more; got none.")
        for number, word in enumerate(words, 1):
            if not isinstance(word, str):
                raise ValueError(f"words must be strings; number {number} is {word!r}.")
        (result,) = self._run(**self.features.encode([words], len(words))).values()
        return result[0]

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the most probable tag of every word of every sentence.

        Raises:
            ValueError: as `probabilities`.
        """
        sentences = list(sentences)
        for number, words in enumerate(sentences, 1):
            if isinstance(words, (str, bytes)):
                raise ValueError(f"sentences must be words each; number {number} is {words!r}.")
        best = (self.probabilities(words).argmax(axis=1) for words in sentences)
        return [[self.tags[number] for number in numbers] for numbers in best]
