"""A convolution over time as one matrix product, over a whole sequence and in one step.

    y_t = f(sum over i of x_(t + i d - left) K_i + b)           i = 0 ... k - 1, dilation d

    "causal"   left = (k - 1) d, so that y_t needs no later step; x is zero before the first
    "same"     left = (k - 1) d // 2: looks ahead

The k frames that y_t reads, side by side, are one row, and the kernel [k, features, filters] is
one matrix [k features, filters]. Both forms then share that matrix in every variant (the int4
quantizer knows products only), agree bit for bit in LiteRT, and take less time than CONV_2D there
(benchmarks/NOTES_TFLITE.md).

A step remembers the (k - 1) d frames before it, the oldest first, side by side too: three
operators (CONCATENATION, FULLY_CONNECTED, STRIDED_SLICE), and three more where d > 1.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

CONVOLUTIONS = (layers.Conv1D, layers.DepthwiseConv1D, layers.SeparableConv1D)


def require_steps_kept(layer: keras.layers.Layer) -> None:
    """Raise ValueError unless a convolution gives one step for each, in a form that is known.

    Args:
        layer: one of `CONVOLUTIONS`.

    Example:
        >>> require_steps_kept(layers.Conv1D(6, 3, padding="valid", name="conv"))
        Traceback (most recent call last):
        ValueError: layer 'conv' (Conv1D) must have padding 'causal' or 'same', which keep the ...
    """
    kind = type(layer)
    what = f"layer {layer.name!r} ({kind.__name__})"
    if kind not in CONVOLUTIONS:  # It may compute something else.
        names = ", ".join(known.__name__ for known in CONVOLUTIONS)
        raise ValueError(f"{what} must be one of {names} itself; got a class derived from one.")
    wanted = {"strides": (1,), "data_format": "channels_last", "groups": 1}
    for name, value in wanted.items():
        given = getattr(layer, name, value)
        if given != value:
            raise ValueError(f"{what} must have {name}={value!r}; got {given!r}.")
    # Keras has no other causal one.
    allowed = ("causal", "same") if kind is layers.Conv1D else ("same",)
    if layer.kernel_size == (1,):
        allowed = (*allowed, "valid")
    if layer.padding not in allowed:
        keep = "which keep" if len(allowed) > 1 else "which keeps"
        raise ValueError(
            f"{what} must have padding {' or '.join(map(repr, allowed))}, {keep} the number of "
            f"steps; got {layer.padding!r}."
        )


def reach(layer: keras.layers.Layer) -> int:
    """Return how many steps lie between the first and the last that a convolution reads at once.

    Example:
        >>> reach(layers.Conv1D(6, 3, dilation_rate=2, padding="causal"))
        4
    """
    return (layer.kernel_size[0] - 1) * layer.dilation_rate[0]


def total_reach(model: keras.Model) -> int:
    """Return how many earlier steps all convolutions of a model can read one behind the other.

    Example:
        >>> conv = layers.Conv1D(6, 3, padding="causal")
        >>> total_reach(keras.Sequential([keras.Input((None, 4)), conv, layers.GRU(7)]))
        2
    """
    return sum(reach(one) for one in model._flatten_layers() if isinstance(one, CONVOLUTIONS))


def pads(layer: keras.layers.Layer) -> tuple[int, int]:
    """Return how many steps of zeros a convolution reads before the first step and after the last.

    Example:
        >>> pads(layers.Conv1D(6, 4, padding="same")), pads(layers.Conv1D(6, 4, padding="causal"))
        ((1, 2), (3, 0))
    """
    far = reach(layer)
    left = far if layer.padding == "causal" else far // 2
    return left, far - left


def over_sequence(layer: keras.layers.Layer, rows: tf.Tensor) -> tf.Tensor:
    """Return a convolution's output for all steps, [steps, filters].

    Args:
        layer: a built one of `CONVOLUTIONS`.
        rows: [steps, features].

    Raises:
        ValueError: an option that is not known, by name.

    Example:
        >>> conv = layers.Conv1D(6, 3, padding="causal")
        >>> conv.build((1, None, 4))
        >>> over_sequence(conv, tf.ones((5, 4))).shape
        TensorShape([5, 6])
    """
    require_steps_kept(layer)
    if not isinstance(layer, layers.Conv1D):
        return layer(rows[None])[0]
    far = reach(layer)
    padded = tf.pad(rows, [pads(layer), (0, 0)])
    # Counted from the end: TFLite knows such a shape before it runs.
    starts = range(0, far + 1, layer.dilation_rate[0])
    frames = [padded[start : start - far or None] for start in starts]  # k of [steps, features]
    return _product(layer, tf.concat(frames, axis=-1))


def in_step(
    layer: keras.layers.Layer, before: tf.Tensor, row: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a causal convolution's output [1, filters] after a step, and what it then remembers.

    Args:
        layer: a built causal Conv1D with a kernel larger than 1.
        before: [1, reach features], the frames before the step, the oldest first.
        row: [1, features].

    Example:
        >>> conv = layers.Conv1D(6, 3, padding="causal")
        >>> conv.build((1, None, 4))
        >>> y, after = in_step(conv, tf.zeros((1, 8)), tf.ones((1, 4)))
        >>> y.shape, after.numpy().tolist()
        (TensorShape([1, 6]), [[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]])
    """
    features, dilation = row.shape[-1], layer.dilation_rate[0]
    window = tf.concat([before, row], axis=-1)  # [1, (reach + 1) features]
    after = window[:, features:]
    if dilation > 1:
        window = tf.reshape(tf.reshape(window, (-1, features))[::dilation], (1, -1))
    return _product(layer, window), after


def _product(layer: Any, frames: tf.Tensor) -> tf.Tensor:
    """Return a Conv1D's output for rows of k frames, [rows, k features] -> [rows, filters]."""
    y = tf.matmul(frames, tf.reshape(layer.kernel, (-1, layer.filters)))
    if layer.bias is not None:
        y = y + layer.bias
    return layer.activation(y)
