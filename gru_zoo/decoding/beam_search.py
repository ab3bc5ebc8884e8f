"""Beam search with a length penalty, for many sentences at once, in NumPy alone.

    score(y) = log p(y) / lp(y)      lp(y) = ((5 + |y|) / 6) ^ a      (Wu et al. 2016, </s> counts)

The best `beams` unfinished beginnings are kept after each step; a search ends when no beginning
can still pass the best finished translation, and its sentence costs no more steps. A step is a
function, so the same search runs over a Keras model's graph and over a device's interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gru_zoo.arguments import positive_int

Step = Callable[[np.ndarray, list[Any]], tuple[np.ndarray, list[Any]]]
NEVER = np.float32(-1e30)


class Found(NamedTuple):
    """A finished sequence, without its start and end, and its score."""

    ids: list[int]
    score: float


def length_penalty(length: int | np.ndarray, alpha: float) -> Any:
    """Return lp of the module's equations.

    Example:
        >>> length_penalty(7, 1.0)
        2.0
    """
    return ((5.0 + length) / 6.0) ** alpha


def longest_for(subwords: int) -> int:
    """Return how many subwords a translation may have, </s> counted, for a source of so many.

    Example:
        >>> longest_for(10)
        30
    """
    return 2 * subwords + 10


def beam_search(
    step: Step,
    state: list[Any],
    sentences: int,
    *,
    beams: int,
    longest: int | Sequence[int],
    start: int,
    end: int,
    alpha: float = 1.0,
    banned: Sequence[int] = (),
) -> list[list[Found]]:
    """Search each sentence's best sequences.

    Args:
        step: (last ids int32 `[searched, beams]`, state) -> (logits or log-probabilities
            `[searched, beams, tokens]`, next state), of the sentences that are still searched.
        state: before the first step, arrays `[sentences, beams, ...]`; the step gets the rows of
            those sentences.
        sentences: how many there are.
        beams: beginnings that are kept of each.
        longest: ids that a sequence may have, its end counted; one number, or one a sentence.
        start: id before the first one.
        end: id after the last one.
        alpha: a of the penalty, 0 for none.
        banned: ids that are never chosen.

    Returns:
        for each sentence at least one sequence and at most `beams`, the best first. A sequence
        that did not end within `longest` is cut there, where none ended.

    Raises:
        ValueError: `beams`, `sentences` or a `longest` is no positive integer, `alpha` is
            negative, or a step's logits have no softmax, as with NaN among them.

    Example:
        >>> table = np.log(np.array([[0.1, 0.6, 0.3], [0.1, 0.2, 0.7], [1, 1, 1]], "float32"))
        >>> found = beam_search(lambda ids, state: (table[ids], state), [], 1, beams=2, longest=5,
        ...                     start=0, end=2)
        >>> found[0][0].ids
        [1]
    """
    positive_int("beams", beams)
    positive_int("sentences", sentences)
    limits = np.broadcast_to(longest, (sentences,))
    for limit in limits:
        positive_int("longest", limit)
    if not alpha >= 0:
        raise ValueError(f"alpha must be a number of at least 0; got {alpha!r}.")
    search = _Search(beams, limits, end, alpha)
    ids = np.full((sentences, beams), start, np.int32)
    for length in range(1, int(limits.max()) + 1):
        logits, state = step(ids, state)
        logp = _log_softmax(np.asarray(logits, np.float32))
        if np.isnan(logp).any():  # NaN is sorted to either end: what came out would look finished.
            raise ValueError(f"logits of step {length} must have a softmax; got NaN or infinity.")
        logp[:, :, list(banned)] = NEVER
        origin, ids = search.grow(logp, length)
        going = search.end_some(length)
        if not going.any():
            break
        origin, ids = origin[going], ids[going]
        state = [np.asarray(a)[going] for a in state]
        state = [np.take_along_axis(a, _like(origin, a), axis=1) for a in state]
    return search.results()


class _Search:
    """Beginnings of the sentences that are still searched, and every sentence's finished ones."""

    def __init__(self, beams: int, limits: np.ndarray, end: int, alpha: float) -> None:
        self.beams, self.limits, self.end, self.alpha = beams, limits, end, alpha
        # All beams begin alike: only one of them counts.
        self.logp = np.full((len(limits), beams), NEVER, np.float32)
        self.logp[:, 0] = 0.0
        self.ids = np.zeros((len(limits), beams, 0), np.int32)
        self.every: list[list[Found]] = [[] for _ in limits]
        self.finished = self.every  # of the sentences still searched

    def grow(self, logp: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Take one step; return for each kept beginning where it comes from and its last id."""
        sentences, beams, tokens = logp.shape
        total = (self.logp[:, :, None] + logp).reshape(sentences, -1)
        # Of so many at least `beams` do not end.
        most = min(2 * beams, total.shape[1])
        top = np.argpartition(-total, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(total, top, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        top, values = (np.take_along_axis(a, order, axis=1) for a in (top, values))
        origin, last = top // tokens, (top % tokens).astype(np.int32)
        ends = last == self.end
        new = ends & (values > NEVER / 2)
        for row, place in zip(*np.nonzero(new), strict=True):
            ids = self.ids[row, origin[row, place]].tolist()
            score = float(values[row, place] / length_penalty(length, self.alpha))
            self.finished[row].append(Found(ids, score))
        values = np.where(ends, 2 * NEVER, values)
        kept = np.argsort(-values, axis=1, kind="stable")[:, :beams]
        self.logp, origin, last = (
            np.take_along_axis(a, kept, axis=1) for a in (values, origin, last)
        )
        before = np.take_along_axis(self.ids, origin[:, :, None], axis=1)
        self.ids = np.concatenate([before, last[:, :, None]], axis=2)
        return origin, last

    def end_some(self, length: int) -> np.ndarray:
        """End the searches that nothing can make better; return bool: which of them go on."""
        going = np.zeros(len(self.limits), bool)
        for row, (limit, finished) in enumerate(zip(self.limits, self.finished, strict=True)):
            # A beginning's log-probability can only fall, and its penalty is largest at the end.
            hope = self.logp[row, 0] / length_penalty(limit, self.alpha)
            best = max((found.score for found in finished), default=-np.inf)
            if length == limit and not finished:
                score = float(self.logp[row, 0] / length_penalty(length, self.alpha))
                finished.append(Found(self.ids[row, 0].tolist(), score))
            going[row] = length < limit and best < hope
        self.logp, self.ids, self.limits = self.logp[going], self.ids[going], self.limits[going]
        self.finished = [self.finished[row] for row in np.flatnonzero(going)]
        return going

    def results(self) -> list[list[Found]]:
        """Return the sequences, the best first."""
        return [sorted(row, key=lambda found: -found.score)[: self.beams] for row in self.every]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # An infinity less itself: its NaN is the caller's to see.
        shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _like(origin: np.ndarray, array: np.ndarray) -> np.ndarray:
    return origin.reshape(*origin.shape, *[1] * (array.ndim - 2))
