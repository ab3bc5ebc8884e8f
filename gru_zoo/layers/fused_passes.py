"""The fused kernel's two passes over a sequence: the equations, and their gradient by hand.

With `k` the share of the old state that is kept (`z`, or `1 - z` where the update gate writes):

    k_t = sigmoid(+-(x_t Wz + bz + h_{t-1} Uz + bz'))       + for update_gate "keep", - for "write"
    r_t = sigmoid(x_t Wr + br + h_{t-1} Ur + br')
    c_t = tanh(x_t Wc + bc + r_t * (h_{t-1} Uc + bc'))      reset_after=True
    c_t = tanh(x_t Wc + bc + (r_t * h_{t-1}) Uc)            reset_after=False
    h_t = k_t * h_{t-1} + (1 - k_t) * c_t

A step that is masked, or a unit that zoneout holds, is kept to a further share m (1 if masked):

    h_t = m_t * h_{t-1} + (1 - m_t) * (k_t * h_{t-1} + (1 - k_t) * c_t)

Recurrent dropout multiplies h_{t-1} in the three products, one factor a gate, and nowhere else.

The functions are traced into XLA programs by fused.py. Throughout, `context` is what has no
gradient: m, the three factors of recurrent dropout, and the number of true steps, each or None;
`convention` is (reset_after, whether the update gate writes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Context = tuple[Any, Any, Any]


def _loop(
    step: Callable[[Any, tf.Tensor], tuple[tf.Tensor, list[tf.Tensor]]],
    state: tf.Tensor,
    time: Any,
    count: Any,
    rows: int,
    *,
    backwards: bool = False,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Run `step`(t, state) -> (state, rows) `count` times, or `time` times if that is None.

    Returns:
        The last state, and each row's array [time, batch, units], zeros where no step came.
    """
    count = time if count is None else count

    def body(i: tf.Tensor, state: tf.Tensor, arrays: list[tf.TensorArray]) -> Any:
        t = count - 1 - i if backwards else i
        state, values = step(t, state)
        return i + 1, state, [a.write(t, v) for a, v in zip(arrays, values, strict=True)]

    arrays = [tf.TensorArray(state.dtype, time, element_shape=state.shape) for _ in range(rows)]
    _, state, arrays = tf.while_loop(
        lambda i, *_: i < count, body, (0, state, arrays), maximum_iterations=time
    )
    return state, [array.stack() for array in arrays]


def _time_major(sequence: tf.Tensor) -> tf.Tensor:
    return tf.transpose(sequence, [1, 0, 2])


def _steps(sequence: tf.Tensor) -> Any:  # an int where it is known
    return tf.shape(sequence)[0] if sequence.shape[0] is None else sequence.shape[0]


def _gates(array: tf.Tensor) -> list[tf.Tensor]:  # [..., 3 units] -> z, r, h
    return tf.split(array, 3, axis=-1)


def _rows(held: Any) -> Callable[[Any], Any]:
    """Return t -> (m_t, 1 - m_t)."""
    if held is None:
        return lambda t: (0.0, 1.0)
    held = _time_major(held)
    row = (lambda t: held[0]) if held.shape[0] == 1 else (lambda t: held[t])
    return lambda t: (row(t), 1.0 - row(t))


def forward(
    context: Context,
    inputs: tf.Tensor,
    state: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    bias: tf.Tensor,
    recurrent_bias: tf.Tensor,
    *,
    convention: tuple[bool, bool],
    save: bool,
) -> tuple[tf.Tensor, ...]:
    """Return outputs, last state and, if `save`, time-major h_{t-1}, k, r, c and the product in c.

    That product is (h_{t-1} Uc + bc') or (r_t * h_{t-1}) Uc, by the convention.
    """
    held, factors, count = context
    reset_after, write = convention
    inputs = _time_major(inputs)
    (bz, br, bc), (bz_, br_, bc_) = _gates(bias), _gates(recurrent_bias)
    held_at = _rows(held)

    def step(t: Any, h: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        xz, xr, xc = _gates(inputs[t] @ kernel)
        uz, ur, candidate = _products(h, recurrent, factors, reset_after)
        k = tf.sigmoid(_signed(xz + uz + (bz + bz_), write))
        r = tf.sigmoid(xr + ur + (br + br_))
        product = candidate(r) + bc_
        c = tf.tanh(xc + bc + (r * product if reset_after else product))
        m, free = held_at(t)
        new = (m + free * k) * h + free * (1.0 - k) * c
        return new, [new, h, k, r, c, product] if save else [new]

    last, (outputs, *saved) = _loop(step, state, _steps(inputs), count, 6 if save else 1)
    return _time_major(outputs), last, *saved


def _products(
    h: tf.Tensor, recurrent: tf.Tensor, factors: Any, reset_after: bool
) -> tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return h Uz, h Ur and r -> the candidate's product; one dot where the operands allow it."""
    uz, ur, uc = _gates(recurrent)
    hc = h
    if factors is not None:
        hz, hr, hc = (h * f for f in factors)
        z, r, c = hz @ uz, hr @ ur, hc @ uc  # XLA drops the last where the reset comes before
    elif reset_after:
        z, r, c = _gates(h @ recurrent)
    else:
        z, r = tf.split(h @ tf.concat([uz, ur], 1), 2, axis=1)
    return z, r, (lambda r: c) if reset_after else (lambda r: (r * hc) @ uc)


def _signed(pre_activation: tf.Tensor, write: bool) -> tf.Tensor:
    return -pre_activation if write else pre_activation


def _all_gates(
    context: Context,
    previous: tf.Tensor,
    inputs: tf.Tensor,
    arguments: list[tf.Tensor],
    convention: tuple[bool, bool],
) -> tuple[tf.Tensor, ...]:
    """Return k, r, c and the candidate's product of all steps at once, from their states."""
    reset_after, write = convention
    _, _, kernel, recurrent, bias, recurrent_bias = arguments
    pre_z, pre_r, xc = (
        tf.einsum("tbd,du->tbu", inputs, w) + b
        for w, b in zip(_gates(kernel), _gates(bias), strict=True)
    )
    uz, ur, uc = _gates(recurrent)
    bz, br, bc = _gates(recurrent_bias)
    hz, hr, hc = [previous * f for f in context[1] or (1.0, 1.0, 1.0)]
    k = tf.sigmoid(_signed(pre_z + tf.einsum("tbu,uv->tbv", hz, uz) + bz, write))
    r = tf.sigmoid(pre_r + tf.einsum("tbu,uv->tbv", hr, ur) + br)
    product = tf.einsum("tbu,uv->tbv", hc if reset_after else r * hc, uc) + bc
    return k, r, tf.tanh(xc + (r * product if reset_after else product)), product


def backward(
    context: Context,
    arguments: list[tf.Tensor],
    upstream: list[tf.Tensor],
    outputs: tf.Tensor,
    saved: list[tf.Tensor],
    *,
    convention: tuple[bool, bool],
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the gradients of all arguments but the inputs, and those of the pre-activations.

    With dh the gradient of h_t, the pre-activations' (of k as if "keep") are

        dz = dh * (1 - m) * (h_{t-1} - c) * k * (1 - k)
        dc = dh * (1 - m) * (1 - k) * (1 - c^2)
        dr = dc * (h_{t-1} Uc + bc') * r * (1 - r)      reset_after=True
        dr = (dc Uc^T) * h_{t-1} * r * (1 - r)          reset_after=False
    """
    held, factors, count = context
    reset_after, write = convention
    inputs, state, kernel, recurrent = arguments[:4]
    inputs = _time_major(inputs)
    if not saved:
        previous = tf.concat([state[tf.newaxis], _time_major(outputs)[:-1]], 0)
        saved = previous, *_all_gates(context, previous, inputs, arguments, convention)
    previous, k, r, c, product = saved
    to_outputs, held_at = upstream[0], _rows(held)
    uz, ur, uc = map(tf.transpose, _gates(recurrent))  # once, not in every step
    fz, fr, fc = factors or (1.0, 1.0, 1.0)

    def step(t: Any, dh: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dh, kt, rt, ct = dh + to_outputs[:, t], k[t], r[t], c[t]
        m, free = held_at(t)
        dz = _signed(dh * free * (previous[t] - ct) * kt * (1.0 - kt), write)
        dc = dh * free * (1.0 - kt) * (1.0 - ct * ct)
        dp = dc * rt if reset_after else dc  # gradient of the candidate's product
        through = (dp @ uc) * fc
        dr = dc * product[t] if reset_after else through * previous[t]
        dr *= rt * (1.0 - rt)
        back = dh * (m + free * kt) + (through if reset_after else through * rt)
        back += (dz @ uz) * fz + (dr @ ur) * fr
        return back, [dz, dr, dc, dp] if reset_after else [dz, dr, dc]

    rows = 4 if reset_after else 3
    state_gradient, (*parts, dp) = _loop(
        step, upstream[1], _steps(inputs), count, rows, backwards=True
    )
    parts = parts if reset_after else [*parts, dp]
    recurrent_parts = [*parts[:2], dp]
    lefts = [previous * fz, previous * fr, previous * fc * (1.0 if reset_after else r)]
    gradients = [
        state_gradient,
        tf.concat([tf.einsum("tbd,tbu->du", inputs, d) for d in parts], 1),
        tf.concat(
            [tf.einsum("tbu,tbv->uv", h, d) for h, d in zip(lefts, recurrent_parts, strict=True)], 1
        ),
        tf.concat([tf.reduce_sum(d, [0, 1]) for d in parts], 0),
        tf.concat([tf.reduce_sum(d, [0, 1]) for d in recurrent_parts], 0),
    ]
    return gradients, parts


def input_gradient(kernel: tf.Tensor, parts: list[tf.Tensor]) -> tf.Tensor:
    """Return the gradient of the inputs, [batch, time, features]."""
    pairs = zip(parts, _gates(kernel), strict=True)
    return sum(tf.einsum("tbu,du->btd", d, w) for d, w in pairs)
