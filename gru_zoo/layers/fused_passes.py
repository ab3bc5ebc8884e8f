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
Layer normalization (fused_norm.py) replaces each product by gain * n(product), before the biases.

The functions are traced into XLA programs by fused.py. Throughout, `context` is what has no
gradient: m, the three factors of recurrent dropout, and the number of true steps, each or None.
States stand as fused_layout.py says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from gru_zoo.layers.fused_gradients import weight_gradients
from gru_zoo.layers.fused_layout import ROWS, Layout, is_small, layout_for, loop
from gru_zoo.layers.fused_norm import Group, before, gained

# Steps x units from which one row's products with x are taken before the loop, where it has so
# many features or more: those of fewer cost little in each step.
_AHEAD = 2**13
_AHEAD_FEATURES = 32

Context = tuple[Any, Any, Any]


class Convention(NamedTuple):
    """Which equations: where the reset stands, whether the update gate writes, a norm's epsilon."""

    reset_after: bool
    write: bool
    epsilon: float | None  # None without layer normalization


def _steps(sequence: tf.Tensor) -> Any:  # an int where it is known
    return tf.shape(sequence)[0] if sequence.shape[0] is None else sequence.shape[0]


def _gates(array: tf.Tensor) -> list[tf.Tensor]:  # [..., 3 units] -> z, r, h
    return tf.split(array, 3, axis=-1)


def _shares(layout: Layout, held: Any) -> Callable[[Any], Any]:
    """Return t -> (m_t, 1 - m_t)."""
    if held is None:
        return lambda t: (0.0, 1.0)
    held = layout.sequence(held)
    row = (lambda t: held[0]) if held.shape[0] == 1 else (lambda t: held[t])
    return lambda t: (row(t), 1.0 - row(t))


def _biases(layout: Layout, bias: tf.Tensor) -> tuple[list[Any], list[Any]]:
    """Return b's and b''s gates from [2, 3 units], or from [3 units], where b' is 0."""
    if bias.shape.rank == 1:
        return list(map(layout.bias, _gates(bias))), [0.0, 0.0, 0.0]
    return tuple(list(map(layout.bias, _gates(half))) for half in tf.unstack(bias))


def _gains(gain: tf.Tensor | None) -> list[Any]:
    """Return g's and g''s gates."""
    return [None] * 6 if gain is None else [g for half in tf.unstack(gain) for g in _gates(half)]


def _signed(pre_activation: tf.Tensor, write: bool) -> tf.Tensor:
    return -pre_activation if write else pre_activation


def forward(
    context: Context,
    inputs: tf.Tensor,
    state: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    bias: tf.Tensor,
    gain: tf.Tensor | None = None,
    *,
    convention: Convention,
    save: bool,
) -> tuple[tf.Tensor, ...]:
    """Return outputs, last state and, if `save`, time-major k, r, c, the product in c and h_{t-1}.

    That product is (h_{t-1} Uc + bc') or (r_t * h_{t-1}) Uc, by the convention.
    """
    held, factors, count = context
    layout = layout_for(*state.shape) if not save and gain is None else ROWS
    inputs, gains = layout.sequence(inputs), _gains(gain)
    (bz, br, bc), (bz_, br_, bc_) = _biases(layout, bias)
    held_at, projected = _shares(layout, held), _projection(layout, inputs, kernel)
    recur = _recurrence(layout, recurrent, factors, convention, gains[3:])

    def step(t: Any, h: tf.Tensor, *ahead: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        *xzr, xc = ahead or projected(t)
        xz, xr = gained(xzr, gains[:2], convention.epsilon)
        (xc,) = gained([xc], gains[2:3], convention.epsilon)
        uz, ur, candidate = recur(h)
        k = tf.sigmoid(_signed(xz + uz + (bz + bz_), convention.write))
        r = tf.sigmoid(xr + ur + (br + br_))
        product = candidate(r) + bc_
        c = tf.tanh(xc + bc + (r * product if convention.reset_after else product))
        m, free = held_at(t)
        new = (m + free * k) * h + free * (1.0 - k) * c
        return new, [k, r, c, product, h, new] if save else [new]

    rows, over = 6 if save else 1, []
    if save and not is_small(_steps(inputs), *state.shape):
        over = [_products(inputs, weights) for weights in _gates(kernel)]
    last, (*saved, outputs) = loop(
        step, layout.state(state), _steps(inputs), count, rows, over=over
    )
    return layout.outputs(outputs), layout.state(last), *saved


def _projection(
    layout: Layout, inputs: tf.Tensor, kernel: tf.Tensor
) -> Callable[[Any], list[tf.Tensor]]:
    """Return t -> the products of x_t; one row that is work enough has them before the loop."""
    steps, rows, _ = inputs.shape
    features, units = kernel.shape[0], kernel.shape[1] // 3
    enough = features >= _AHEAD_FEATURES and steps and steps * units >= _AHEAD
    if enough and rows == 1 and not layout.columns:
        gates = [_products(inputs, weights) for weights in _gates(kernel)]
        return lambda t: [products[t] for products in gates]
    weights = layout.weights(kernel)
    return lambda t: layout.split(layout.product(inputs[t], weights), 3)


def _recurrence(
    layout: Layout, recurrent: tf.Tensor, factors: Any, convention: Convention, gains: list[Any]
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]]:
    """Return h -> h Uz, h Ur and r -> the candidate's product; one dot where operands allow it."""
    uz, ur, uc = map(layout.weights, _gates(recurrent))
    together = layout.weights(
        recurrent if convention.reset_after else tf.concat(_gates(recurrent)[:2], 1)
    )
    factors = None if factors is None else list(map(layout.state, factors))

    def last(left: tf.Tensor) -> tf.Tensor:
        return gained([layout.product(left, uc)], gains[2:], convention.epsilon)[0]

    def recur(h: tf.Tensor) -> Any:
        hc = h
        if factors is not None:
            hz, hr, hc = (h * f for f in factors)
            z, r = layout.product(hz, uz), layout.product(hr, ur)
        elif not convention.reset_after:
            z, r = layout.split(layout.product(h, together), 2)
        else:
            z, r, c = layout.split(layout.product(h, together), 3)
            (c,) = gained([c], gains[2:], convention.epsilon)
        z, r = gained([z, r], gains[:2], convention.epsilon)
        if not convention.reset_after:
            return z, r, lambda r: last(r * hc)
        c = c if factors is None else last(hc)
        return z, r, lambda r: c

    return recur


def _grouped(
    arrays: list[tf.Tensor], gains: list[Any], epsilon: float | None
) -> tuple[list[tf.Tensor], Group | None]:
    """Return the arrays, normalized if there is an epsilon, and what their gradient needs."""
    if epsilon is None:
        return arrays, None
    group = Group.of(arrays, gains, epsilon)
    return group.values(), group


def _products(sequence: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return the product of every step at once, [time, batch, columns of the weights]."""
    return tf.einsum("tbd,du->tbu", sequence, weights)


def _all_gates(
    context: Context,
    previous: tf.Tensor,
    inputs: tf.Tensor,
    arguments: list[tf.Tensor],
    convention: Convention,
) -> tuple[list[tf.Tensor], list[Group | None]]:
    """Return k, r, c and the candidate's product of all steps at once, from their states.

    And the groups of a layer normalization: z and r, c, by x and then by h.
    """
    reset_after, write, epsilon = convention
    _, _, kernel, recurrent, bias, *gain = arguments
    gains = _gains(*gain or [None])
    (bz, br, bc), (bz_, br_, bc_) = _biases(ROWS, bias)
    *xzr, xc = (_products(inputs, w) for w in _gates(kernel))
    (xz, xr), x_zr = _grouped(xzr, gains[:2], epsilon)
    (xc,), x_c = _grouped([xc], gains[2:3], epsilon)
    uz, ur, uc = _gates(recurrent)
    hz, hr, hc = [previous * f for f in context[1] or (1.0, 1.0, 1.0)]
    hzr = [_products(hz, uz), _products(hr, ur)]
    (hz, hr), h_zr = _grouped(hzr, gains[3:5], epsilon)
    k = tf.sigmoid(_signed(xz + hz + (bz + bz_), write))
    r = tf.sigmoid(xr + hr + (br + br_))
    product = _products(hc if reset_after else r * hc, uc)
    (product,), h_c = _grouped([product], gains[5:], epsilon)
    product += bc_
    c = tf.tanh(xc + bc + (r * product if reset_after else product))
    return [k, r, c, product], [x_zr, x_c, h_zr, h_c]


def backward(
    context: Context,
    arguments: list[tf.Tensor],
    upstream: list[tf.Tensor],
    outputs: tf.Tensor,
    saved: list[tf.Tensor],
    *,
    convention: Convention,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the gradients of all arguments but the inputs, and those of the products with x.

    With dh the gradient of h_t, the pre-activations' (of k as if "keep") are

        dz = dh * (1 - m) * (h_{t-1} - c) * k * (1 - k)
        dc = dh * (1 - m) * (1 - k) * (1 - c^2)
        dr = dc * (h_{t-1} Uc + bc') * r * (1 - r)      reset_after=True
        dr = (dc Uc^T) * h_{t-1} * r * (1 - r)          reset_after=False
    """
    held, factors, count = context
    reset_after, write, _ = convention
    inputs, state, _, recurrent, bias = arguments[:5]
    inputs = ROWS.sequence(inputs)
    groups: list[Group | None] = [None] * 4
    if not saved:
        previous = tf.concat([state[tf.newaxis], ROWS.sequence(outputs)[:-1]], 0)
        gates, groups = _all_gates(context, previous, inputs, arguments, convention)
        saved = *gates, previous
    k, r, c, product, previous = saved
    to_outputs, held_at = upstream[0], _shares(ROWS, held)
    uz, ur, uc = map(tf.transpose, _gates(recurrent))  # once, not in every step
    fz, fr, fc = factors or (1.0, 1.0, 1.0)

    def step(t: Any, dh: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dh, kt, rt, ct = dh + to_outputs[:, t], k[t], r[t], c[t]
        *_, zr_norm, c_norm = (group and group.at(t) for group in groups)
        m, free = held_at(t)
        dz = _signed(dh * free * (previous[t] - ct) * kt * (1.0 - kt), write)
        dc = dh * free * (1.0 - kt) * (1.0 - ct * ct)
        dp = dc * rt if reset_after else dc  # gradient of what follows the candidate's product
        through = (before(c_norm, [dp])[0] @ uc) * fc
        dr = dc * product[t] if reset_after else through * previous[t]
        dr *= rt * (1.0 - rt)
        back = dh * (m + free * kt) + (through if reset_after else through * rt)
        to_z, to_r = before(zr_norm, [dz, dr])
        back += (to_z @ uz) * fz + (to_r @ ur) * fr
        return back, [dz, dr, dc, dp] if reset_after else [dz, dr, dc]

    rows = 4 if reset_after else 3
    state_gradient, parts = loop(step, upstream[1], _steps(inputs), count, rows, backwards=True)
    lefts = [previous] * 3 if factors is None else [previous * f for f in factors]
    if not reset_after:
        lefts[2] *= r
    gradients, by_x = weight_gradients(inputs, lefts, parts, groups, bias.shape.rank)
    return [state_gradient, *gradients], by_x
