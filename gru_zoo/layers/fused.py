"""The fused kernel: one GRU over a whole sequence, compiled by XLA, its gradient by hand.

With `k` the share of the old state that is kept (`z`, or `1 - z` where the update gate writes):

    k_t = sigmoid(+-(x_t Wz + bz + h_{t-1} Uz + bz'))       + for update_gate "keep", - for "write"
    r_t = sigmoid(x_t Wr + br + h_{t-1} Ur + br')
    c_t = tanh(x_t Wc + bc + r_t * (h_{t-1} Uc + bc'))      reset_after=True
    c_t = tanh(x_t Wc + bc + (r_t * h_{t-1}) Uc)            reset_after=False
    h_t = k_t * h_{t-1} + (1 - k_t) * c_t

A masked step has k_t = 1, so it hands on its state and sends no gradient to the gates.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

_MASKED = 1e30  # sigmoid of it is exactly 1 in every float type that the kernel computes in


def gru_sequence(
    inputs: Any,
    initial_state: Any,
    mask: Any,
    kernel: Any,
    recurrent_kernel: Any,
    input_bias: Any,
    recurrent_bias: Any,
    *,
    reset_after: bool,
    update_gate: str,
    go_backwards: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a GRU over a sequence and return every state and the last one.

    Differentiable in every float argument. Half precision is computed in float32.

    Args:
        inputs: [batch, time, features], float32, float64 or a half type.
        initial_state: [batch, units].
        mask: bool [batch, time], or None. False keeps the previous state.
        kernel: [features, 3 * units], gates packed z, r, h.
        recurrent_kernel: [units, 3 * units].
        input_bias: [3 * units], or None.
        recurrent_bias: [3 * units], or None (always None for reset_after=False).
        reset_after: True applies the reset gate after the recurrent product.
        update_gate: "keep" (z keeps the state) or "write" (z takes the candidate).
        go_backwards: True reads the sequence from its end; outputs come in the order processed.

    Returns:
        Outputs [batch, time, units] and last state [batch, units], in the dtype of `inputs`.

    Raises:
        ValueError: `recurrent_bias` is given with reset_after=False.

    Example:
        >>> x, h, w, u = tf.ones([2, 5, 4]), tf.zeros([2, 3]), tf.ones([4, 9]), tf.ones([3, 9])
        >>> options = {"reset_after": True, "update_gate": "keep"}
        >>> outputs, last = gru_sequence(x, h, None, w, u, None, None, **options)
        >>> outputs.shape, last.shape
        (TensorShape([2, 5, 3]), TensorShape([2, 3]))
    """
    if recurrent_bias is not None and not reset_after:
        raise ValueError("recurrent_bias must be None with reset_after=False; got a bias.")
    inputs = tf.convert_to_tensor(inputs)
    dtype = inputs.dtype
    math = tf.float64 if dtype == tf.float64 else tf.float32
    if mask is not None:
        mask = tf.cast(mask, tf.bool)
    if go_backwards:
        inputs = tf.reverse(inputs, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    kernel, recurrent_kernel = tf.cast(kernel, math), tf.cast(recurrent_kernel, math)
    zeros = tf.zeros([recurrent_kernel.shape[-1]], math)
    biases = [zeros if b is None else tf.cast(b, math) for b in (input_bias, recurrent_bias)]
    forward, backward = _islands(reset_after, update_gate == "write")

    @tf.custom_gradient
    def run(*arguments):
        # Without stop_gradient an eager tape would record the island too, and keep its temporaries.
        outputs = forward(mask, *map(tf.stop_gradient, arguments))

        def gradient(outputs_gradient):
            return backward(mask, *arguments, outputs, outputs_gradient)

        return outputs, gradient

    outputs = run(
        tf.cast(inputs, math), tf.cast(initial_state, math), kernel, recurrent_kernel, *biases
    )
    outputs = tf.cast(outputs, dtype)
    return outputs, outputs[:, -1]


@functools.cache
def _islands(reset_after: bool, write: bool) -> tuple[Any, Any]:
    """Return the compiled forward and backward functions of one convention."""
    options = {"reset_after": reset_after, "write": write}
    forward = tf.function(functools.partial(_forward, **options), jit_compile=True)
    backward = tf.function(functools.partial(_backward, **options), jit_compile=True)
    return forward, backward


def _project(mask, inputs, kernel, bias, write):
    """Return the three gates' input parts, each [time, batch, units]; masked steps keep."""
    inputs = tf.transpose(inputs, [1, 0, 2])  # [time, batch, features]
    parts = [
        tf.einsum("tbd,du->tbu", inputs, w) + b
        for w, b in zip(tf.split(kernel, 3, axis=1), tf.split(bias, 3), strict=True)
    ]
    if mask is not None:
        present = tf.transpose(mask)[:, :, tf.newaxis]
        keep = tf.constant(-_MASKED if write else _MASKED, parts[0].dtype)
        parts[0] = tf.where(present, parts[0], keep)
    return inputs, parts


def _forward(mask, inputs, state, kernel, recurrent, bias, recurrent_bias, *, reset_after, write):
    _, (xz, xr, xc) = _project(mask, inputs, kernel, bias, write)
    uz, ur, uc = tf.split(recurrent, 3, axis=1)
    bz, br, bc = tf.split(recurrent_bias, 3)
    time = tf.shape(xz)[0]

    def step(t, h, outputs):
        k = tf.sigmoid(_signed(xz[t] + h @ uz + bz, write))
        r = tf.sigmoid(xr[t] + h @ ur + br)
        c = tf.tanh(xc[t] + (r * (h @ uc + bc) if reset_after else (r * h) @ uc))
        h = k * h + (1.0 - k) * c
        return t + 1, h, outputs.write(t, h)

    outputs = tf.TensorArray(state.dtype, time, element_shape=state.shape)
    _, _, outputs = tf.while_loop(
        lambda t, *_: t < time, step, (0, state, outputs), maximum_iterations=time
    )
    return tf.transpose(outputs.stack(), [1, 0, 2])


def _signed(pre_activation, write):
    return -pre_activation if write else pre_activation


def _backward(
    mask,
    inputs,
    state,
    kernel,
    recurrent,
    bias,
    recurrent_bias,
    outputs,
    gradient,
    *,
    reset_after,
    write,
):
    """Return the gradients of inputs, state, kernel, recurrent kernel and both biases.

    Given the states, every gate of every step is computed at once. A pre-activation's gradient is
    then dh_t times a known factor, and only dh_t itself has to run through time.
    """
    inputs, (xz, xr, xc) = _project(mask, inputs, kernel, bias, write)
    uz, ur, uc = tf.split(recurrent, 3, axis=1)
    bz, br, bc = tf.split(recurrent_bias, 3)
    previous = tf.transpose(outputs, [1, 0, 2])[:-1]
    previous = tf.concat([state[tf.newaxis], previous], 0)  # [time, batch, units]
    gradient = tf.transpose(gradient, [1, 0, 2])
    k = tf.sigmoid(_signed(xz + tf.einsum("tbu,uv->tbv", previous, uz) + bz, write))
    r = tf.sigmoid(xr + tf.einsum("tbu,uv->tbv", previous, ur) + br)
    inner = tf.einsum("tbu,uv->tbv", previous if reset_after else r * previous, uc) + bc
    c = tf.tanh(xc + (r * inner if reset_after else inner))
    to_z = _signed((previous - c) * k * (1.0 - k), write)
    to_c = (1.0 - k) * (1.0 - c * c)
    slope = r * (1.0 - r)
    time = tf.shape(xz)[0]

    def step(t, dh, total):
        dh = dh + gradient[t]
        total = total.write(t, dh)
        dc = dh * to_c[t]
        back = dh * k[t] + tf.matmul(dh * to_z[t], uz, transpose_b=True)
        if reset_after:
            back += tf.matmul(dc * inner[t] * slope[t], ur, transpose_b=True)
            back += tf.matmul(dc * r[t], uc, transpose_b=True)
        else:
            through = tf.matmul(dc, uc, transpose_b=True)  # gradient of r * h
            back += through * r[t]
            back += tf.matmul(through * previous[t] * slope[t], ur, transpose_b=True)
        return t - 1, back, total

    total = tf.TensorArray(state.dtype, time, element_shape=state.shape)
    _, state_gradient, total = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (time - 1, tf.zeros_like(state), total),
        maximum_iterations=time,
    )
    dh = total.stack()
    dz, dc = dh * to_z, dh * to_c
    if reset_after:
        dr, hidden = dc * inner * slope, (previous, previous, previous)
        recurrent_parts = (dz, dr, dc * r)
    else:
        through = tf.einsum("tbv,uv->tbu", dc, uc)
        dr, hidden = through * previous * slope, (previous, previous, r * previous)
        recurrent_parts = (dz, dr, dc)
    input_parts = (dz, dr, dc)
    weights = tf.split(kernel, 3, axis=1)
    inputs_gradient = sum(
        tf.einsum("tbu,du->btd", d, w) for d, w in zip(input_parts, weights, strict=True)
    )
    kernel_gradient = [tf.einsum("tbd,tbu->du", inputs, d) for d in input_parts]
    recurrent_gradient = [
        tf.einsum("tbu,tbv->uv", h, d) for h, d in zip(hidden, recurrent_parts, strict=True)
    ]
    return (
        inputs_gradient,
        state_gradient,
        tf.concat(kernel_gradient, 1),
        tf.concat(recurrent_gradient, 1),
        tf.concat([tf.reduce_sum(d, [0, 1]) for d in input_parts], 0),
        tf.concat([tf.reduce_sum(d, [0, 1]) for d in recurrent_parts], 0),
    )
