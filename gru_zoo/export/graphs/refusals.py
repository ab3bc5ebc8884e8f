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
    return ValueError(
        f"{kind(operation)} {operation.name!r} ({type(operation).__name__}) must be a GRU, a "
        "convolution or pooling over all steps, or something that treats every time step alike; it "
        f"is not known to.{remedy(operation)}"
    )


def kind(operation: Any) -> str:
    """Return whether a layer is meant, or what `keras.ops` and a tensor's own operators make.

    Example:
        >>> kind(layers.Dense(2))
        'layer'
    """
    return "layer" if isinstance(operation, layers.Layer) else "operation"


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
    if kind(operation) == "operation" and hasattr(layers, type(operation).__name__):
        return f" keras.layers.{type(operation).__name__} may do instead."
    return ""
