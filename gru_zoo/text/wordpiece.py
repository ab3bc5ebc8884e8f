"""Text to word-piece ids, as MediaPipe's TextClassifier makes them with a BertTokenizer.

text    the bytes before the first NUL, A-Z in lower case; accents stay
words   parted by white space; punctuation and Chinese characters are words of their own
pieces  the longest piece of the vocabulary that a word begins with, then "##" and the longest
        that the rest begins with, ...; [UNK] for a word that cannot be made so, or is longer
        than 100 bytes (Wu et al. 2016, section 4.1; Devlin et al. 2019)
ids     [CLS], a piece's place in the vocabulary for each, [SEP]
shape   cut before [SEP] or padded with [PAD] on the right to the sequence length
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import positive_int, several
from gru_zoo.text.tokenizers import AFTER_NUL, string_tensor

PAD, UNKNOWN, CLASSIFY, SEPARATE = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SUFFIX = "##"
LONGEST_WORD = 100  # bytes
KEPT = 2**17  # words whose pieces are kept

# RE2 patterns: what is a word of its own, and what stands between words (RE2's \s: ASCII only).
_ALONE = (
    r"([!-/:-@\[-`{-~]|\p{P}|[\x{4E00}-\x{9FFF}]|[\x{3400}-\x{4DBF}]|[\x{20000}-\x{2A6DF}]"
    r"|[\x{2A700}-\x{2B73F}]|[\x{2B740}-\x{2B81F}]|[\x{2B820}-\x{2CEAF}]|[\x{F900}-\x{FAFF}]"
    r"|[\x{2F800}-\x{2FA1F}])"
)
_SPACE = r"\s"


class WordPieceTokenizer:
    """Word pieces to ids, exactly as MediaPipe's TextClassifier does it with a BertTokenizer.

        ids = [[CLS], pieces ..., [SEP], [PAD], ...]     [sequence_length]

    Args:
        vocabulary: one piece for each id, `[PAD]` first, with `[UNK]`, `[CLS]` and `[SEP]`.
        sequence_length: number of ids a text becomes, at least 2.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##like", "##ly", "!"]
        >>> WordPieceTokenizer(pieces, 8).encode(["Unlikely!", "never"]).tolist()
        [[2, 4, 5, 6, 7, 3, 0, 0], [2, 1, 3, 0, 0, 0, 0, 0]]
    """

    def __init__(self, vocabulary: Sequence[str], sequence_length: int) -> None:
        self.vocabulary = tuple(vocabulary)
        self.sequence_length = positive_int("sequence_length", sequence_length)
        if self.sequence_length < 2:
            raise ValueError("sequence_length must be at least 2, for [CLS] and [SEP]; got 1.")
        self._ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        self._check()
        self._known: dict[bytes, list[int]] = {}  # word -> ids of its pieces

    @classmethod
    def from_file(cls, path: str | os.PathLike, sequence_length: int) -> WordPieceTokenizer:
        """Read BERT's `vocab.txt`: a piece on each line.

        Raises:
            ValueError: the file is missing, or not such a vocabulary.

        Example:
            >>> WordPieceTokenizer.from_file("missing.txt", 128)
            Traceback (most recent call last):
            ValueError: path must be a vocabulary file; missing.txt does not exist.
        """
        if not Path(path).is_file():
            raise ValueError(f"path must be a vocabulary file; {path} does not exist.")
        return cls.from_vocabulary_bytes(Path(path).read_bytes(), sequence_length)

    @classmethod
    def from_vocabulary_bytes(cls, file: bytes, sequence_length: int) -> WordPieceTokenizer:
        """Make the tokenizer whose `vocabulary_bytes()` are in `file`."""
        return cls(file.decode().removesuffix("\n").split("\n"), sequence_length)

    def vocabulary_bytes(self) -> bytes:
        """Return the vocabulary file that MediaPipe reads: UTF-8, a piece on each line."""
        return "".join(f"{piece}\n" for piece in self.vocabulary).encode()

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Turn texts, string [batch], into ids, int32 [batch, sequence_length].

        In a graph this calls back into Python: such a graph can run here, but not be saved.
        """
        ids = tf.numpy_function(self.encode, [string_tensor(texts)], tf.int32, stateful=False)
        return tf.ensure_shape(ids, (None, self.sequence_length))

    def encode(self, texts: Sequence[str | bytes]) -> np.ndarray:
        """Return the ids of many texts, int32 [texts, sequence_length].

        Raises:
            ValueError: `texts` is one text and no list.
        """
        ids = np.full((len(texts), self.sequence_length), self._ids[PAD], np.int32)
        for row, words in zip(ids, basic_tokens(texts), strict=True):
            pieces = [piece for word in words for piece in self._pieces(word)]
            pieces = pieces[: self.sequence_length - 2]
            row[: len(pieces) + 2] = [self._ids[CLASSIFY], *pieces, self._ids[SEPARATE]]
        return ids

    def _pieces(self, word: bytes) -> list[int]:
        if word not in self._known:
            if len(self._known) == KEPT:  # A service reads texts for ever.
                self._known.clear()
            self._known[word] = self._longest_first(word)
        return self._known[word]

    def _longest_first(self, word: bytes) -> list[int]:
        unknown = [self._ids[UNKNOWN]]
        try:
            rest = word.decode()
        except UnicodeDecodeError:
            return unknown
        if len(word) > LONGEST_WORD:
            return unknown
        ids: list[int] = []
        while rest:
            mark = SUFFIX if ids else ""
            ends = range(len(rest), 0, -1)
            end = next((end for end in ends if mark + rest[:end] in self._ids), None)
            if end is None:
                return unknown
            ids.append(self._ids[mark + rest[:end]])
            rest = rest[end:]
        return ids

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in plain Python types."""
        return {"pieces": list(self.vocabulary), "sequence_length": self.sequence_length}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WordPieceTokenizer:
        """Make the tokenizer that `get_config` described."""
        return cls(config["pieces"], config["sequence_length"])

    def _check(self) -> None:
        if self.vocabulary[:1] != (PAD,):
            raise ValueError(
                f"vocabulary must start with {PAD}, which MediaPipe pads with; "
                f"got {self.vocabulary[:1]!r}."
            )
        for special in (UNKNOWN, CLASSIFY, SEPARATE):
            if special not in self._ids:
                raise ValueError(f"vocabulary must hold {special}; it is missing.")
        if len(self._ids) != len(self.vocabulary):
            twice = next(p for n, p in enumerate(self.vocabulary) if self._ids[p] != n)
            raise ValueError(f"vocabulary must name each piece once; got {twice!r} more than once.")
        for piece in self.vocabulary:
            if not piece or any(character in piece for character in "\r\n\0"):
                raise ValueError(f"vocabulary must hold pieces without line breaks; got {piece!r}.")


def basic_tokens(texts: Sequence[str | bytes]) -> list[list[bytes]]:
    """Split texts into words, lower case.

    Example:
        >>> basic_tokens(["It isn't."])
        [[b'it', b'isn', b"'", b't', b'.']]
    """
    given = string_tensor(list(several("texts", texts)))
    if not len(given):
        return []
    given = tf.strings.regex_replace(given, AFTER_NUL, "", replace_global=False)
    given = tf.strings.regex_replace(tf.strings.lower(given), _ALONE, r" \1 ")
    given = tf.strings.regex_replace(given, _SPACE, " ")
    return [[word for word in text.split(b" ") if word] for text in given.numpy()]
