"""Recurrent layers as ONNX' fused GRU operator, with any mask.

The operator knows a number of real steps for each sequence, all of them at its beginning. A mask
may lie anywhere, so the real steps are moved to the front, run, and the states moved back:

    packed  = x[order]                     order: the real steps, then the masked ones
    Y, Y_h  = GRU(packed, sequence_lens)   sequence_lens: how many steps are real
    y[t]    = Y[place[t]]                  the state that Keras' layer shows at step t

At a masked step Keras repeats the state before (in the order of processing), and shows zeros
before the first real step.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from gru_zoo.convert import from_keras, to_onnx_tensors
from gru_zoo.export.onnx_writer.graph import Graph, Value
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

_MERGE = {"sum": "Add", "mul": "Mul"}


@dataclasses.dataclass(frozen=True)
class Steps:
    """Names of what a mask says about the steps, all of them made once a mask.

    Attributes:
        lengths: [batch] int32, how many steps are real.
        order: [batch, time, 1] int64, where each packed step comes from.
        forward: [batch, time, 1] int64, the packed step shown at each step going forwards.
        backward: the same going backwards.
        seen: [batch, time, 1] bool, a real step has been there, going forwards.
        ahead: the same going backwards.
        real: [batch, time, 1] bool.
    """

    lengths: str
    order: str
    forward: str
    backward: str
    seen: str
    ahead: str
    real: str

    @classmethod
    def of(cls, graph: Graph, mask: str) -> Steps:
        """Add the nodes that compute them from a mask [batch, time] bool."""
        axis = np.int64(1)
        ones = graph.add("Cast", mask, to=7)  # int64
        upto = graph.add("CumSum", ones, axis)  # real steps up to and with this one
        count = graph.add("ReduceSum", ones, np.int64([1]), keepdims=1)  # [batch, 1]
        every = graph.add(
            "CumSum", graph.add("Add", graph.add("Mul", ones, np.int64(0)), axis), axis
        )
        steps = graph.add("Sub", every, np.int64(1))  # 0, 1, ... in each row
        before = graph.add("Sub", upto, np.int64(1))
        behind = graph.add("Add", count, graph.add("Sub", steps, upto))
        place = graph.add("Where", mask, before, behind)
        order = graph.add("ScatterElements", steps, place, steps, axis=1)
        ahead = graph.add("Sub", upto, ones)

        def column(name: str) -> str:
            return graph.add("Unsqueeze", name, np.int64([-1]))

        return cls(
            lengths=graph.add("Cast", graph.add("Squeeze", count, np.int64([1])), to=6),  # int32
            order=column(order),
            forward=column(before),  # -1, the last, where none is: hidden by `seen`
            backward=column(ahead),
            seen=column(graph.add("Greater", upto, np.int64(0))),
            ahead=column(graph.add("Less", ahead, count)),
            real=column(mask),
        )


def as_ours(layer: Any) -> GRU:
    """Return a GRU layer as one of ours."""
    return from_keras(layer) if type(layer) is keras.layers.GRU else layer


def directions(
    graph: Graph, x: Value, layers: list[GRU], name: str, initial: list[str | None]
) -> list[tuple[str, str]]:
    """Run one layer of one or two directions as one operator.

    Args:
        graph: gets the nodes.
        x: [batch, time, features].
        layers: a GRU, or a forward and a backward one of equal shape.
        name: of the node.
        initial: a name of [batch, units] or None for zeros, for each direction.

    Returns:
        For each direction, names of the states [batch, time, units] in the order of the input,
        as shown under the mask, and of the last state [batch, units].
    """
    tensors, attributes = _operator(layers, name)
    steps = None if x.mask is None else Steps.of(graph, x.mask)
    given = x.name
    if steps is not None:
        given = graph.add("GatherND", given, steps.order, batch_dims=1)
    inputs = [
        graph.add("Transpose", given, perm=[1, 0, 2]),
        *(graph.constant(tensors[k], f"{name}/{k}") if k in tensors else "" for k in "WRB"),
        steps.lengths if steps else "",
        _initial(graph, initial, layers),
    ]
    y, y_h = graph.gru(inputs, name, **attributes)
    y = graph.add("Transpose", y, perm=[1, 2, 0, 3])  # [directions, batch, time, units]
    results = []
    for index, layer in enumerate(layers):
        states = graph.add("Gather", y, np.int64(index), axis=0)
        last = graph.add("Gather", y_h, np.int64(index), axis=0)
        if steps is not None:
            states = _shown(graph, states, steps, layer)
        results.append((states, last))
    return results


def _operator(layers: list[GRU], name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors and attributes of the operator for one layer or two."""
    for layer in layers:
        if layer.stateful:
            raise ValueError(f"stateful must be False for ONNX; layer {name!r} has True.")
    try:
        made = [to_onnx_tensors(layer) for layer in layers]
    except ValueError as error:
        raise ValueError(f"layer {name!r} cannot be written to ONNX: {error}") from error
    if len(made) == 1:
        return made[0].tensors, made[0].attributes
    forward, backward = made
    same = {"hidden_size", "linear_before_reset"}
    if any(forward.attributes[key] != backward.attributes[key] for key in same) or (
        forward.tensors.keys() != backward.tensors.keys()
    ):
        raise ValueError(
            f"layer {name!r} must have the same units, reset_after and use_bias in both "
            "directions for ONNX, whose operator holds both."
        )
    tensors = {
        key: np.concatenate([forward.tensors[key], backward.tensors[key]])
        for key in forward.tensors
    }
    return tensors, {**forward.attributes, "direction": "bidirectional"}


def _initial(graph: Graph, initial: list[str | None], layers: list[GRU]) -> str:
    """Return the name of initial_h [directions, batch, units], or "" for zeros."""
    if all(state is None for state in initial):
        return ""
    states = [graph.add("Unsqueeze", state, np.int64([0])) for state in initial]
    return states[0] if len(states) == 1 else graph.add("Concat", *states, axis=0)


def _shown(graph: Graph, states: str, steps: Steps, layer: GRU) -> str:
    """Return the states [batch, time, units] at the steps where Keras' layer shows them."""
    place = steps.backward if layer.go_backwards else steps.forward
    seen = steps.ahead if layer.go_backwards else steps.seen
    if layer.zero_output_for_mask:
        seen = steps.real
    states = graph.add("GatherND", states, place, batch_dims=1)
    return graph.add("Where", seen, states, np.float32(0))


def _last_output(graph: Graph, x: Value, states: str, last: str, layer: GRU) -> str:
    """Return what a layer without return_sequences gives: the last state, if it is shown."""
    if x.mask is None:
        return last
    end = np.int64(0 if layer.go_backwards else -1)
    return graph.add("Gather", states, end, axis=1)


def gru(graph: Graph, layer: Any, x: Value, initial_state: Any = None) -> Any:
    """Add a GRU layer, ours or Keras'; return its output, with return_state also its state."""
    ours = as_ours(layer)
    given = initial_state[0] if isinstance(initial_state, list | tuple) else initial_state
    initial = [None if given is None else given.name]
    mask = x.mask
    if given is not None:
        # Keras finds the mask of a lone tensor only: beside an initial state there is none, and
        # the layer still hands the mask on.
        x = Value(x.name)
    ((states, last),) = directions(graph, x, [ours], layer.name, initial)
    output = Value(_last_output(graph, x, states, last, ours))
    if ours.return_sequences:
        output = Value(_turned(graph, states) if ours.go_backwards else states, mask)
    return [output, Value(last)] if ours.return_state else output


def _turned(graph: Graph, states: str) -> str:
    """Return states [batch, time, units] with the last step first."""
    ends = [np.int64([number]) for number in (-1, np.iinfo(np.int64).min, 1, -1)]
    return graph.add("Slice", states, *ends)


def bidirectional(graph: Graph, layer: Any, x: Value) -> Any:
    """Add a Bidirectional around two GRU layers as one operator; return its output."""
    inner = [layer.forward_layer, layer.backward_layer]
    for gru_layer in inner:
        if type(gru_layer) not in (GRU, keras.layers.GRU):
            raise ValueError(
                f"layer {layer.name!r} must be Bidirectional around a GRU; "
                f"got {type(gru_layer).__name__}."
            )
    forward, backward = pair = [as_ours(one) for one in inner]
    if (forward.go_backwards, backward.go_backwards) != (False, True):
        raise ValueError(f"layer {layer.name!r} must run forwards, then backwards.")
    results = directions(graph, x, pair, layer.name, [None, None])
    outputs = [states for states, _ in results]
    if not forward.return_sequences:
        outputs = [
            _last_output(graph, x, states, last, one)
            for (states, last), one in zip(results, pair, strict=True)
        ]
    mask = x.mask if forward.return_sequences else None
    merged = [Value(name, mask) for name in _merged(graph, outputs, layer.merge_mode)]
    states = [Value(last) for _, last in results] if layer.return_state else []
    return [*merged, *states] if len(merged) + len(states) > 1 else merged[0]


def _merged(graph: Graph, outputs: list[str], mode: str | None) -> list[str]:
    """Return the outputs of two directions as Bidirectional's merge_mode joins them."""
    if mode is None:
        return outputs
    if mode == "concat":
        return [graph.add("Concat", *outputs, axis=-1)]
    if mode == "ave":
        return [graph.add("Mul", graph.add("Add", *outputs), np.float32(0.5))]
    return [graph.add(_MERGE[mode], *outputs)]


def stacked(graph: Graph, layer: StackedGRU, x: Value) -> Any:
    """Add a StackedGRU, an operator for each of its layers; return its output, or also h_n."""
    last_states = []
    for level, grus in enumerate(layer.grus):
        name = f"{layer.name}/{level}"
        results = directions(graph, x, grus, name, [None] * len(grus))
        outputs = [states for states, _ in results]
        last_states += [graph.add("Unsqueeze", last, np.int64([0])) for _, last in results]
        joined = outputs[0] if len(outputs) == 1 else graph.add("Concat", *outputs, axis=-1)
        x = Value(joined, x.mask)
    if x.mask is not None:
        real = graph.add("Unsqueeze", x.mask, np.int64([-1]))
        x = Value(graph.add("Where", real, x.name, np.float32(0)), x.mask)
    if not layer.return_state:
        return x
    return [x, Value(graph.add("Concat", *last_states, axis=0))]
