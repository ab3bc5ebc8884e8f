"""Sentences and their translations; and splits that keep a sentence on one side.

    "Va !"    - "Go."          "Go." has two translations, and "Move!" shares one of them: what
    "Bouge !" - "Go."          hangs together by equal sentences is one group, and a split holds
    "Bouge !" - "Move!"        whole groups

Without that a model is tested on sentences that it has learnt, with another translation.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data.split import digests


class _Letters(dict[int, str]):
    """For `str.translate`: a letter, its mark or a digit stays, anything else is a space."""

    def __missing__(self, code: int) -> str:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        self[code] = chr(code) if kept else " "
        return self[code]


_LETTERS = _Letters()


class Pairs(NamedTuple):
    """Sentences in one language and their translations, in the order of the files."""

    source: list[str]
    target: list[str]


def languages(pair: str, known: Iterable[str]) -> tuple[str, str]:
    """Return the two languages of a pair such as "de-en", which is from German to English.

    Args:
        pair: from one language to another.
        known: languages that there are.

    Raises:
        ValueError: no such pair; the message lists them.

    Example:
        >>> languages("de-en", ["de", "en", "fr"])
        ('de', 'en')
    """
    known = list(known)
    every = [f"{one}-{other}" for one in known for other in known if one != other]
    source, _, target = one_of("pair", pair, every).partition("-")
    return source, target


def groups(pairs: Pairs) -> np.ndarray:
    """Return for each pair the first one that it hangs together with, itself included.

    Sentences are equal where their letters and digits are, whatever the case and the punctuation.

    Returns:
        int64 `[pairs]`.

    Example:
        >>> groups(Pairs(["Va !", "Tire !", "Bouge !"], ["Go.", "Shoot!", "GO!"])).tolist()
        [0, 1, 0]
    """
    first: dict[tuple[int, str], int] = {}
    above = list(range(len(pairs.source)))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = place = above[above[place]]
        return place

    for place, both in enumerate(zip(*pairs, strict=True)):
        for side, text in enumerate(both):
            # A sentence without a letter is equal to itself alone.
            letters = " ".join(_composed(text).translate(_LETTERS).split()) or text
            one, other = top(place), top(first.setdefault((side, letters), place))
            above[max(one, other)] = min(one, other)
    return np.array([top(place) for place in range(len(above))], np.int64)


def _composed(text: str) -> str:
    """Return a text without its case; however its letters were composed, they are the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def split_by_groups(pairs: Pairs, test: int, validation: int) -> dict[str, Pairs]:
    """Split pairs by a fixed hash of the groups that they are in.

    Test and validation have one pair of each of their groups, the first, so that nothing is asked
    twice; the rest of those groups is left out. All pairs of the other groups are for training.

    Args:
        pairs: in an order that is the same everywhere.
        test: groups of the test split.
        validation: groups of the validation split.

    Returns:
        "train", "validation" and "test", each in the order of `pairs`.

    Example:
        >>> pairs = Pairs(["Va !", "Tire !", "Bouge !"], ["Go.", "Shoot!", "Go."])
        >>> split_by_groups(pairs, test=1, validation=0)["test"]
        Pairs(source=['Va !'], target=['Go.'])
    """
    of_pair = groups(pairs)
    firsts = np.unique(of_pair)
    keys = digests(["\n".join(pair[place] for pair in pairs).encode() for place in firsts])
    shuffled = firsts[np.argsort(keys, kind="stable")]
    kept = {
        "train": np.flatnonzero(np.isin(of_pair, shuffled[test + validation :])),
        "validation": np.sort(shuffled[test : test + validation]),
        "test": np.sort(shuffled[:test]),
    }
    return {
        name: Pairs(*([texts[place] for place in places] for texts in pairs))
        for name, places in kept.items()
    }
