"""Ways to run the GRU's equations over a sequence, and the one place that chooses among them.

loop      a loop over the steps, on every Keras backend; the others are measured against it
unrolled  the same steps written out one after the other, for short sequences of known length
fused     hand-derived gradients inside XLA islands (fused.py), on the TensorFlow backend

In all of them the input projection of every step is one product, taken before the loop starts.
A kernel returns every step's state in the order of processing, and the last state. At a masked
step the state stays what it was.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import ops, tree
from keras.src.backend import rnn as backend_rnn

from gru_zoo.arguments import one_of

if TYPE_CHECKING:
    from gru_zoo.layers.gru import GRU

KERNELS = ("loop", "fused", "unrolled")

_forced: contextvars.ContextVar[str | None] = contextvars.ContextVar("forced", default=None)


@contextlib.contextmanager
def forced(name: str) -> Iterator[None]:
    """Make every GRU called inside the `with` block run the kernel `name`, whatever it asks for.

    Export traces models under `forced("loop")`, so that no compiled island is saved.

    Args:
        name: "loop", "fused" or "unrolled".

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


def choose(layer: GRU, time: int | None, training: bool) -> tuple[str, str]:
    """Choose the kernel for one call of `layer`.

    Args:
        layer: the layer that is about to run.
        time: the number of steps if it is known while tracing, else None.
        training: whether dropout is on.

    Returns:
        The kernel's name, and the reason in plain words.

    Raises:
        ValueError: a kernel that was asked for by name cannot run this layer.
    """
    asked = _forced.get()
    why = "forced by kernels.forced"
    if asked is None and layer.unroll:
        asked, why = "unrolled", "unroll=True"
    if asked is None and layer.kernel != "auto":
        asked, why = layer.kernel, f"kernel={layer.kernel!r}"
    if asked is not None:
        reason = why_not(asked, layer, time, training)
        if reason:
            raise ValueError(f"kernel={asked!r} ({why}) cannot run layer {layer.name!r}: {reason}.")
        return asked, why
    reason = why_not("fused", layer, time, training)
    return ("loop", f"not fused: {reason}") if reason else ("fused", "the fastest that can run")


def why_not(name: str, layer: GRU, time: int | None, training: bool) -> str | None:
    """Return why the kernel `name` cannot run `layer`, or None if it can.

    Args:
        name: "loop", "fused" or "unrolled".
        layer: a GRU layer, built or not.
        time: the number of steps, or None if it is not known while tracing.
        training: whether dropout is on.

    Example:
        >>> from gru_zoo import GRU
        >>> why_not("unrolled", GRU(3), time=None, training=False)
        'the number of steps is not known before the layer runs'
    """
    if name == "unrolled" and time is None:
        return "the number of steps is not known before the layer runs"
    return _why_not_fused(layer.cell, training) if name == "fused" else None


def _why_not_fused(cell: Any, training: bool) -> str | None:
    if keras.backend.backend() != "tensorflow":
        return f"it needs the TensorFlow backend, and Keras runs on {keras.backend.backend()}"
    if importlib.util.find_spec("gru_zoo.layers.fused") is None:
        return "this installation has no gru_zoo/layers/fused.py"
    if cell.activation is not keras.activations.tanh:
        return f"it needs activation 'tanh', and the layer has {_name(cell.activation)!r}"
    if cell.recurrent_activation is not keras.activations.sigmoid:
        given = _name(cell.recurrent_activation)
        return f"it needs recurrent_activation 'sigmoid', and the layer has {given!r}"
    if training and cell.recurrent_dropout:
        return "it has no recurrent dropout"
    if training and cell.dropout and cell.implementation == 1:
        return "implementation=1 draws one dropout mask a gate"
    return None


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


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
    cell = layer.cell
    of_inputs, of_state = cell.dropout_masks(sequences[:, 0], state, training)
    if of_inputs is not None:
        of_inputs = tree.map_structure(lambda m: m[:, None], of_inputs)  # [batch, 1, features]
    if name == "fused":
        sequences = sequences if of_inputs is None else sequences * of_inputs
        return fused(cell, sequences, state, mask, go_backwards=layer.go_backwards)
    return loop(
        lambda projected, h: cell.recur(projected, h, of_state),
        cell.project(sequences, of_inputs),
        state,
        mask,
        go_backwards=layer.go_backwards,
        unroll=name == "unrolled",
        return_sequences=layer.return_sequences,
    )


def loop(
    recur: Any,
    projected: Any,
    state: Any,
    mask: Any = None,
    *,
    go_backwards: bool = False,
    unroll: bool = False,
    return_sequences: bool = True,
) -> tuple[Any, Any]:
    """Run `recur` over the steps, one after the other.

    Args:
        recur: (projected step [batch, 3 units], state [batch, units]) -> state [batch, units].
        projected: [batch, time, 3 units], float.
        state: the initial state, [batch, units], float.
        mask: [batch, time], bool, or None. False keeps the state.
        go_backwards: begin with the last step.
        unroll: write the steps out instead of looping over them.
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
        projected,
        [state],
        go_backwards=go_backwards,
        mask=mask,
        unroll=unroll,
        input_length=projected.shape[1],
        return_all_outputs=return_sequences,
    )
    return outputs, states[0]


def fused(
    cell: Any, sequences: Any, state: Any, mask: Any = None, *, go_backwards: bool = False
) -> tuple[Any, Any]:
    """Run `cell` over the steps with fused.gru_sequence; arguments and results as in `loop`."""
    from gru_zoo.layers.fused import gru_sequence

    input_bias, recurrent_bias = cell.biases()
    return gru_sequence(
        sequences,
        state,
        mask,
        ops.convert_to_tensor(cell.kernel),
        ops.convert_to_tensor(cell.recurrent_kernel),
        input_bias,
        recurrent_bias,
        reset_after=cell.reset_after,
        update_gate=cell.update_gate,
        go_backwards=go_backwards,
    )
