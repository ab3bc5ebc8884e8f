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

reset_after=False with "keep" is the GRU of Cho et al. (2014, section 2.3), with "write" that of
Chung et al. (2014); reset_after=True is that of cuDNN. The gradient is backpropagation through time
(Werbos, 1990): the chain rule from the last step to the first.

The functions are traced into XLA programs by fused.py. In the code `hz` is a product (h_{t-1} Uz),
`uz` a matrix (Uz), and `bz_` is bz'. States stand as fused_layout.py says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from gru_zoo.layers.fused_gradients import weight_gradients
from gru_zoo.layers.fused_layout import ROWS, Layout, is_small, layout_for, loop
from gru_zoo.layers.fused_norm import Group, before, gained

# Steps x units from which one row's products with x are taken before the loop, where it has so
# many features or more (those of fewer cost little in each step), and from which by three products.
_AHEAD, _AHEAD_SAVING, _AHEAD_APART = 2**12, 2**13, 2**16
_AHEAD_FEATURES = 32

_NO_DROPOUT = (1.0, 1.0, 1.0)


class Context(NamedTuple):
    """What both passes read besides the arguments, and what has no gradient; each may be None.

    Attributes:
        held: m, [batch or 1, time or 1, units or 1], in the dtype of the inputs; None is 0.
        factors: recurrent dropout's factors of h_{t-1} in the products of z, r and c, three arrays
            [batch, units] in the dtype of the inputs; None is 1.
        count: how many steps are true, the rest being padding: int32 []; None is all.
    """

    held: tf.Tensor | None
    factors: list[tf.Tensor] | None
    count: tf.Tensor | None


class Convention(NamedTuple):
    """Which equations: where the reset stands, whether the update gate writes, a norm's epsilon."""

    reset_after: bool
    write: bool
    epsilon: float | None  # None without layer normalization


def _steps(sequence: tf.Tensor) -> Any:  # an int where it is known
    return tf.shape(sequence)[0] if sequence.shape[0] is None else sequence.shape[0]


def _gates(array: tf.Tensor) -> list[tf.Tensor]:  # [..., 3 units] -> z, r, h
    return tf.split(array, 3, axis=-1)


def _shares(layout: Layout, held: tf.Tensor | None) -> Callable[[Any], tuple[Any, Any]]:
    """Return t -> (m_t, 1 - m_t)."""
    if held is None:
        return lambda t: (0.0, 1.0)
    held = layout.sequence(held)
    row = (lambda t: held[0]) if held.shape[0] == 1 else (lambda t: held[t])
    return lambda t: (row(t), 1.0 - row(t))


def _biases(bias: tf.Tensor) -> list[tf.Tensor]:
    """Return bz + bz', br + br', bc and bc', [units] each, from [2, 3 units], or [3 units] of b."""
    if bias.shape.rank == 1:
        bz, br, bc = _gates(bias)
        return [bz, br, bc, tf.zeros_like(bc)]
    (bz, br, bc), (bz_, br_, bc_) = (_gates(half) for half in tf.unstack(bias))
    return [bz + bz_, br + br_, bc, bc_]


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
    """Run the equations of the module (Cho et al., 2014, section 2.3) from the first step on.

    Args:
        context: masked steps, zoneout, recurrent dropout and the number of true steps.
        inputs: x, [batch, time, features], float32 or float64, as all arrays here.
        state: h_0, [batch, units].
        kernel: W = [Wz | Wr | Wc], [features, 3 units].
        recurrent: U = [Uz | Ur | Uc], [units, 3 units].
        bias: b and b', [2, 3 units]; or b alone, [3 units], where b' is 0.
        gain: layer normalization's g of x W and g' of h U, [2, 3 units], or None without one.
        convention: which of the equations.
        save: whether to return the gates too, so that `backward` need not compute them again.

    Returns:
        The outputs h_1 .. h_T, [batch, time, units]; the last state, [batch, units]; and if `save`,
        [time, batch, units] each, k, r, c, the candidate's product, which is (h_{t-1} Uc + bc') or
        (r_t * h_{t-1}) Uc by the convention, and h_{t-1}.
    """
    held, factors, count = context
    layout = layout_for(*state.shape) if not save and gain is None else ROWS
    inputs, gains = layout.sequence(inputs), _gains(gain)
    biases = list(map(layout.bias, _biases(bias)))
    # XLA compiles a program for each vector made before a loop. Columns need them to be fast: with
    # one array the halves of a batch get in each other's way (benchmarks/NOTES.md).
    stacked = None if layout.columns else tf.stack(biases)
    held_at, projected = _shares(layout, held), _projection(layout, inputs, kernel, save)
    recur = _recurrence(layout, recurrent, factors, convention, gains[3:])

    def step(t: Any, h: tf.Tensor, *ahead: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        bz, br, bc, bc_ = biases if stacked is None else tf.unstack(stacked)
        *xzr, xc = ahead or projected(t)
        xz, xr = gained(xzr, gains[:2], convention.epsilon)
        (xc,) = gained([xc], gains[2:3], convention.epsilon)
        hz, hr, candidate = recur(h)
        k = tf.sigmoid(_signed(xz + hz + bz, convention.write))
        r = tf.sigmoid(xr + hr + br)
        product = candidate(r) + bc_
        c = tf.tanh(xc + bc + (r * product if convention.reset_after else product))
        m, free = held_at(t)
        new = (m + free * k) * h + free * (1.0 - k) * c
        return new, [k, r, c, product, h, new] if save else [new]

    over = []
    if save and not is_small(_steps(inputs), *state.shape):
        over = [_products(inputs, weights) for weights in _gates(kernel)]
    last, (*saved, outputs) = loop(
        step, layout.state(state), _steps(inputs), count, 6 if save else 1, over=over
    )
    return layout.outputs(outputs), layout.state(last), *saved


def _projection(
    layout: Layout, inputs: tf.Tensor, kernel: tf.Tensor, save: bool
) -> Callable[[Any], list[tf.Tensor]]:
    """Return t -> the products of x_t; one row that is work enough has them before the loop."""
    steps, rows, _ = inputs.shape
    features, units = kernel.shape[0], kernel.shape[1] // 3
    enough = steps and steps * units >= (_AHEAD_SAVING if save else _AHEAD)
    if enough and rows == 1 and features >= _AHEAD_FEATURES and not layout.columns:
        sequence = inputs[:, 0]
        if steps * units < _AHEAD_APART:
            gates = _gates(sequence @ kernel)
        else:
            gates = [sequence @ weights for weights in _gates(kernel)]
        return lambda t: [products[t][tf.newaxis] for products in gates]
    weights = layout.weights(kernel)
    return lambda t: layout.split(layout.product(inputs[t], weights), 3)


def _recurrence(
    layout: Layout,
    recurrent: tf.Tensor,
    factors: list[tf.Tensor] | None,
    convention: Convention,
    gains: list[Any],
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]]:
    """Return h -> h Uz, h Ur and r -> the candidate's product; one dot where operands allow it."""
    uz, ur, uc = map(layout.weights, _gates(recurrent))
    together = layout.weights(
        recurrent if convention.reset_after else tf.concat(_gates(recurrent)[:2], 1)
    )
    factors = None if factors is None else list(map(layout.state, factors))

    def of_candidate(left: tf.Tensor) -> tf.Tensor:
        return gained([layout.product(left, uc)], gains[2:], convention.epsilon)[0]

    def recur(h: tf.Tensor) -> Any:
        left_c = h
        if factors is not None:
            left_z, left_r, left_c = (h * f for f in factors)
            hz, hr = layout.product(left_z, uz), layout.product(left_r, ur)
        elif not convention.reset_after:
            hz, hr = layout.split(layout.product(h, together), 2)
        else:
            hz, hr, hc = layout.split(layout.product(h, together), 3)
            (hc,) = gained([hc], gains[2:], convention.epsilon)
        hz, hr = gained([hz, hr], gains[:2], convention.epsilon)
        if not convention.reset_after:
            return hz, hr, lambda r: of_candidate(r * left_c)
        hc = hc if factors is None else of_candidate(left_c)
        return hz, hr, lambda r: hc

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
    """Return what `forward` did not save, from the states alone: all steps at once, without a loop.

    Args:
        context: as of `forward`.
        previous: h_{t-1}, [time, batch, units].
        inputs: [time, batch, features].
        arguments: of `forward`, without the context.
        convention: as of `forward`.

    Returns:
        k, r, c and the candidate's product, [time, batch, units] each; and the groups of a layer
        normalization, each None without one: z and r, then c, first of x W and then of h U.
    """
    reset_after, write, epsilon = convention
    _, _, kernel, recurrent, bias, *gain = arguments
    gains = _gains(*gain or [None])
    bz, br, bc, bc_ = _biases(bias)
    *xzr, xc = (_products(inputs, w) for w in _gates(kernel))
    (xz, xr), x_zr = _grouped(xzr, gains[:2], epsilon)
    (xc,), x_c = _grouped([xc], gains[2:3], epsilon)
    uz, ur, uc = _gates(recurrent)
    left_z, left_r, left_c = [previous * f for f in context.factors or _NO_DROPOUT]
    hzr = [_products(left_z, uz), _products(left_r, ur)]
    (hz, hr), h_zr = _grouped(hzr, gains[3:5], epsilon)
    k = tf.sigmoid(_signed(xz + hz + bz, write))
    r = tf.sigmoid(xr + hr + br)
    product = _products(left_c if reset_after else r * left_c, uc)
    (product,), h_c = _grouped([product], gains[5:], epsilon)
    product += bc_
    c = tf.tanh(xc + bc + (r * product if reset_after else product))
    return [k, r, c, product], [x_zr, x_c, h_zr, h_c]


def backward(
    context: Context,
    arguments: list[tf.Tensor],
    upstream: list[tf.Tensor],
    outputs: tf.Tensor | None,
    saved: list[tf.Tensor],
    *,
    convention: Convention,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the gradients by backpropagation through time, from the last step to the first.

    With dh the gradient of h_t, those of the pre-activations, of the candidate's product (dp) and
    of its left operand (dq) are

        dz = +-dh * (1 - m) * (h_{t-1} - c) * k * (1 - k)     signs as in the module
        dc = dh * (1 - m) * (1 - k) * (1 - c^2)
        dp = dc * r                                           reset_after=True
        dp = dc                                               reset_after=False
        dq = dp Uc^T
        dr = dc * (h_{t-1} Uc + bc') * r * (1 - r)            reset_after=True
        dr = dq * h_{t-1} * r * (1 - r)                       reset_after=False

    and that of h_{t-1}, to which its own output's is added, is

        dh * (m + (1 - m) * k) + dz Uz^T + dr Ur^T + dq       (dq * r for reset_after=False)

    The weights' are, summed over time and batch,

        dW = x^T [dz | dr | dc]          dU = h_{t-1}^T [dz | dr | dp]
        db = [dz | dr | dc]              db' = [dz | dr | dp]

    with (r * h_{t-1})^T dp in dU for reset_after=False. Recurrent dropout multiplies h_{t-1} in dU,
    dq, dz Uz^T and dr Ur^T by its factors; layer normalization turns dz, dr, dc and dp before their
    products as fused_norm.py says.

    Args:
        context: as of `forward`.
        arguments: of `forward` without the context: inputs, state, kernel, recurrent, bias and,
            if there is one, gain.
        upstream: the gradients of the outputs, [batch, time, units], and of the last state,
            [batch, units].
        outputs: of `forward`, [batch, time, units]; None where arrays were saved.
        saved: of `forward`, five arrays; if empty, they are computed from the outputs.
        convention: as of `forward`.

    Returns:
        The gradients of the arguments but the inputs, in their order and shapes; and those of the
        products x W, [time, batch, units] for each gate, for `input_gradient`.
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
    fz, fr, fc = factors or _NO_DROPOUT

    def step(t: Any, dh: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dh, kt, rt, ct = dh + to_outputs[:, t], k[t], r[t], c[t]
        *_, zr_norm, c_norm = (group and group.at(t) for group in groups)
        m, free = held_at(t)
        dz = _signed(dh * free * (previous[t] - ct) * kt * (1.0 - kt), write)
        dc = dh * free * (1.0 - kt) * (1.0 - ct * ct)
        dp = dc * rt if reset_after else dc
        dq = (before(c_norm, [dp])[0] @ uc) * fc
        dr = dc * product[t] if reset_after else dq * previous[t]
        dr *= rt * (1.0 - rt)
        back = dh * (m + free * kt) + (dq if reset_after else dq * rt)
        to_z, to_r = before(zr_norm, [dz, dr])
        back += (to_z @ uz) * fz + (to_r @ ur) * fr
        return back, [dz, dr, dc, dp] if reset_after else [dz, dr, dc]

    values = 4 if reset_after else 3
    state_gradient, parts = loop(step, upstream[1], _steps(inputs), count, values, backwards=True)
    lefts = [previous] * 3 if factors is None else [previous * f for f in factors]
    if not reset_after:
        lefts[2] *= r
    gradients, by_x = weight_gradients(inputs, lefts, parts, groups, bias.shape.rank)
    return [state_gradient, *gradients], by_x
