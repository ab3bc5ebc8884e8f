"""Word dropout: rare words are hidden from a model while it learns (Kiperwasser and Goldberg 2016).

    p(word) = strength / (strength + number of times that the word stands in the training texts)

A hidden word is `<UNKNOWN>`, drawn anew in every epoch. What a model could learn by heart from
names (a film's, an actor's) it then learns from what is said about them.
"""

from __future__ import annotations

import numpy as np

from gru_zoo.arguments import number


class WordDropout:
    """Hide words of batches, the rarer the more often.

    Args:
        ids: of the training texts, `[texts, time]` int32: what is counted.
        strength: a word that stands there so many times is hidden half of the time; 0 hides none.
        unknown: id of `<UNKNOWN>`; ids up to it are never hidden.
        size: of the vocabulary; words that `ids` lack count as if they stood there once.

    Raises:
        ValueError: a strength below 0, or none.

    Example:
        >>> ids = np.array([[1, 3, 3, 4], [1, 3, 3, 0]], "int32")
        >>> hide = WordDropout(ids, strength=4.0, unknown=2, size=6)
        >>> hide.rates.round(2).tolist()
        [0.0, 0.0, 0.0, 0.5, 0.8, 0.8]
        >>> hide(ids, np.random.default_rng(0)).shape
        (2, 4)
    """

    def __init__(self, ids: np.ndarray, strength: float, unknown: int, size: int) -> None:
        if not 0 <= number("strength", strength) < np.inf:
            raise ValueError(f"strength must be a number of at least 0; got {strength!r}.")
        self.unknown = unknown
        counts = np.bincount(ids.ravel(), minlength=size)
        self.rates = strength / (strength + np.maximum(counts, 1))
        self.rates[: unknown + 1] = 0

    def __call__(self, ids: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return a copy of `ids` in which words are hidden.

        Args:
            ids: of texts, `[batch, time]` int32.
            random: draws; each call draws one number an id.
        """
        hidden = random.random(ids.shape) < self.rates[ids]
        return np.where(hidden, ids.dtype.type(self.unknown), ids)
