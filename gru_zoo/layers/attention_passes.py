"""AttentionGRU's two passes over a sequence as XLA programs: the equations, and their gradient.

With dh the gradient of h', and p = h Uc + bc' (the other names are attention_gru.py's):

    dg = sum_units dh * (c - h)
    dc = dh * g * (1 - c^2)             by the candidate's pre-activation
    dr = dc * p * r * (1 - r)           by the reset gate's
    dp = dc * r
    the gradient of h = dh * (1 - g) + dr Ur^T + dp Uc^T

The gradients of the weights and inputs are products over all steps at once, after the loop.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from gru_zoo.layers.fused_layout import loop
from gru_zoo.layers.islands import island, with_all_it_reads

_LENGTHS = [2**n for n in range(3, 31)]  # a program is compiled for each that is met


def attention_sequence(
    inputs: Any, gate: Any, state: Any, kernel: Any, recurrent: Any, bias: Any
) -> tf.Tensor:
    """Return the last state of an AttentionGRU; differentiable twice in every argument.

    Arrays are padded to 8, 16, 32, ... steps, because XLA compiles a program for each length; the
    loop counts to the true one.

    Args:
        inputs: `[batch, time, features]`, float32, float64 or a half type.
        gate: `[batch, time]` in [0, 1].
        state: `[batch, units]`, before the first step.
        kernel: `[features, 2 * units]`, columns r and then h.
        recurrent: `[units, 2 * units]`.
        bias: `[2, 2 * units]`, that of the inputs and that of the state.

    Returns:
        `[batch, units]` in the dtype of `inputs`; half precision is computed in float32.

    Example:
        >>> x, g, h = tf.ones([2, 5, 4]), tf.zeros([2, 5]), tf.ones([2, 3])
        >>> attention_sequence(x, g, h, tf.ones([4, 6]), tf.ones([3, 6]), tf.ones([2, 6])).shape
        TensorShape([2, 3])
    """
    inputs = tf.convert_to_tensor(inputs)
    wide = tf.float64 if inputs.dtype == tf.float64 else tf.float32
    arguments = [tf.cast(a, wide) for a in (inputs, gate, state, kernel, recurrent, bias)]
    count = tf.shape(inputs)[1]
    lengths = tf.constant(_LENGTHS)
    padding = tf.reduce_min(tf.where(lengths < count, lengths[-1], lengths)) - count
    arguments[0] = tf.pad(arguments[0], [[0, 0], [0, padding], [0, 0]])
    arguments[1] = tf.pad(arguments[1], [[0, 0], [0, padding]])

    @tf.custom_gradient
    def run(*given: tf.Tensor) -> Any:
        # Without stop_gradient an eager tape would record the island too.
        arguments = tuple(map(tf.stop_gradient, given))
        last, *saved = _forward_program(count, *arguments)

        def gradient(upstream: tf.Tensor) -> Any:
            return with_all_it_reads(_first, (count, saved), upstream, *given)

        return last, gradient

    return tf.cast(run(*arguments), inputs.dtype)


def _first(read: Any, upstream: tf.Tensor, *given: tf.Tensor) -> Any:
    """Return the gradients of the arguments, and what makes the gradients of those."""
    count, saved = read
    slope = tf.stop_gradient(upstream)
    first = _backward_program(count, slope, tuple(map(tf.stop_gradient, given)), saved)
    # A trace outside of XLA is none for inside, and a graph does not say which it is.
    second = _second_program if tf.executing_eagerly() else tf.function(_second, autograph=False)
    return first, lambda *seconds: second(count, (upstream, *given), seconds)


def _second(
    count: tf.Tensor, given: tuple[tf.Tensor, ...], upstream: tuple[tf.Tensor, ...]
) -> list[tf.Tensor]:
    """Return the gradient of `_backward`, by TensorFlow's own differentiation of the loop."""
    zero = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
    first = tf.gradients(_forward(count, *given[1:])[0], given[1:], given[0], **zero)
    return tf.gradients(first, given, upstream, **zero)


def _forward(
    count: tf.Tensor,
    inputs: tf.Tensor,
    gate: tf.Tensor,
    state: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Return the last state [batch, units], and r, c, h and p of every step [time, batch, units].

    Arguments as of `attention_sequence`, padded; `count`, int32 [], is how many steps are true.
    """
    gate = tf.transpose(gate)[:, :, tf.newaxis]  # [time, batch, 1]
    # Gates in arrays of their own: splitting one packed array in the loop is far slower.
    by_x = [tf.einsum("btf,fu->tbu", inputs, part) for part in tf.split(kernel, 2, axis=1)]
    (br, bc), (br_, bc_) = (tf.split(half, 2) for half in tf.unstack(bias))

    def step(t: Any, h: tf.Tensor, xr: Any, xc: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        hr, hc = tf.split(h @ recurrent, 2, axis=1)
        r, p = tf.sigmoid(xr + hr + (br + br_)), hc + bc_
        c = tf.tanh(xc + bc + r * p)
        return gate[t] * c + (1.0 - gate[t]) * h, [r, c, h, p]

    last, saved = loop(step, state, tf.shape(inputs)[1], count, 4, over=by_x)
    return last, *saved


def _backward(
    count: tf.Tensor, upstream: tf.Tensor, arguments: tuple[tf.Tensor, ...], saved: list[tf.Tensor]
) -> list[tf.Tensor]:
    """Return the gradients of the arguments, in their order and shapes, as the module derives them.

    Args:
        count: as of `_forward`.
        upstream: the gradient of the last state, [batch, units].
        arguments: of `_forward` without the count.
        saved: r, c, h and p of `_forward`.
    """
    inputs, gate, _, kernel, recurrent, _ = arguments
    r, c, h, p = saved
    gate = tf.transpose(gate)[:, :, tf.newaxis]
    transposed = tf.transpose(recurrent)  # once, not in every step

    def step(t: Any, dh: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dc = dh * gate[t] * (1.0 - c[t] * c[t])
        dp = dc * r[t]
        dr = dc * p[t] * r[t] * (1.0 - r[t])
        before = dh * (1.0 - gate[t]) + tf.concat([dr, dp], axis=1) @ transposed
        return before, [dh, dr, dc, dp]

    by_state, (dh, dr, dc, dp) = loop(step, upstream, tf.shape(inputs)[1], count, 4, backwards=True)
    by_gate = tf.transpose(tf.reduce_sum(dh * (c - h), axis=2))
    by_x, by_h = tf.concat([dr, dc], axis=2), tf.concat([dr, dp], axis=2)
    return [
        tf.einsum("tbu,fu->btf", by_x, kernel),
        by_gate,
        by_state,
        tf.einsum("btf,tbu->fu", inputs, by_x),
        tf.einsum("tbs,tbu->su", h, by_h),
        tf.stack([tf.reduce_sum(by_x, [0, 1]), tf.reduce_sum(by_h, [0, 1])]),
    ]


_forward_program, _backward_program = island(_forward), island(_backward)
_second_program = tf.function(_second, autograph=False)
