"""Sentences from a user's file: CoNLL-U, or words (and tags) divided by tabs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gru_zoo.data.universal_dependencies import NO_TAG, Sentence

# https://universaldependencies.org/format.html: ID, FORM, LEMMA, UPOS, ...
_COLUMNS, _FORM, _UPOS = 10, 1, 3
# A range over several words ("don't" over "do" and "n't") and an empty node are no words.
_NO_WORD = re.compile(r"[0-9]+[-.][0-9]+")


def read_sentences(path: str | os.PathLike, tagged: bool = True) -> list[Sentence]:
    """Read a file with a word a line and an empty line after every sentence.

    A line of ten columns is CoNLL-U: its second is the word, its fourth the tag. A line of two is
    a word and its tag, of one a word alone. All lines have as many columns as the first.

    Args:
        path: the file, UTF-8.
        tagged: whether every word must have a tag; else what is missing is "_".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file has no sentence, or a broken line; the message has its number.

    Example:
        >>> _ = Path("two.tsv").write_text("The\\tDET\\ncat\\tNOUN\\n\\nSleep\\tVERB\\n")
        >>> [sentence.words for sentence in read_sentences("two.tsv")]
        [('The', 'cat'), ('Sleep',)]
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"file must exist; got {os.fspath(path)!r}.")
    sentences: list[Sentence] = []
    pairs: list[tuple[str, str]] = []
    lines = list(_lines(path))
    words = [line for _, line in lines if line.strip() and not line.startswith("#")]
    columns = len(words[0].split("\t")) if words else 0
    for number, line in lines:
        try:
            if not line.strip():
                sentences += _closed(pairs)
                pairs = []
                continue
            cells = line.split("\t")
            # Where a line is a word, so may "#" be, and "#hash"; "# text" before a sentence is a
            # comment, which a file of words and tags may have before the first one only.
            early = not pairs and (columns == 1 or not sentences)
            comment = line.startswith("# ") and len(cells) == 1 and early
            if line.startswith("#") and (columns == _COLUMNS or comment):
                continue
            columns = columns or len(cells)
            pairs += _pair(cells, columns, len(pairs) + 1, tagged)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}, line {number}: {error}") from None
    sentences += _closed(pairs)
    if not sentences:
        raise ValueError(f"{os.fspath(path)} must hold a sentence; it holds none.")
    return sentences


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{os.fspath(path)}, line {number}: a line must be UTF-8; {error.reason} at byte "
                f"{error.start + 1}."
            ) from None


def _pair(cells: list[str], columns: int, expected: int, tagged: bool) -> list[tuple[str, str]]:
    """Return a line's word and tag, or nothing if the line is not a word."""
    if len(cells) != columns or columns not in (1, 2, _COLUMNS):
        wanted = columns if columns in (1, 2, _COLUMNS) else f"{_COLUMNS} (CoNLL-U), 2 or 1"
        raise ValueError(f"a line must have {wanted} columns, divided by tabs; got {len(cells)}.")
    if columns == _COLUMNS:
        if _NO_WORD.fullmatch(cells[0]):
            return []
        if cells[0] != str(expected):
            raise ValueError(f"the first column must be {expected}; got {cells[0]!r}.")
        cells = [cells[_FORM], cells[_UPOS]]
    word, tag = (cell.strip() for cell in (*cells, NO_TAG)[:2])
    if not word:
        raise ValueError("the word must not be empty.")
    if tagged and tag in ("", NO_TAG):
        raise ValueError(f"the word {word!r} must have a tag; got {tag!r}.")
    return [(word, tag or NO_TAG)]


def _closed(pairs: list[tuple[str, str]]) -> list[Sentence]:
    return [Sentence(*map(tuple, zip(*pairs, strict=True)))] if pairs else []
