"""As many units as a number of parameters allows: models of different cells made equally large."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gru_zoo.arguments import positive_int

if TYPE_CHECKING:
    import keras

TOLERANCE = 0.02


def units_for(build: Callable[[int], keras.Model | int], parameters: int) -> int:
    """Return the units with which the whole model has so many parameters, within 2 %.

    Args:
        build: makes the model of so many units, or counts its parameters; more units must
            mean more parameters. Called about twice as often as `parameters` has binary digits.
        parameters: of the whole model, embeddings and head included.

    Returns:
        the units that come nearest.

    Raises:
        ValueError: `parameters` is no positive integer, or no number of units comes that near.

    Example:
        >>> units_for(lambda units: 3 * units * (units + 11), 20_000)
        76
    """
    positive_int("parameters", parameters)
    counts: dict[int, int] = {}

    def count(units: int) -> int:
        if units not in counts:
            built = build(units)
            counts[units] = built if isinstance(built, int) else built.count_params()
        return counts[units]

    low, high = 1, 2
    while count(high) < parameters and high < parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    nearest = min((low, high), key=lambda units: abs(count(units) - parameters))
    if abs(count(nearest) - parameters) > TOLERANCE * parameters:
        raise ValueError(
            f"parameters must be within {TOLERANCE:.0%} of what some units give; got "
            f"{parameters:,}, and {nearest} units, the nearest, give {count(nearest):,}."
        )
    return nearest
