"""The fused kernel: one GRU over a whole sequence, compiled by XLA, its gradient by hand.

With `k` the share of the old state that is kept (`z`, or `1 - z` where the update gate writes):

    k_t = sigmoid(+-(x_t Wz + bz + h_{t-1} Uz + bz'))       + for update_gate "keep", - for "write"
    r_t = sigmoid(x_t Wr + br + h_{t-1} Ur + br')
    c_t = tanh(x_t Wc + bc + r_t * (h_{t-1} Uc + bc'))      reset_after=True
    c_t = tanh(x_t Wc + bc + (r_t * h_{t-1}) Uc)            reset_after=False
    h_t = k_t * h_{t-1} + (1 - k_t) * c_t

A step that is masked, or a unit that zoneout holds, is kept to a further share m (1 if masked):

    h_t = m_t * h_{t-1} + (1 - m_t) * (k_t * h_{t-1} + (1 - k_t) * c_t)

Recurrent dropout multiplies h_{t-1} in the three products, one factor a gate, and nowhere else.

What makes it fast (benchmarks/NOTES.md has the figures): the forward pass saves its gates, so the
backward loop is left with products and no transcendental function; the gradients of the weights
are large products after that loop; saved gates are separate time-major arrays; and both passes
are XLA programs of their own, compiled whether or not the model around them is.

XLA compiles a program for each shape. Where the number of steps is not known while tracing, or may
change from call to call (eager mode), arrays are padded to the next power of two and the loop
counts to the true length, which XLA sees as data: lengths to 1,024 make at most eleven programs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


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
    recurrent_dropout: Any = None,
    zoneout: Any = None,
    save_gates: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a GRU over a sequence and return every state and the last one.

    Differentiable in `inputs`, `initial_state`, both kernels and both biases, any number of times
    (the first time fast). Half precision is computed in float32.

    Args:
        inputs: [batch, time, features], float32, float64 or a half type; at least one step.
        initial_state: [batch, units].
        mask: bool [batch, time], or None. False keeps the previous state.
        kernel: [features, 3 * units], gates packed z, r, h.
        recurrent_kernel: [units, 3 * units].
        input_bias: [3 * units], or None.
        recurrent_bias: [3 * units], or None (always None for reset_after=False).
        reset_after: True applies the reset gate after the recurrent product.
        update_gate: "keep" (z keeps the state) or "write" (z takes the candidate).
        go_backwards: True reads the sequence from its end; outputs come in the order processed.
        recurrent_dropout: None, or three factors [batch, units] for the state in the products of
            z, r and h (as masks of zeros and 1 / (1 - rate)).
        zoneout: None, or the share of the previous state to keep: a number, [batch, units], or
            [batch, time, units] (in the order of `inputs`).
        save_gates: True saves the gates for the backward pass. False computes them again there:
            outputs come sooner, gradients later. It is right where no gradient is expected.

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
    inputs, kernel = tf.cast(inputs, math), tf.cast(kernel, math)
    state, recurrent = tf.cast(initial_state, math), tf.cast(recurrent_kernel, math)
    no_bias = tf.zeros([recurrent.shape[-1]], math)
    biases = [no_bias if b is None else tf.cast(b, math) for b in (input_bias, recurrent_bias)]
    if mask is not None:  # what stands on a masked step, NaN included, must not come through
        mask = tf.cast(mask, tf.bool)[:, :, tf.newaxis]
        inputs = tf.where(mask, inputs, tf.zeros([], math))
    held = _held(mask, zoneout, math)
    if go_backwards:
        inputs = tf.reverse(inputs, [1])
        held = held if held is None or held.shape[1] == 1 else tf.reverse(held, [1])
    factors = None if recurrent_dropout is None else [tf.cast(f, math) for f in recurrent_dropout]
    time, count = tf.shape(inputs)[1], None
    if inputs.shape[1] is None or tf.executing_eagerly():
        count = time
        inputs = _pad(inputs, _padded_length(time))
        held = held if held is None or held.shape[1] == 1 else _pad(held, _padded_length(time))
    outputs, last = _differentiable(
        (held, factors, count), (reset_after, update_gate == "write"), save_gates
    )(inputs, state, kernel, recurrent, *biases)
    if count is not None:
        outputs = outputs[:, :time]
    return tf.cast(outputs, dtype), tf.cast(last, dtype)


def _held(mask: Any, zoneout: Any, dtype: tf.DType) -> Any:
    """Return m of the module's equations, [batch | 1, time | 1, units | 1], or None if it is 0."""
    if zoneout is None:
        return None if mask is None else tf.where(mask, tf.zeros([], dtype), tf.ones([], dtype))
    if isinstance(zoneout, float | int):
        zoneout = tf.constant(zoneout, dtype)
    zoneout = tf.stop_gradient(tf.cast(zoneout, dtype))
    if zoneout.shape.rank < 3:
        zoneout = tf.reshape(zoneout, [1, 1, 1]) if zoneout.shape.rank == 0 else zoneout[:, None]
    return zoneout if mask is None else tf.where(mask, zoneout, tf.ones([], dtype))


def _padded_length(time: tf.Tensor) -> tf.Tensor:
    """Return the smallest power of two that is not below `time`."""
    powers = tf.constant([2**n for n in range(31)])
    return tf.reduce_min(tf.where(powers < time, powers[-1], powers))


def _pad(sequence: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    return tf.pad(sequence, [[0, 0], [0, length - tf.shape(sequence)[1]], [0, 0]])


def _differentiable(
    context: tuple[Any, Any, Any], convention: tuple[bool, bool], save: bool
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return (inputs, state, kernel, recurrent, bias, recurrent bias) -> (outputs, last state).

    `context` is what has no gradient: (m, recurrent dropout's factors, number of true steps).
    """
    forward, backward, input_gradient = _islands(*convention, save)

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> Any:
        # Without stop_gradient an eager tape would record the island too.
        outputs, last, *saved = forward(context, *map(tf.stop_gradient, arguments))

        def gradient(*upstream: tf.Tensor) -> Any:
            @tf.custom_gradient
            def first(*given: tf.Tensor) -> Any:
                stopped = [tf.stop_gradient(tensor) for tensor in given]
                rest, parts = backward(context, stopped[2:], stopped[:2], outputs, saved)
                # Apart from the rest, so that a graph drops it if nobody asks for it.
                gradients = (input_gradient(stopped[4], parts), *rest)
                return gradients, functools.partial(_second, context, convention, given)

            return first(*upstream, *arguments)

        return (outputs, last), gradient

    return run


def _second(
    context: tuple[Any, Any, Any],
    convention: tuple[bool, bool],
    given: tuple[tf.Tensor, ...],
    *upstream: tf.Tensor,
) -> list[tf.Tensor]:
    """Return the gradient of the gradient, by TensorFlow's own differentiation of the loop."""
    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given[2:])
            results = _forward(context, *given[2:], convention=convention, save=False)
        first = inner.gradient(
            results, given[2:], given[:2], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
    return outer.gradient(
        first, given, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


@functools.cache
def _islands(reset_after: bool, write: bool, save: bool) -> tuple[Any, Any, Any]:
    """Return one convention's programs: forward, backward, and the gradient of the inputs."""

    def compiled(function: Callable[..., Any], **options: Any) -> Any:
        function = functools.partial(function, **options)
        return tf.function(function, jit_compile=True, autograph=False)

    convention = (reset_after, write)
    return (
        compiled(_forward, convention=convention, save=save),
        compiled(_backward, convention=convention),
        compiled(_input_gradient),
    )


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


def _forward(
    context: tuple[Any, Any, Any],
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
    context: tuple[Any, Any, Any],
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


def _backward(
    context: tuple[Any, Any, Any],
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
    uz, ur, uc = _gates(recurrent)
    fz, fr, fc = factors or (1.0, 1.0, 1.0)

    def step(t: Any, dh: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        dh, kt, rt, ct = dh + to_outputs[:, t], k[t], r[t], c[t]
        m, free = held_at(t)
        dz = _signed(dh * free * (previous[t] - ct) * kt * (1.0 - kt), write)
        dc = dh * free * (1.0 - kt) * (1.0 - ct * ct)
        dp = dc * rt if reset_after else dc  # gradient of the candidate's product
        through = tf.matmul(dp, uc, transpose_b=True) * fc
        dr = dc * product[t] if reset_after else through * previous[t]
        dr *= rt * (1.0 - rt)
        back = dh * (m + free * kt) + (through if reset_after else through * rt)
        back += tf.matmul(dz, uz, transpose_b=True) * fz + tf.matmul(dr, ur, transpose_b=True) * fr
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


def _input_gradient(kernel: tf.Tensor, parts: list[tf.Tensor]) -> tf.Tensor:
    """Return the gradient of the inputs, [batch, time, features]."""
    pairs = zip(parts, _gates(kernel), strict=True)
    return sum(tf.einsum("tbu,du->btd", d, w) for d, w in pairs)
