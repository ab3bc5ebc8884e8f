"""Raw text to words, roughly as English treebanks have them."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|m|d|re|ve|ll)\b|\w+(?:[-.@/]\w+)*|\.\.\.|[^\w\s]", re.I
)


def split_words(text: str) -> list[str]:
    """Split a sentence roughly as English treebanks do.

    Example:
        >>> split_words("I don't think it's well-made, sorry.")
        ['I', 'do', "n't", 'think', 'it', "'s", 'well-made', ',', 'sorry', '.']
    """
    return _WORDS.findall(text)
