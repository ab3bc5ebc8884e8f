"""Checks of arguments: every message names the argument, what is allowed and what came."""

from __future__ import annotations

import difflib
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class TooFew(ValueError):
    """There is less to read than the other arguments need: what a limit on the data may cause."""


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
    if not _whole(value) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
    return int(value)


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def place(name: str, value: Any, size: int) -> int:
    """Return `value` as the int that it must be: a place among `size`, counted from 0.

    Raises:
        ValueError: `value` is not a whole number, or is outside of 0 .. size - 1.

    Example:
        >>> place("example", 2, size=3)
        2
    """
    if not _whole(value) or not 0 <= value < size:
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


def instance(name: str, value: Any, kind: type) -> Any:
    """Return `value` if it is an instance of `kind`.

    Raises:
        ValueError: it is of another class.

    Example:
        >>> instance("initializers", {}, Mapping)
        {}
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}; got a {type(value).__name__}.")
    return value


def pathlike(name: str, value: Any) -> str:
    """Return `value` as a string if it is a path: a string or an `os.PathLike`.

    Raises:
        ValueError: it is something else, bytes too.

    Example:
        >>> pathlike("out", "runs/first")
        'runs/first'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"{name} must be a string or an os.PathLike; got {value!r}.")
    return os.fspath(value)


def listed(name: str, value: Any) -> list[Any]:
    """Return the elements of `value` as a list, which needs an order.

    Raises:
        ValueError: it has no elements, or it is a set or a dictionary.

    Example:
        >>> listed("units", (3, 1))
        [3, 1]
    """
    reason = None
    try:
        if not isinstance(value, (Set, Mapping)):
            return list(value)
    except TypeError as error:
        reason = error
    raise ValueError(f"{name} must be a list; got {value!r}.") from reason


def several(name: str, value: Any) -> Any:
    """Return `value`, a collection of texts, if it is not one text, whose elements are characters.

    Raises:
        ValueError: it is one text.

    Example:
        >>> several("texts", ["good", b"bad"])
        ['good', b'bad']
    """
    if isinstance(value, (str, bytes)):
        raise ValueError(f"{name} must be a collection of texts; got one text, {value[:40]!r}.")
    return value


def texts(name: str, value: Any) -> list[str | bytes] | None:
    """Return the texts that `value` is or holds as a list, or None if it is no such collection.

    Args:
        name: the argument's name, as the caller wrote it.
        value: one text, or a list, tuple, array or column of a table (what has `to_numpy`) of them.

    Raises:
        ValueError: there is no text, or something among them is none; the message gives its number.

    Example:
        >>> texts("x", ("good", b"bad")), texts("x", [[1, 7, 4]])
        (['good', b'bad'], None)
    """
    import numpy as np  # As in `numeric`.

    if isinstance(value, (str, bytes)):
        return [value]
    if hasattr(value, "to_numpy") and len(value.shape) == 1:
        value = value.to_numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSTU" and value.ndim < 2:
        value = np.atleast_1d(value).tolist()
    elif not isinstance(value, (list, tuple)) or not _may_be_texts(value):
        return None
    if not value:
        raise ValueError(f"{name} must be one text or more; got none.")
    for number, text in enumerate(value, 1):
        if not isinstance(text, (str, bytes)):
            raise ValueError(f"{name} must be texts; number {number} is {text!r}.")
    return list(value)


def _may_be_texts(values: Sequence[Any]) -> bool:
    return not values or any(value is None or isinstance(value, (str, bytes)) for value in values)


def numeric(name: str, value: Any) -> np.ndarray:
    """Return `value`, an array or a tensor of any library or nested lists, as an array of numbers.

    Raises:
        ValueError: it is something else: text, objects, complex numbers, lists of different
            lengths, or a tensor that has no values.

    Example:
        >>> numeric("mask", [[True, False]]).shape
        (1, 2)
    """
    import numpy as np  # Commands that check their flags here start without it.

    reason = None
    try:
        # PyTorch's are not turned into arrays while they can learn or lie on a device.
        found = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if found.dtype.kind in "biuf" or found.dtype.name == "bfloat16":
            return found
    except (RuntimeError, TypeError, ValueError) as error:
        reason = error  # Each library has its own for what it cannot turn into an array.
    what = f"a {type(value).__name__}"
    if hasattr(value, "dtype"):
        what += f" of {value.dtype}"
    raise ValueError(f"{name} must be an array of numbers; got {what}.") from reason


def finite(name: str, value: np.ndarray) -> np.ndarray:
    """Return `value` if none of its numbers is NaN or infinite.

    Raises:
        ValueError: one is.

    Example:
        >>> finite("weights", numeric("weights", [0.5, 2.0])).shape
        (2,)
    """
    import numpy as np

    if not np.isfinite(value).all():
        got = "NaN" if np.isnan(value).any() else "infinity"
        raise ValueError(f"{name} must be finite; got {got}.")
    return value


def number(name: str, value: Any) -> float:
    """Return `value` as a float if it is a real number.

    Raises:
        ValueError: it is something else.

    Example:
        >>> number("low", 0.05)
        0.05
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number; got {value!r}.")
    return float(value)


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
