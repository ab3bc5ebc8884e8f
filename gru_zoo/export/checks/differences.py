"""How far results are from wanted ones, in proportion where numbers are beyond 1 in size."""

from __future__ import annotations

import numpy as np


def relative_difference(
    given: np.ndarray, wanted: np.ndarray, *, equal_nan: bool = False
) -> np.ndarray:
    """Return the difference of each number, as a share of the wanted one where that is beyond 1.

    Args:
        given: floating-point numbers.
        wanted: of the same shape.
        equal_nan: whether NaN where NaN is wanted is no difference; otherwise it is one of NaN.

    Example:
        >>> relative_difference(np.array([0.5, 80.0]), np.array([0.25, 100.0])).tolist()
        [0.25, 0.2]
    """
    with np.errstate(invalid="ignore"):  # an infinite number wanted: NaN
        difference = np.abs(given - wanted) / np.maximum(1, np.abs(wanted))
    if equal_nan:
        difference = np.where(np.isnan(given) & np.isnan(wanted), 0, difference)
    return difference
