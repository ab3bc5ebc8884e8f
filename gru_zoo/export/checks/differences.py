"""How far results are from wanted ones, in proportion where numbers are beyond 1 in size.

relative_difference   |given - wanted| / max(1, |wanted|)         each number by itself
scaled_difference     |given - wanted| / max(1, max |wanted|)     by the largest number wanted
"""

from __future__ import annotations

import numpy as np


def relative_difference(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the difference of each number, as a share of the wanted one where that is beyond 1.

    Args:
        given: floating-point numbers.
        wanted: of the same shape.

    Example:
        >>> relative_difference(np.array([0.5, 80.0]), np.array([0.25, 100.0])).tolist()
        [0.25, 0.2]
    """
    with np.errstate(invalid="ignore"):  # an infinite number wanted: NaN
        return np.abs(given - wanted) / np.maximum(1, np.abs(wanted))


def scaled_difference(
    given: np.ndarray, wanted: np.ndarray, *, equal_nan: bool = False
) -> np.ndarray:
    """Return the difference of each number, as a share of the largest wanted one if beyond 1.

    A small number among large ones is rounded as they are, where it is a sum of such.

    Args:
        given: numbers or bools.
        wanted: of the same shape.
        equal_nan: whether NaN where NaN is wanted is no difference; otherwise it is one of NaN.

    Example:
        >>> scaled_difference(np.array([0.5, 80.0]), np.array([0.25, 100.0])).tolist()
        [0.0025, 0.2]
    """
    # Bools cannot be subtracted, and unsigned numbers not below zero.
    given, wanted = given.astype(np.float64), wanted.astype(np.float64)
    same = np.isnan(given) & np.isnan(wanted) if equal_nan else np.zeros(wanted.shape, bool)
    largest = np.abs(wanted[~np.isnan(wanted)]).max(initial=1)
    with np.errstate(invalid="ignore"):  # an infinite number wanted: NaN
        return np.where(same, 0, np.abs(given - wanted) / largest)
