"""Raw text to words, roughly as English treebanks have them."""

from __future__ import annotations

import functools
import itertools
import re
import sys
import unicodedata

# What a pattern's class may hold of Unicode's format characters (Cf), which nobody sees: those that
# shape the letters of a word, as in Persian and Hindi, or make one emoji of several ...
JOINERS = "\u200c\u200d"
# ... and soft hyphens, marks of direction and of byte order, and others that are no part of a word.
IGNORED = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"


@functools.cache
def marks() -> str:
    """Return Unicode's marks as the inside of a pattern's class: RE2's `\\p{M}`, which `re` lacks.

    A letter's accent that is written after it (NFD) and the vowels of Hindi are marks, and `\\w`
    has none of them.

    Example:
        >>> re.findall(f"[{marks()}]", "cafe\\u0301") == ["\\u0301"]
        True
    """
    points = [n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n))[0] == "M"]
    # Those that follow each other are as far from their places in the list: a range.
    runs = [
        [point for _, point in run]
        for _, run in itertools.groupby(enumerate(points), lambda pair: pair[1] - pair[0])
    ]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


@functools.cache
def _words() -> re.Pattern[str]:
    behind = marks() + JOINERS
    word, mark = rf"\w[\w{behind}]*", f"[{behind}]*"
    several = rf"{word}(?:[-.@/]{word})*"
    return re.compile(
        rf"{several}(?=n['’]t\b)|n['’]t\b|['’](?:s|m|d|re|ve|ll)\b|{several}|\.\.\.|[^\w\s]{mark}",
        re.I,
    )


def treebank_words(text: str) -> list[str]:
    """Split a sentence roughly as English treebanks do; a mark belongs to what it stands behind.

    Characters that nobody sees are left out, but for those that join letters.

    Example:
        >>> treebank_words("I don't think it's well-made, sorry.")
        ['I', 'do', "n't", 'think', 'it', "'s", 'well-made', ',', 'sorry', '.']
    """
    return _words().findall(re.sub(f"[{IGNORED}]", "", text))
