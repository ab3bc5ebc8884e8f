"""Splits that depend on the examples alone: not on their order, a seed or the machine.

    d = SHA-256(text)     examples are put in the order of d, and a part is held out from the front

The same text gets the same place whatever file it was read from, and the order is well mixed.
Where people were recorded, a part is some of them: whom a model is tested on must be a stranger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gru_zoo.arguments import one_of


def digests(texts: Sequence[bytes]) -> np.ndarray:
    """Return the SHA-256 of each text.

    Args:
        texts: n of them.

    Returns:
        32-byte objects, [n].

    Example:
        >>> digests(np.array([b"a"], object))[0].hex()[:8]
        'ca978112'
    """
    made = np.empty(len(texts), object)
    made[:] = [hashlib.sha256(text).digest() for text in texts]
    return made


def by_digest(texts: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put examples in the order of their texts' digests; equal texts, of their labels.

    Args:
        texts: bytes objects, [n].
        labels: int64 [n].

    Returns:
        `texts` and `labels`, reordered.

    Example:
        >>> by_digest(np.array([b"b", b"c", b"a"], object), np.array([1, 2, 0]))[1].tolist()
        [2, 1, 0]
    """
    keys = digests(texts)
    order = sorted(range(len(texts)), key=lambda i: (keys[i], labels[i]))
    return texts[order], labels[order]


def checksum(texts: Sequence[bytes], labels: np.ndarray | None = None) -> str:
    """Return the SHA-256 of examples, whatever files they were read from.

    TFDS writes the same examples into different bytes from one preparation to the next: the order
    of a record's fields is left open.

    Args:
        texts: in an order that is the same everywhere, such as that of `by_digest`.
        labels: int64 [n]; None if the texts are all there is.

    Example:
        >>> checksum([b"a"], np.array([1]))[:8]
        '70cafaf1'
    """
    found = hashlib.sha256(b"".join(digests(texts)))
    if labels is not None:
        found.update(labels.astype("<i8").tobytes())
    return found.hexdigest()


def held_out(texts: np.ndarray, count: int) -> int:
    """Return how many of `texts`, from the front, to hold out: `count`, or a little less.

    Less where the cut would fall between equal texts, which must stay on one side.

    Args:
        texts: bytes objects in the order of `by_digest`, [n].
        count: how many to hold out, from 0 to n.

    Example:
        >>> held_out(np.array([b"b", b"a", b"a"], object), 2)
        1
    """
    while 0 < count < len(texts) and texts[count - 1] == texts[count]:
        count -= 1
    return count


def by_person(people: Sequence[Any], folds: int, fold: int) -> dict[str, tuple[Any, ...]]:
    """Return who is in which split: one part of `folds` is tested, the next one validates.

    Over all folds everyone is tested once.

    Args:
        people: in an order that is the same everywhere.
        folds: parts, of as many people each as can be; from 3 to the number of people.
        fold: 0 to `folds - 1`.

    Raises:
        ValueError: `folds` or `fold` is out of its range.

    Example:
        >>> by_person("abcde", 3, 0)
        {'train': ('e',), 'validation': ('c', 'd'), 'test': ('a', 'b')}
    """
    if not 3 <= folds <= len(people):
        count = len(people)
        raise ValueError(f"folds must be from 3 to the {count} people; got {folds}.")
    one_of("fold", fold, range(folds))
    parts = np.array_split(np.arange(len(people)), folds)
    test, validation = parts[fold], parts[(fold + 1) % folds]
    rest = [place for place in range(len(people)) if place not in {*test, *validation}]
    places = {"train": rest, "validation": validation, "test": test}
    return {split: tuple(people[place] for place in some) for split, some in places.items()}
