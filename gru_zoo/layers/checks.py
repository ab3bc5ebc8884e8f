"""Checks of what a layer is called with, of its flags, and of the functions that it is made of."""

from __future__ import annotations

from typing import Any

import keras

from gru_zoo.arguments import one_of


def check_float(name: str, tensor: Any) -> None:
    """Raise ValueError unless a tensor is of a float type.

    Example:
        >>> check_float("inputs", keras.ops.ones((2, 3), "int32"))
        Traceback (most recent call last):
        ValueError: inputs must be of a float type (embed ids first); got int32.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if "float" not in dtype:
        raise ValueError(f"{name} must be of a float type (embed ids first); got {dtype}.")


def check_shape(name: str, tensor: Any, axes: tuple[str, ...], sizes: tuple[Any, ...]) -> None:
    """Raise ValueError unless a tensor has axes of these sizes; None fits every size.

    Example:
        >>> check_shape("mask", keras.ops.ones((2, 3)), ("batch", "time"), (2, 5))
        Traceback (most recent call last):
        ValueError: mask must have shape (batch 2, time 5); got (2, 3).
    """
    shape = tuple(tensor.shape)
    if len(shape) != len(sizes) or any(
        None not in (given, size) and given != size
        for given, size in zip(shape, sizes, strict=True)
    ):
        allowed = ", ".join(f"{axis} {size}" for axis, size in zip(axes, sizes, strict=True))
        raise ValueError(f"{name} must have shape ({allowed}); got {shape}.")


def activation_name(function: Any) -> Any:
    """Return Keras' name of an activation, and the full name of somebody else's function.

    Keras tells functions by their `__name__` alone: one of a user's that is called `tanh`, and may
    compute anything, has the name "tanh" there.

    Returns:
        What `keras.activations.serialize` gives of Keras' and TensorFlow's functions, else
        "module.name", or how a callable that has no name is printed.

    Example:
        >>> activation_name(keras.ops.tanh)
        'tanh'
        >>> def tanh(x):
        ...     return 1.7159 * keras.ops.tanh(2 / 3 * x)
        >>> tanh.__module__ = "lecun"
        >>> activation_name(tanh)
        'lecun.tanh'
    """
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] in ("keras", "tensorflow"):
        return keras.activations.serialize(function)
    # Keras can call what it cannot serialize, such as a functools.partial.
    return f"{module}.{function.__name__}" if hasattr(function, "__name__") else repr(function)


def require_flags(**given: Any) -> None:
    """Raise ValueError where a flag is neither True nor False; "false" would be taken for True.

    Example:
        >>> require_flags(go_backwards=True, stateful=False)
    """
    for name, value in given.items():
        one_of(name, value, (False, True))
