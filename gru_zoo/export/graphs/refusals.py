"""What is said of a layer or an operation that a graph cannot have."""

from __future__ import annotations

from typing import Any

from keras import layers


def not_alike(operation: Any) -> ValueError:
    """Return the error for what may mix the steps of a sequence in a way that is not known.

    Example:
        >>> raise not_alike(layers.LSTM(7, name="memory"))
        Traceback (most recent call last):
        ValueError: layer 'memory' (LSTM) must be a GRU, a convolution or pooling over ...
    """
    kind = "layer" if isinstance(operation, layers.Layer) else "operation"
    return ValueError(
        f"{kind} {operation.name!r} ({type(operation).__name__}) must be a GRU, a convolution or "
        "pooling over all steps, or something that treats every time step alike; it is not known "
        f"to.{remedy(operation)}"
    )


def remedy(operation: Any) -> str:
    """Return what to do about an operation that is refused, as a sentence after a space, or "".

    Example:
        >>> remedy(layers.LSTM(7))
        ''
    """
    if isinstance(operation, layers.GRU):
        return " It must be keras.layers.GRU itself, not a class derived from it."
    if type(operation).__name__ == "GetItem":  # Keras does not export the class.
        return " For the last step, use return_sequences=False instead of x[:, -1]."
    return ""
