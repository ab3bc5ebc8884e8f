"""What a tagger sees of a word: the word, its first and last characters, its shape.

    word      "Running"                 shape     "Xxxx"   (letters to X and x, digits to 9,
    prefixes  "r", "ru", "run"                              runs cut after three)
    suffixes  "g", "ng", "ing", "ning"

Prefixes, suffixes and words are lower case; the shape has what that loses. Words and affixes seen
fewer times than a minimum share an id, so that a new word is not a surprise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

PAD, UNKNOWN = 0, 1


def shape(word: str) -> str:
    """Return a word with X, x and 9 for letters and digits, and no run longer than three.

    Example:
        >>> shape("McDonald's"), shape("1,000"), shape("USA")
        ('XxXxxx.x', '9.999', 'XXX')
    """
    kinds: list[str] = []
    for character in word:
        if character.isdigit():
            kind = "9"
        elif character.isalpha():
            kind = "X" if character.isupper() else "x"
        else:
            kind = "." if character in ".,'’-" else character
        if kinds[-3:] != [kind] * 3:
            kinds.append(kind)
    return "".join(kinds)


def _prefix(size: int) -> Callable[[str], str]:
    return lambda word: word.lower()[:size]


def _suffix(size: int) -> Callable[[str], str]:
    return lambda word: word.lower()[-size:]


# Name -> (what is seen, times it must be seen to get an id).
FEATURES: dict[str, tuple[Callable[[str], str], int]] = {
    "word": (str.lower, 2),
    "shape": (shape, 2),
    **{f"prefix_{size}": (_prefix(size), 2) for size in (1, 2, 3)},
    **{f"suffix_{size}": (_suffix(size), 2) for size in (1, 2, 3, 4)},
}


class WordFeatures:
    """Ids of what is seen of words.

    Args:
        vocabularies: for each of `FEATURES` its values; the first has id 2, after padding and
            unknown.

    Example:
        >>> features = WordFeatures.fit([("The", "cat"), ("the", "cat")])
        >>> ids = features.encode([("The", "dog", "cat")], time=4)
        >>> ids["word"].tolist()
        [[3, 1, 2, 0]]
    """

    def __init__(self, vocabularies: Mapping[str, Sequence[str]]) -> None:
        if list(vocabularies) != list(FEATURES):
            raise ValueError(f"vocabularies must be of {list(FEATURES)}; got {list(vocabularies)}.")
        self.vocabularies = {name: tuple(values) for name, values in vocabularies.items()}
        self._tables = {
            name: {value: number for number, value in enumerate(values, UNKNOWN + 1)}
            for name, values in self.vocabularies.items()
        }

    @classmethod
    def fit(cls, sentences: Iterable[Sequence[str]]) -> WordFeatures:
        """Give ids to what is seen often enough, by falling frequency."""
        words = Counter(word for sentence in sentences for word in sentence)
        vocabularies = {}
        for name, (see, least) in FEATURES.items():
            counts: Counter[str] = Counter()
            for word, count in words.items():
                counts[see(word)] += count
            often = [value for value, count in counts.items() if count >= least]
            vocabularies[name] = sorted(often, key=lambda value: (-counts[value], value))
        return cls(vocabularies)

    @property
    def sizes(self) -> dict[str, int]:
        """Name -> number of ids, padding and unknown included."""
        return {name: len(values) + 2 for name, values in self.vocabularies.items()}

    def encode(self, sentences: Sequence[Sequence[str]], time: int) -> dict[str, np.ndarray]:
        """Return ids by name, int32 [sentences, time], padded on the right with 0.

        Raises:
            ValueError: a sentence has more than `time` words; the message says which.
        """
        ids = {name: np.zeros((len(sentences), time), np.int32) for name in FEATURES}
        require_at_most(time, sentences)
        for row, words in enumerate(sentences):
            for name, (see, _) in FEATURES.items():
                table = self._tables[name]
                ids[name][row, : len(words)] = [table.get(see(word), UNKNOWN) for word in words]
        return ids

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in plain Python types."""
        return {"vocabularies": {name: list(v) for name, v in self.vocabularies.items()}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WordFeatures:
        """Make the features that `get_config` described."""
        return cls(**config)


def require_at_most(time: int, sentences: Sequence[Sequence[str]]) -> None:
    """Raise ValueError if a sentence has more than `time` words; the message says which.

    Example:
        >>> require_at_most(2, [("Stop",), ("a", "long", "one")])
        Traceback (most recent call last):
        ValueError: sentences must have at most 2 words; number 2 has 3.
    """
    for number, words in enumerate(sentences, 1):
        if len(words) > time:
            raise ValueError(
                f"sentences must have at most {time} words; number {number} has {len(words)}."
            )
