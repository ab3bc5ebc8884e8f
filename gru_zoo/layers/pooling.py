"""Pooling of a sequence into one vector, written twice: over the whole, and as a running state."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="gru_zoo")
class MaskedPooling(keras.layers.Layer):
    """Concatenate the last, the largest and the mean vector over the unmasked steps.

    The pooling of ULMFiT (Howard and Ruder 2018, section 3.3): `[h_T; max(h); mean(h)]`, here
    over real steps only. Each part needs only what came before, so the same result can be kept
    as a running state: `initial_state`, `update` for every step, then `result`.

    Call arguments:
        inputs: `[batch, time, units]`, floating point.
        mask: `[batch, time]` bool or None; False marks a step that does not count.

    Returns:
        `[batch, 3 * units]`; zeros for a row whose steps are all masked.

    Example:
        >>> MaskedPooling()(ops.ones((2, 5, 4))).shape
        TensorShape([2, 12])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return `[batch, 3 * units]` for inputs `[batch, time, units]`."""
        if mask is None:
            last, largest, mean = inputs[:, -1], ops.max(inputs, axis=1), ops.mean(inputs, axis=1)
            return ops.concatenate([last, largest, mean], axis=-1)
        mask = ops.cast(mask, "bool")
        # Half precision cannot count thousands of steps; NaN on a masked one is left out too.
        wide = keras.backend.result_type(inputs.dtype, "float32")
        count = ops.sum(ops.cast(mask, wide)[:, :, None], axis=1)  # [batch, 1]
        real = ops.where(mask[:, :, None], inputs, ops.zeros((), inputs.dtype))
        mean = ops.sum(ops.cast(real, wide), axis=1) / ops.maximum(count, 1)
        mean = ops.cast(mean, inputs.dtype)
        some = ops.any(mask, axis=1, keepdims=True)  # [batch, 1]
        # Finite, for whatever computes a choice as a sum of products: infinity times 0 is NaN.
        lowest = float(tf.as_dtype(keras.backend.standardize_dtype(inputs.dtype)).min)
        largest = ops.max(ops.where(mask[:, :, None], inputs, lowest), axis=1)
        steps = ops.arange(ops.shape(inputs)[1])
        position = ops.max(ops.where(mask, steps, 0), axis=1)  # [batch]
        last = ops.take_along_axis(inputs, position[:, None, None], axis=1)[:, 0]
        zeros = ops.zeros_like(last)
        parts = [ops.where(some, last, zeros), ops.where(some, largest, zeros), mean]
        return ops.concatenate(parts, axis=-1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """The time axis is gone, and the mask with it."""
        return None

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return `(batch, 3 * units)`."""
        return (input_shape[0], 3 * input_shape[-1])

    def initial_state(self, batch: int, units: int) -> dict[str, Any]:
        """Return the running state before the first step, for vectors in (-1, 1).

        A recurrent layer with a tanh candidate never leaves that interval, so -1 is a neutral
        element of the maximum that also survives integer quantization, unlike -inf.
        """
        dtype = self.variable_dtype
        return {
            "last": ops.zeros((batch, units), dtype),
            "max": -ops.ones((batch, units), dtype),
            "sum": ops.zeros((batch, units), dtype),
            "count": ops.zeros((batch, 1), dtype),
        }

    def update(self, state: dict[str, Any], inputs: Any) -> dict[str, Any]:
        """Return the running state after one more step of vectors `[batch, units]`."""
        return {
            "last": inputs,
            "max": ops.maximum(state["max"], inputs),
            "sum": state["sum"] + inputs,
            "count": state["count"] + 1,
        }

    def result(self, state: dict[str, Any]) -> Any:
        """Return `[batch, 3 * units]` for a running state; zeros before the first step."""
        mean = state["sum"] / ops.maximum(state["count"], 1)
        pooled = ops.concatenate([state["last"], state["max"], mean], axis=-1)
        return pooled * ops.minimum(state["count"], 1)
