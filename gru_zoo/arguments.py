"""Checks of arguments: every message names the argument, what is allowed and what came."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return `value` if it is one of `allowed`.

    Args:
        name: the argument's name, as the caller wrote it.
        value: what came.
        allowed: every accepted value.

    Returns:
        `value`, unchanged.

    Raises:
        ValueError: `value` is not in `allowed`; a near name is suggested.

    Example:
        >>> one_of("kernel", "loop", ["loop", "fused"])
        'loop'
    """
    allowed = list(allowed)
    if any(value is choice or value == choice for choice in allowed):
        return value
    message = f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}."
    raise ValueError(message + near_name(value, allowed))


def near_name(value: Any, allowed: Iterable[Any]) -> str:
    """Return " Did you mean ...?" for the allowed names close to `value`, or an empty string."""
    names = [choice for choice in allowed if isinstance(choice, str)]
    near = difflib.get_close_matches(str(value), names, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def positive_int(name: str, value: Any) -> int:
    """Return `value` as an int of at least 1.

    Raises:
        ValueError: `value` is not a whole number, or is below 1.

    Example:
        >>> positive_int("units", 64)
        64
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
    return int(value)


def place(name: str, value: Any, size: int) -> int:
    """Return `value` as the int that it must be: a place among `size`, counted from 0.

    Raises:
        ValueError: `value` is not a whole number, or is outside of 0 .. size - 1.

    Example:
        >>> place("example", 2, size=3)
        2
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value < size:
        raise ValueError(f"{name} must be an integer from 0 to {size - 1}; got {value!r}.")
    return int(value)


def string(name: str, value: Any) -> str:
    """Return `value` if it is a string.

    Raises:
        ValueError: it is something else.

    Example:
        >>> string("prefix", "encoder.")
        'encoder.'
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string; got {value!r}.")
    return value


def fraction(name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1).

    Raises:
        ValueError: `value` is not a number, or lies outside [0, 1).

    Example:
        >>> fraction("dropout", 0.2)
        0.2
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number in [0, 1); got {value!r}.")
    return float(value)
