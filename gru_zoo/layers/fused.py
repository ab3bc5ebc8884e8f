"""The fused kernel: one GRU over a whole sequence, compiled by XLA, its gradient by hand.

The equations and both passes are in fused_passes.py.

What makes it fast (benchmarks/NOTES.md has the figures): the forward pass saves its gates, so the
backward loop is left with products and no transcendental function; the gradients of the weights
are large products after that loop; saved gates are separate time-major arrays; and both passes
are XLA programs of their own, compiled whether or not the model around them is. Programs for
parts of the batch run side by side, a core each: one step's products are too small to divide.

XLA compiles a program for each shape. Where the number of steps is not known while tracing, or may
change from call to call (eager mode), arrays are padded to the next of a few lengths, four between
a power of two and the next, and the loop counts to the true length, which XLA sees as data: all
lengths to 1,024 make at most 24 programs, and padding costs memory but no steps.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from gru_zoo.layers.fused_gradients import input_gradient
from gru_zoo.layers.fused_passes import Context, Convention, backward, forward
from gru_zoo.layers.islands import island, with_all_it_reads

_FEWEST_ROWS = 16  # below that, half a batch takes about as long as all of it
_MOST_PARTS = 4


def gru_sequence(
    inputs: Any,
    initial_state: Any,
    mask: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    gain: Any = None,
    *,
    reset_after: bool,
    update_gate: str,
    epsilon: float = 1e-5,
    go_backwards: bool = False,
    recurrent_dropout: Any = None,
    zoneout: Any = None,
    save_gates: bool = True,
    parts: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a GRU over a sequence and return every state and the last one.

    Differentiable in `inputs`, `initial_state`, both kernels, bias and gain, any number of times
    (the first time fast), and forwards too (`tf.autodiff`): in a graph only inside a function of
    its own, see `islands.within_a_function`. Half precision is computed in float32.

    Args:
        inputs: [batch, time, features], float32, float64 or a half type; at least one step.
        initial_state: [batch, units].
        mask: bool [batch, time], or None. False keeps the previous state.
        kernel: [features, 3 * units], gates packed z, r, h.
        recurrent_kernel: [units, 3 * units].
        bias: [2, 3 * units], that of the inputs and that of the state, for reset_after=True;
            [3 * units] for reset_after=False; or None.
        gain: [2, 3 * units], of a layer normalization of both products, or None without one.
        reset_after: True applies the reset gate after the recurrent product.
        update_gate: "keep" (z keeps the state) or "write" (z takes the candidate).
        epsilon: added to the layer normalization's variance.
        go_backwards: True reads the sequence from its end; outputs come in the order processed.
        recurrent_dropout: None, or three factors [batch, units] for the state in the products of
            z, r and h (as masks of zeros and 1 / (1 - rate)).
        zoneout: None, or the share of the previous state to keep: a number, [batch, units], or
            [batch, time, units] (in the order of `inputs`).
        save_gates: True saves the gates for the backward pass. False computes them again there:
            outputs come sooner, gradients later. It is right where no gradient is expected.
        parts: into how many parts to divide a batch; None takes one a core, 16 rows or more each.

    Returns:
        Outputs [batch, time, units] and last state [batch, units], in the dtype of `inputs`.

    Raises:
        ValueError: `bias` is not of the shape that `reset_after` asks for.

    Example:
        >>> x, h, w, u = tf.ones([2, 5, 4]), tf.zeros([2, 3]), tf.ones([4, 9]), tf.ones([3, 9])
        >>> options = {"reset_after": True, "update_gate": "keep"}
        >>> outputs, last = gru_sequence(x, h, None, w, u, None, **options)
        >>> outputs.shape, last.shape
        (TensorShape([2, 5, 3]), TensorShape([2, 3]))
    """
    if bias is not None and len(bias.shape) != 1 + reset_after:
        wanted = "[2, 3 * units]" if reset_after else "[3 * units]"
        shape = list(bias.shape)
        raise ValueError(f"bias must be {wanted} with reset_after={reset_after}; got {shape}.")
    inputs = tf.convert_to_tensor(inputs)
    dtype = inputs.dtype
    wide = tf.float64 if dtype == tf.float64 else tf.float32
    inputs, kernel = tf.cast(inputs, wide), tf.cast(kernel, wide)
    recurrent = tf.cast(recurrent_kernel, wide)
    state = tf.cast(initial_state, wide)
    if state.shape[-1] is None:  # traced so; the programs are made for a known width
        state = tf.ensure_shape(state, [None, recurrent.shape[0]])
    bias = tf.zeros([recurrent.shape[-1]], wide) if bias is None else tf.cast(bias, wide)
    weights = [kernel, recurrent, bias, *([] if gain is None else [tf.cast(gain, wide)])]
    if mask is not None:  # what stands on a masked step, NaN included, must not come through
        mask = tf.cast(mask, tf.bool)[:, :, tf.newaxis]
        inputs = tf.where(mask, inputs, tf.zeros([], wide))
    held = _held(mask, zoneout, wide)
    if go_backwards:
        inputs = tf.reverse(inputs, [1])
        held = held if held is None or held.shape[1] == 1 else tf.reverse(held, [1])
    factors = None
    if recurrent_dropout is not None:  # made of a state, perhaps, that an eager tape watches
        factors = [tf.stop_gradient(tf.cast(factor, wide)) for factor in recurrent_dropout]
    time, count = tf.shape(inputs)[1], None
    if inputs.shape[1] is None or tf.executing_eagerly():
        count = time
        inputs = _pad(inputs, _padded_length(time))
        held = held if held is None or held.shape[1] == 1 else _pad(held, _padded_length(time))
    run = _differentiable(
        _sizes(inputs, parts),
        Context(held, factors, count),
        Convention(reset_after, update_gate == "write", None if gain is None else epsilon),
        save_gates and gain is None,
    )
    outputs, last = run(inputs, state, *weights)
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
    """Return the first of 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, ... that is not below `time`."""
    lengths = tf.constant([8, 16, 24] + [2**n // 4 * m for n in range(5, 30) for m in range(4, 8)])
    return tf.reduce_min(tf.where(lengths < time, lengths[-1], lengths))


def _pad(sequence: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    return tf.pad(sequence, [[0, 0], [0, length - tf.shape(sequence)[1]], [0, 0]])


def _sizes(inputs: tf.Tensor, parts: int | None) -> list[Any]:
    """Return how many rows of the batch each part has; a part may be empty in a graph."""
    rows, fewest = inputs.shape[0], 1
    if parts is None:
        # Eager programs run one after the other, and a GPU wants the whole batch.
        alone = tf.executing_eagerly() or tf.config.get_visible_devices("GPU")
        parts = 1 if alone else min(os.cpu_count() or 1, _MOST_PARTS)
        fewest = _FEWEST_ROWS
    if parts == 1:
        return [rows]
    if rows is None:
        rows = tf.shape(inputs)[0]
        most = tf.maximum(fewest, -(-rows // parts))
        return [tf.clip_by_value(rows - i * most, 0, most) for i in range(parts)]
    most = max(fewest, -(-rows // parts))
    return [min(rows - start, most) for start in range(0, max(rows, 1), most)]


def _divide(tensor: tf.Tensor, sizes: list[Any]) -> list[tf.Tensor]:
    """Return the parts of a tensor whose first axis is the batch."""
    return [tensor] if len(sizes) == 1 else tf.split(tensor, sizes, num=len(sizes))


def _divide_context(context: Context, sizes: list[Any]) -> list[Context]:
    """Return the context of each part of the batch."""
    held, factors, count = context
    parts = len(sizes)
    shared = held is None or held.shape[0] == 1
    held = [held] * parts if shared else _divide(held, sizes)
    if factors is None:
        return [Context(part, None, count) for part in held]
    factors = zip(*(_divide(factor, sizes) for factor in factors), strict=True)
    return [Context(part, list(three), count) for part, three in zip(held, factors, strict=True)]


def _join(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _differentiable(
    sizes: list[Any], context: Context, convention: Convention, save: bool
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return (inputs, state, *weights) -> (outputs, last state), with gradients of any order.

    The gradient is `first`, by the hand-derived program; that of `first` is `_second`.
    """
    run_forward, run_backward, run_input_gradient = _islands(convention, save)

    def divided(sizes: list[Any], arguments: tuple[tf.Tensor, ...]) -> list[list[tf.Tensor]]:
        # Without stop_gradient an eager tape would record the island too.
        inputs, state, *weights = map(tf.stop_gradient, arguments)
        pairs = zip(_divide(inputs, sizes), _divide(state, sizes), strict=True)
        return [[*pair, *weights] for pair in pairs]

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> Any:
        jobs = zip(_divide_context(context, sizes), divided(sizes, arguments), strict=True)
        results = [run_forward(part_context, *part) for part_context, part in jobs]
        outputs, last = (_join([r[i] for r in results]) for i in (0, 1))
        # What the backward pass does not read must not be kept for it.
        kept = [(None, saved) if saved else (states, []) for states, _, *saved in results]

        def gradient(*upstream: tf.Tensor) -> Any:
            return with_all_it_reads(first, (sizes, context, kept), *upstream, *arguments)

        return (outputs, last), gradient

    def first(read: Any, *given: tf.Tensor) -> Any:
        sizes, context, kept = read
        (d_outputs, d_last), arguments = given[:2], given[2:]
        slopes = [_divide(tf.stop_gradient(d), sizes) for d in (d_outputs, d_last)]
        contexts = _divide_context(context, sizes)
        parts = divided(sizes, arguments)
        jobs = zip(contexts, parts, zip(*slopes, strict=True), kept, strict=True)
        found = [run_backward(c, part, d, *of_forward) for c, part, d, of_forward in jobs]
        states, *weights = zip(*(but_inputs for but_inputs, _ in found), strict=True)
        # Programs of their own, so that a graph drops them if nobody asks for the result.
        kernel = tf.stop_gradient(arguments[2])
        inputs = [run_input_gradient(kernel, by_x) for _, by_x in found]
        weights = [w[0] if len(w) == 1 else tf.add_n(w) for w in weights]
        gradients = (_join(inputs), _join(states), *weights)
        return gradients, functools.partial(_second, context, convention, given)

    return run


def _second(
    context: Context,
    convention: Convention,
    given: tuple[tf.Tensor, ...],
    *upstream: tf.Tensor,
) -> list[tf.Tensor]:
    """Return the gradient of the gradient, by TensorFlow's own differentiation of the loop.

    Args:
        context: of the whole batch.
        convention: as of `forward`.
        given: the gradients of outputs and last state, then the arguments of `forward`.
        *upstream: the gradients of the arguments' gradients, in the arguments' shapes.

    Returns:
        The gradients of `given`, in its shapes.
    """
    # A trace outside of XLA is none for inside, and a graph does not say which it is.
    make = _second_program if tf.executing_eagerly() else _second_program.__wrapped__
    return make(convention)(context, given, upstream)


@functools.cache
def _second_program(convention: Convention) -> Any:
    """Return the program of `_second`.

    A graph and `tf.gradients`, because forward-mode differentiation (`tf.autodiff`) comes here with
    every tape stopped, where tapes would give zeros.
    """

    @tf.function(autograph=False)
    def second(context: Context, given: tuple[tf.Tensor, ...], upstream: tuple[tf.Tensor, ...]):
        results = forward(context, *given[2:], convention=convention, save=False)
        zero = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
        first = tf.gradients(results, given[2:], given[:2], **zero)
        return tf.gradients(first, given, upstream, **zero)

    return second


@functools.cache
def _islands(convention: Convention, save: bool) -> tuple[Any, Any, Any]:
    """Return one convention's programs: forward, backward, and the gradient of the inputs."""
    return (
        island(forward, convention=convention, save=save),
        island(backward, convention=convention),
        island(input_gradient),
    )
