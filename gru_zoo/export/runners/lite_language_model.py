"""A language model's TFLite file as a device uses it: one token in, what may follow it out.

Its tokenizer stands in the file, behind the checksum: for words `words.txt` (a word a line, which
stands for its other spellings too) or, if case counts, `vocab.txt` (a spelling and its id a line),
and `delimiter.txt` (the RE2 pattern between words); for characters `characters.txt`.
"""

from __future__ import annotations

import os
import zipfile

import numpy as np

from gru_zoo.export.flatbuffer.checksum_archive import attachment, unsealed
from gru_zoo.export.flatbuffer.metadata import VOCABULARY_FILE, WORDS_FILE
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.tokenizers import WordTokenizer

DELIMITER_FILE, CHARACTERS_FILE = "delimiter.txt", "characters.txt"
# Ids that `WordTokenizer.__call__` cuts a text to; a stream has no such end.
_LENGTH = 400


def tokenizer_files(tokenizer: WordTokenizer | CharacterTokenizer) -> dict[str, bytes]:
    """Return what a device needs to turn text into ids: name -> content.

    Example:
        >>> tokenizer_files(CharacterTokenizer("abn"))
        {'characters.txt': b'abn'}
    """
    if isinstance(tokenizer, CharacterTokenizer):
        return {CHARACTERS_FILE: tokenizer.characters.encode()}
    files = {DELIMITER_FILE: tokenizer.delimiter_pattern.encode()}
    if tokenizer.fold_case:
        return files | {WORDS_FILE: tokenizer.words_bytes()}
    return files | {VOCABULARY_FILE: tokenizer.vocabulary_bytes()}


class LiteLanguageModel:
    """Feeds a language model's file token by token.

    Args:
        path: a `.tflite` file of a `LanguageModel`, as `export.tflite` writes it.

    Attributes:
        tokenizer: turns text into ids.
        stream: the `Streamer`; all that is remembered of a text is `stream.state`.

    Raises:
        ValueError: the file is damaged, is no TFLite file, or not that of a language model.

    Example:
        >>> from gru_zoo import export
        >>> from gru_zoo.models.language_model import LanguageModel
        >>> model = LanguageModel(CharacterTokenizer("abn"), embedding_dim=4, units=5)
        >>> _ = export.tflite(model, "letters.tflite")
        >>> LiteLanguageModel("letters.tflite").read(3).shape
        (6,)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        unsealed(path)
        with zipfile.ZipFile(path) as archive:
            known = archive.namelist()
        if CHARACTERS_FILE in known:
            self.tokenizer = CharacterTokenizer(attachment(path, CHARACTERS_FILE).decode())
        elif WORDS_FILE in known:
            words = attachment(path, WORDS_FILE)
            self.tokenizer = WordTokenizer.from_words_bytes(words, _LENGTH)
        else:
            vocabulary = attachment(path, VOCABULARY_FILE)
            self.tokenizer = WordTokenizer.from_vocabulary_bytes(vocabulary, _LENGTH)
        self.stream = Streamer(path)
        wide = self.stream.push(0)["probabilities"].shape[-1]
        self.stream.reset()
        if wide != len(self.tokenizer.vocabulary):
            raise ValueError(
                f"path must be a language model's file, a probability for each of its "
                f"{len(self.tokenizer.vocabulary)} tokens; {path} gives {wide}."
            )

    def read(self, number: int) -> np.ndarray:
        """Read one id; return the probabilities [tokens] of the next."""
        return self.stream.push(number)["probabilities"][0]
