"""Ways to run the GRU's equations over a sequence, and the one place that chooses among them.

loop      a loop over the steps, on every Keras backend; the others are measured against it
unrolled  the same steps written out one after the other, for short sequences of known length
fused     hand-derived gradients inside XLA islands (fused.py), on the TensorFlow backend
cudnn     NVIDIA's library (cudnn.py), on the TensorFlow backend with a GPU

In loop and unrolled the input projection of every step is one product, taken before the first step;
fused takes it in each step where that is faster (fused_passes.py), and cudnn is the library's own.
A kernel returns every step's state in the order of processing, and the last state. At a masked
step the state stays what it was.

"Kernel" alone means such a way here; the weight matrices, which Keras calls kernels too, are
`input_kernel` and `recurrent_kernel`.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras import ops, tree
from keras.src.backend import rnn as backend_rnn

from gru_zoo.arguments import one_of
from gru_zoo.layers import cudnn
from gru_zoo.layers.tracing import exporting, vectorizing

if TYPE_CHECKING:
    from gru_zoo.layers.gru import GRU

NORM_EPSILON = 1e-5  # in the layer normalization's square root
KERNELS = ("loop", "unrolled", "fused", "cudnn")

_forced: contextvars.ContextVar[str | None] = contextvars.ContextVar("forced", default=None)


@contextlib.contextmanager
def forced(name: str) -> Iterator[None]:
    """Make every GRU called inside the `with` block run the kernel `name`, whatever it asks for.

    That is a matter of the thread: one that is begun inside, as a distribution strategy's replicas
    are, knows nothing of it.

    Export traces models under `forced("loop")`, so that no compiled island is saved.

    Args:
        name: "loop", "unrolled", "fused" or "cudnn".

    Raises:
        ValueError: `name` is no kernel; or, from a layer called inside, the kernel cannot run it.

    Example:
        >>> import numpy as np
        >>> from gru_zoo import GRU
        >>> layer = GRU(3)
        >>> with forced("loop"):
        ...     outputs = layer(np.ones((2, 5, 4), "float32"))
        >>> layer.kernel_used
        'loop'
    """
    token = _forced.set(one_of("name", name, KERNELS))
    try:
        yield
    finally:
        _forced.reset(token)


def may_compile() -> bool:
    """Return whether a layer may run a compiled program with a gradient of its own.

    It may not where a kernel is forced, a graph is exported, or `tf.vectorized_map` traces.

    Example:
        >>> with forced("loop"):
        ...     may_compile()
        False
    """
    return _forced.get() is None and not exporting() and not vectorizing()


def choose(layer: GRU, time: int | None, mask: Any, training: bool) -> tuple[str, str]:
    """Choose the kernel for one call of `layer`.

    Args:
        layer: the layer that is about to run.
        time: the number of steps if it is known while tracing, else None.
        mask: [batch, time], bool, or None.
        training: whether dropout is on.

    Returns:
        The kernel's name, and the reason in plain words.

    Raises:
        ValueError: a kernel that was asked for by name cannot run this layer.

    Example:
        >>> from gru_zoo import GRU
        >>> choose(GRU(3, kernel="loop"), time=5, mask=None, training=False)
        ('loop', "kernel='loop'")
    """
    name, why = _asked(layer)
    if name is None:
        candidates = ("cudnn", "fused") if layer.use_cudnn else ("fused",)
        reasons = {name: why_not(name, layer, time, training) for name in candidates}
        name = next((name for name in candidates if reasons[name] is None), "loop")
        rejected = [f"not {name}: {reason}" for name, reason in reasons.items() if reason]
        why = "; ".join(["the fastest that can run", *rejected])
    elif reason := why_not(name, layer, time, training):
        raise ValueError(f"kernel={name!r} ({why}) cannot run layer {layer.name!r}: {reason}.")
    if name == "cudnn" and (reason := cudnn.why_not_mask(mask)):
        return "fused", f"not cudnn: {reason}"
    return name, why


def _asked(layer: GRU) -> tuple[str | None, str]:
    """Return the kernel that was asked for by name, or None for auto, and how."""
    if _forced.get():
        return _forced.get(), "forced"
    if layer.unroll:
        return "unrolled", "unroll=True"
    if exporting():  # Another machine may have neither XLA nor a GPU.
        return "loop", "the graph is being exported"
    if layer.kernel != "auto":
        return layer.kernel, f"kernel={layer.kernel!r}"
    return ("cudnn", "use_cudnn=True") if layer.use_cudnn is True else (None, "")


def may_use_cudnn(layer: GRU) -> bool:
    """Return whether the layer would run cuDNN on this machine, which XLA cannot compile.

    Example:
        >>> from gru_zoo import GRU
        >>> may_use_cudnn(GRU(3, use_cudnn=False))
        False
    """
    asked = layer.kernel == "cudnn" or (layer.kernel == "auto" and layer.use_cudnn)
    return bool(asked) and cudnn.why_not_cudnn(layer) is None


def why_not(name: str, layer: GRU, time: int | None = None, training: bool = False) -> str | None:
    """Return why the kernel `name` cannot run `layer`, or None if it can.

    Args:
        name: "loop", "unrolled", "fused" or "cudnn".
        layer: a GRU layer, built or not.
        time: the number of steps, or None if it is not known while tracing.
        training: whether dropout is on.

    Example:
        >>> from gru_zoo import GRU
        >>> why_not("unrolled", GRU(3))
        'the number of steps is not known before the layer runs'
    """
    if name == "unrolled" and time is None:
        return "the number of steps is not known before the layer runs"
    if name == "cudnn":
        reason = cudnn.why_not_cudnn(layer, training=training)
        return reason or ("vectorized_map has no rule for it" if vectorizing() else None)
    if name == "fused":
        reason = cudnn.why_not_these_equations(layer.cell)
        return reason or ("vectorized_map loses its gradient" if vectorizing() else None)
    return None


def run(
    name: str, layer: GRU, sequences: Any, state: Any, mask: Any, training: bool
) -> tuple[Any, Any]:
    """Run `layer` over whole sequences with the kernel `name`.

    Args:
        name: a kernel that `choose` returned.
        layer: a built layer.
        sequences: [batch, time, features], float.
        state: the initial state, [batch, units].
        mask: [batch, time], bool, or None.
        training: whether dropout is on.

    Returns:
        The states in the order of processing, [batch, time, units] (or only the last one,
        [batch, 1, units], if the layer does not return sequences), and the last state.
    """
    run_kernel = _run_whole if name in ("fused", "cudnn") else _run_by_steps
    return run_kernel(name, layer, sequences, state, mask, training)


def _run_whole(
    name: str, layer: GRU, sequences: Any, state: Any, mask: Any, training: bool
) -> tuple[Any, Any]:
    """Run "fused" or "cudnn", which compute with the weights; arguments and results as of `run`."""
    cell = layer.cell
    of_inputs, of_state, share = _draw(cell, sequences, state, training)
    sequences, input_kernel = _with_dropout(sequences, cell.kernel, of_inputs)
    arrays = cell, input_kernel, sequences, state, mask
    if name == "cudnn":  # `why_not_cudnn` has made sure that of_state and share are None.
        return cudnn.cudnn(*arrays, go_backwards=layer.go_backwards)
    return fused(
        *arrays,
        go_backwards=layer.go_backwards,
        recurrent_dropout=of_state,
        zoneout=share,
        save_gates=training,
    )


def _run_by_steps(
    name: str, layer: GRU, sequences: Any, state: Any, mask: Any, training: bool
) -> tuple[Any, Any]:
    """Run "loop" or "unrolled", which call `cell.recur`; arguments and results as of `run`."""
    cell = layer.cell
    of_inputs, of_state, share = _draw(cell, sequences, state, training)
    if mask is not None:  # NaN there would come through in the weights' gradients
        zero = ops.zeros((), sequences.dtype)
        sequences = ops.where(ops.cast(mask, "bool")[:, :, None], sequences, zero)
    steps = cell.project(sequences, of_inputs)
    # The loop hands its step one slice of one array, and zoneout's draws, [batch, time, units],
    # differ from step to step as the projections do: so each rides behind its step's projections.
    drawn = ops.is_tensor(share)
    if drawn:
        steps = ops.concatenate([steps, share], axis=-1)  # [batch, time, 3 units + units]
    columns = 3 * cell.units

    def recur(step: Any, h: Any) -> Any:
        kept = step[:, columns:] if drawn else share
        return cell.recur(step[:, :columns], h, of_state, kept)

    run_sequence = unrolled if name == "unrolled" else loop
    return run_sequence(
        recur,
        steps,
        state,
        mask,
        go_backwards=layer.go_backwards,
        return_sequences=layer.return_sequences,
    )


def _draw(cell: Any, sequences: Any, state: Any, training: bool) -> tuple[Any, Any, Any]:
    """Return what is drawn for one call, each None where it is off.

    Returns:
        The dropout masks of the inputs, [batch, 1, features] or three of them; those of the
        state, three of [batch, units]; zoneout's k, [batch, time, units] or its rate.
    """
    of_inputs, of_state = cell.dropout_masks(sequences[:, 0], state, training)
    if of_inputs is not None:
        of_inputs = tree.map_structure(lambda m: m[:, None], of_inputs)
    return of_inputs, of_state, cell.zoneout_share(sequences, training)


def _with_dropout(sequences: Any, input_kernel: Any, masks: Any) -> tuple[Any, Any]:
    """Return the inputs with dropout, and the kernel that they meet.

    A mask for each gate needs inputs for each gate: they stand side by side, [batch, time,
    3 features], and the kernel's gates one below the other, [3 features, 3 units].
    """
    input_kernel = ops.convert_to_tensor(input_kernel)
    if not isinstance(masks, (list, tuple)):
        return sequences if masks is None else sequences * masks, input_kernel
    gates = ops.split(input_kernel, 3, axis=-1)
    blocks = [[w if i == j else w * 0 for j in range(3)] for i, w in enumerate(gates)]
    input_kernel = ops.concatenate([ops.concatenate(row, axis=-1) for row in blocks], axis=0)
    return ops.concatenate([sequences * mask for mask in masks], axis=-1), input_kernel


def loop(
    recur: Any,
    steps: Any,
    state: Any,
    mask: Any = None,
    *,
    go_backwards: bool = False,
    return_sequences: bool = True,
) -> tuple[Any, Any]:
    """Run `recur` over the steps in the backend's loop.

    Args:
        recur: (what the step reads [batch, any], state [batch, units]) -> state [batch, units].
        steps: what the steps read, [batch, time, any], float.
        state: the initial state, [batch, units], float.
        mask: [batch, time], bool, or None. False keeps the state.
        go_backwards: begin with the last step.
        return_sequences: False saves the memory of the states in between.

    Returns:
        The states in the order of processing, [batch, time, units] (only the last one,
        [batch, 1, units], without `return_sequences`), and the last state [batch, units].

    Example:
        >>> states, last = loop(lambda x, h: h + x, ops.ones((2, 5, 1)), ops.zeros((2, 1)))
        >>> float(last[0, 0])
        5.0
    """

    def step(inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        new_state = recur(inputs, states[0])
        return new_state, [new_state]

    _, outputs, states = backend_rnn(
        step,
        steps,
        [state],
        go_backwards=go_backwards,
        mask=mask,
        input_length=steps.shape[1],
        return_all_outputs=return_sequences,
    )
    return outputs, states[0]


def unrolled(
    recur: Any,
    steps: Any,
    state: Any,
    mask: Any = None,
    *,
    go_backwards: bool = False,
    return_sequences: bool = True,
) -> tuple[Any, Any]:
    """Run `recur` over the steps, written out; time must be known. Else all is as in `loop`.

    Example:
        >>> states, last = unrolled(lambda x, h: h + x, ops.ones((2, 5, 1)), ops.zeros((2, 1)))
        >>> tuple(states.shape), float(last[0, 0])
        ((2, 5, 1), 5.0)
    """
    states, order = [], range(steps.shape[1])
    for t in reversed(order) if go_backwards else order:
        new_state = recur(steps[:, t], state)
        state = new_state if mask is None else ops.where(mask[:, t, None], new_state, state)
        states.append(state)
    return ops.stack(states if return_sequences else states[-1:], axis=1), state


def fused(
    cell: Any, input_kernel: Any, sequences: Any, state: Any, mask: Any = None, **options: Any
) -> tuple[Any, Any]:
    """Run a cell's equations in fused.gru_sequence, which has the options and the results.

    Args:
        cell: a built GRUCell.
        input_kernel: kernel_zrh [features, 3 units], the cell's own unless dropout has a mask for
            each gate, see `_with_dropout`.
        sequences: [batch, time, features], float.
        state: the initial state, [batch, units].
        mask: [batch, time], bool, or None.
        **options: of fused.gru_sequence, beyond the convention.
    """
    from gru_zoo.layers.fused import gru_sequence
    from gru_zoo.layers.islands import within_a_function

    recurrent_kernel = ops.convert_to_tensor(cell.recurrent_kernel)
    options |= {"reset_after": cell.reset_after, "update_gate": cell.update_gate}
    arrays = [sequences, state, mask, input_kernel, recurrent_kernel]
    arrays.append(None if cell.bias is None else ops.convert_to_tensor(cell.bias))
    if cell.layer_norm:
        arrays.append(ops.convert_to_tensor(cell.gain))
        options["epsilon"] = NORM_EPSILON

    return within_a_function(gru_sequence, *arrays, **options)


def shown_steps(mask: Any, go_backwards: bool, zero_output_for_mask: bool) -> Any:
    """Return at which steps a layer shows the state; at the others Keras' layers show zeros.

    A masked step shows zeros if `zero_output_for_mask`. Else it repeats the output before, and
    before the first unmasked step that is zero too, even where the initial state is not.

    Args:
        mask: [batch, time], bool.
        go_backwards: the last step comes first, in the result too.
        zero_output_for_mask: as the argument of `keras.layers.RNN`.

    Returns:
        [batch, time], bool, in the order of processing.

    Example:
        >>> [bool(b) for b in shown_steps(ops.array([[False, True, False]]), False, False)[0]]
        [False, True, True]
    """
    mask = ops.flip(mask, axis=1) if go_backwards else mask
    return mask if zero_output_for_mask else ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
