"""A GRU whose update gate is an attention weight, given from outside: AttentionGRU.

Kumar et al. 2016 (Ask Me Anything, section 2.3) let a gate g_t in [0, 1], one number a step, blend
a GRU's new state with its old one; Xiong et al. 2016 (DMN+, section 3.3.2) put it in the place of
the update gate, which is what stands here.

In training both passes over a sequence are XLA programs, compiled whether or not the model around
them is, with the gradient derived by hand; `tests/layers/test_attention_gru.py` holds them against
NumPy in float64 and against finite differences.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask

from gru_zoo.arguments import positive_int
from gru_zoo.layers import kernels
from gru_zoo.layers.checks import check_float, check_shape


@keras.saving.register_keras_serializable(package="gru_zoo")
class AttentionGRU(keras.layers.Layer):
    """Read the steps of a sequence that attention points at, in their order.

    With `x` the input, `g` its attention, `h` the state before and `h'` after the step:

        r  = sigmoid(x Wr + br + h Ur + br')
        c  = tanh(x Wc + bc + r * (h Uc + bc'))
        h' = g * c + (1 - g) * h

    A step with g = 0 is not there; with g = 1 everywhere it is a plain RNN with a reset gate.

    Args:
        units: size of the state.

    Call arguments:
        inputs: `[batch, time, features]` float.
        gate: `[batch, time]` float in [0, 1].
        initial_state: `[batch, units]`; zeros if None.
        mask: `[batch, time]` bool; None takes that of the inputs. False leaves the state as it is.

    Returns:
        The last state, `[batch, units]`.

    Raises:
        ValueError: `units` is no positive integer; or an array of another shape, or inputs or a
            gate that are not float.

    Example:
        >>> layer = AttentionGRU(7)
        >>> layer(ops.ones((3, 5, 4)), ops.zeros((3, 5)), initial_state=ops.ones((3, 7)))[0, 0]
        <tf.Tensor: shape=(), dtype=float32, numpy=1.0>
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.supports_masking = True

    def build(
        self, inputs_shape: tuple, gate_shape: tuple, initial_state_shape: tuple | None = None
    ) -> None:
        """Make kernel_rh, recurrent_kernel_rh and bias_rh, both gates' columns side by side."""
        columns = 2 * self.units
        self.kernel = self.add_weight(
            (inputs_shape[-1], columns), "glorot_uniform", name="kernel_rh"
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, columns), "orthogonal", name="recurrent_kernel_rh"
        )
        self.bias = self.add_weight((2, columns), "zeros", name="bias_rh")

    def call(self, inputs: Any, gate: Any, initial_state: Any = None, mask: Any = None) -> Any:
        """Return the last state `[batch, units]`."""
        if mask is None:  # Keras finds it only where inputs are the sole tensor argument.
            mask = get_keras_mask(inputs)
        rows = inputs.shape[:2]
        check_float("inputs", inputs)
        check_float("gate", gate)
        check_shape("gate", gate, ("batch", "time"), rows)
        if mask is not None:
            check_shape("mask", mask, ("batch", "time"), rows)
        if initial_state is not None:
            sizes = (rows[0], self.units)
            check_shape("initial_state", initial_state, ("batch", "units"), sizes)
        else:
            initial_state = ops.zeros((ops.shape(inputs)[0], self.units), inputs.dtype)
        if mask is not None:  # what stands on a masked step, NaN included, must not come through
            mask = ops.cast(mask, "bool")
            inputs = ops.where(mask[:, :, None], inputs, ops.zeros((), inputs.dtype))
            gate = ops.where(mask, gate, ops.zeros((), gate.dtype))
        if keras.backend.backend() == "tensorflow" and kernels.may_compile():
            from gru_zoo.layers.attention_passes import attention_sequence
            from gru_zoo.layers.islands import within_a_function

            weights = [ops.convert_to_tensor(weight) for weight in self.weights]
            arrays = inputs, gate, initial_state, *weights
            return within_a_function(attention_sequence, *arrays)
        return self._loop(inputs, gate, initial_state)

    def project(self, inputs: Any) -> Any:
        """Return what the steps' inputs give, `[..., 2 * units]`, for inputs `[..., features]`."""
        return ops.matmul(inputs, self.kernel) + self.bias[0]

    def recur(self, projected: Any, gate: Any, h: Any) -> Any:
        """Return the state after a step.

        Args:
            projected: `project` of its inputs, `[batch, 2 * units]`.
            gate: `[batch, 1]`.
            h: the state before, `[batch, units]`.
        """
        xr, xc = ops.split(projected, 2, axis=-1)
        hr, hc = ops.split(h @ self.recurrent_kernel + self.bias[1], 2, axis=-1)
        return h + gate * (ops.tanh(xc + ops.sigmoid(xr + hr) * hc) - h)

    def _loop(self, inputs: Any, gate: Any, state: Any) -> Any:
        """Return the last state, by the backend's own loop."""
        steps = ops.concatenate([self.project(inputs), gate[:, :, None]], axis=-1)

        def recur(step: Any, h: Any) -> Any:
            return self.recur(step[:, :-1], step[:, -1:], h)

        return kernels.loop(recur, steps, state, return_sequences=False)[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """The time axis is gone, and the mask with it."""
        return None

    def compute_output_shape(self, inputs_shape: tuple, *others: tuple) -> tuple:
        """Return `(batch, units)`."""
        return (inputs_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "units": self.units}
