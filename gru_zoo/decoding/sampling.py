"""Text from a language model: the next token drawn from its probabilities, again and again.

    q_i  ~  p_i ^ (1 / T)          temperature T; T -> 0 always takes the most probable token
    V    =  the fewest most probable tokens with q(V) >= top_p, and no others are drawn

The second is nucleus sampling (Holtzman et al. 2020, section 3.1). What reads a token is a
function, so the same code continues a text with a Keras model and with a device's interpreter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gru_zoo.arguments import positive_int


def distribution(
    probabilities: np.ndarray,
    temperature: float = 1.0,
    top_p: float = 1.0,
    banned: Sequence[int] = (),
) -> np.ndarray:
    """Return the probabilities that the next token is drawn with.

    Args:
        probabilities: the model's, `[tokens]`.
        temperature: T of the module's equations, 0 or more.
        top_p: in (0, 1]; 1 keeps every token.
        banned: ids that are never drawn; the others share what was theirs.

    Returns:
        `[tokens]` float64, summing to 1. Of equally probable tokens the first goes into V first.

    Raises:
        ValueError: an argument is out of its range, a probability is not a number, or every token
            is banned.

    Example:
        >>> distribution(np.array([0.5, 0.3, 0.2]), top_p=0.7).round(3).tolist()
        [0.625, 0.375, 0.0]
    """
    check(temperature, top_p)
    weights = np.array(probabilities, np.float64)
    if np.isnan(weights).any():
        raise ValueError("probabilities must be numbers; got NaN.")
    weights[list(banned)] = 0.0
    if not weights.any():
        raise ValueError("banned must leave a token with a probability above 0; got none.")
    if temperature == 0:
        return (np.arange(len(weights)) == weights.argmax()).astype(np.float64)
    # The largest is 0 before the division, which else makes all infinite where T is tiny.
    with np.errstate(divide="ignore", over="ignore"):
        logits = np.log(weights)
        weights = np.exp((logits - logits.max()) / temperature)
    weights /= weights.sum()
    if top_p == 1:  # Rounded, a sum reaches 1 before the rarest tokens are added.
        return weights
    order = np.argsort(-weights, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    # The first is always in; a token is in if those before it do not reach top_p yet.
    weights[order[1:][before[1:] >= top_p]] = 0.0
    return weights / weights.sum()


def continuation(
    read: Callable[[int], Any],
    ids: Sequence[int],
    length: int,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    banned: Sequence[int] = (),
    end: int | None = None,
) -> Iterator[int]:
    """Read a text and yield the tokens that follow it, each as soon as it is drawn.

    Args:
        read: takes in one more id; returns the probabilities `[tokens]` of the next.
        ids: the text so far, at least one.
        length: at most so many tokens.
        temperature: see `distribution`.
        top_p: see `distribution`.
        seed: of what is drawn.
        banned: see `distribution`.
        end: an id that ends the text when it is drawn, and is not yielded.

    Raises:
        ValueError: no ids, or an argument is out of its range.

    Example:
        >>> table = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
        >>> list(continuation(lambda i: table[i], [0], 4))
        [1, 2, 0, 1]
    """
    positive_int("length", length)
    check(temperature, top_p)
    if not len(ids):
        raise ValueError("ids must be at least one; got none.")
    random = np.random.default_rng(seed)
    for number in ids:
        probabilities = read(int(number))
    for count in range(1, length + 1):
        chances = distribution(probabilities, temperature, top_p, banned)
        number = int(random.choice(len(chances), p=chances))
        if number == end:
            return
        yield number
        if count < length:
            probabilities = read(number)


def check(temperature: float, top_p: float) -> None:
    """Raise ValueError if an argument of `distribution` is out of its range.

    Example:
        >>> check(0.8, 2.0)
        Traceback (most recent call last):
        ValueError: top_p must be in (0, 1]; got 2.0.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature must be a number of at least 0; got {temperature!r}.")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1]; got {top_p!r}.")
