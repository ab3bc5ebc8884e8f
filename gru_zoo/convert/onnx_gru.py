"""To and from the ONNX operator GRU, one node, one or two directions.

ONNX keeps W [directions, 3 units, features], R [directions, 3 units, units] and
B [directions, 6 units] (input biases, then recurrent ones), packed z | r | h. Its update gate
keeps; `linear_before_reset` is our `reset_after`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gru_zoo.arguments import instance, listed, numeric, one_of, place, positive_int
from gru_zoo.convert.weights import (
    Weights,
    keep_weights,
    negate_update_columns,
    require_default_activations,
    require_gru,
    require_plain,
    write_weights,
)
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

DIRECTIONS = ("forward", "reverse", "bidirectional")
# The operator's inputs, in its order.
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h")


class OnnxGRU(NamedTuple):
    """Weights and attributes of an ONNX GRU node.

    tensors: "W" [directions, 3 * units, features], "R" [directions, 3 * units, units] and, with
        biases, "B" [directions, 6 * units].
    attributes: direction, hidden_size and linear_before_reset, as `onnx.helper.make_node` and
        `from_onnx_tensors` take them.
    """

    tensors: dict[str, np.ndarray]
    attributes: dict[str, Any]


def from_onnx_tensors(
    W: np.ndarray,
    R: np.ndarray,
    B: np.ndarray | None = None,
    *,
    direction: str = "forward",
    linear_before_reset: int = 0,
    hidden_size: int | None = None,
    update_gate: str = "keep",
    kernel: str = "auto",
    name: str | None = None,
) -> GRU | StackedGRU:
    """Return the layer of an ONNX GRU's weights; no ONNX package is needed.

    Args:
        W: input weights [directions, 3 * units, features]: float16, float32 or float64.
        R: recurrent weights [directions, 3 * units, units], of the same dtype.
        B: biases [directions, 6 * units], of the same dtype, or None.
        direction: "forward", "reverse" or "bidirectional".
        linear_before_reset: 1 for `reset_after=True`, 0 (ONNX' default) for False.
        hidden_size: units, checked against R if given.
        update_gate: "keep" copies the numbers; "write" negates what feeds z.
        kernel: as in `GRU`.
        name: of the result.

    Returns:
        A built layer that returns sequences and state, in the dtype of the weights:
        "forward": `GRU`; "reverse": `GRU(go_backwards=True)`, whose outputs come in the order
        they are computed, last step first (ONNX turns them round); "bidirectional": `StackedGRU`
        of one layer. With `linear_before_reset=0` both biases enter only as their sum, and ours
        has only the sum: the one case in which a way back does not restore every number of B.

    Raises:
        ValueError: an array of a wrong shape or dtype, or an argument that is not allowed.

    Example:
        >>> W, R = np.ones((1, 21, 4), "float32"), np.ones((1, 21, 7), "float32")
        >>> layer = from_onnx_tensors(W, R, linear_before_reset=1)
        >>> layer.units, layer.reset_after
        (7, True)
    """
    one_of("direction", direction, DIRECTIONS)
    one_of("linear_before_reset", linear_before_reset, [0, 1])
    one_of("update_gate", update_gate, ["keep", "write"])
    W, R = numeric("W", W), numeric("R", R)
    B = None if B is None else numeric("B", B)
    units = _checked_units(W, R, B, direction, hidden_size)
    config = {
        "use_bias": B is not None,
        "reset_after": bool(linear_before_reset),
        "update_gate": update_gate,
        "kernel": kernel,
        "dtype": W.dtype.name,
        "name": name,
    }
    if direction == "bidirectional":
        layer = StackedGRU(units, bidirectional=True, **config)
        layer.build((None, None, W.shape[-1]))
        grus = layer.grus[0]
    else:
        layer = GRU(
            units,
            return_sequences=True,
            return_state=True,
            go_backwards=direction == "reverse",
            **config,
        )
        grus = [layer]
    for index, gru in enumerate(grus):
        bias = None if B is None else _decode_bias(B[index], bool(linear_before_reset))
        weights = Weights(W[index].T, R[index].T, bias)
        write_weights(gru, negate_update_columns(weights) if update_gate == "write" else weights)
    return layer


def to_onnx_tensors(layer: GRU | StackedGRU, index: int = 0) -> OnnxGRU:
    """Return the tensors and attributes of the ONNX GRU node that computes the same.

    Args:
        layer: a built `GRU`, or a built `StackedGRU`, of which each layer is a node of its own.
            With `update_gate="write"` what feeds z is negated, which is exact.
        index: which layer of a `StackedGRU`.

    Returns:
        An `OnnxGRU`. A layer with `reset_after=False` has one bias; it goes into the input half
        of B, and the recurrent half is zero. ONNX has time first and lays Y out
        [time, directions, batch, units]; for "reverse" Y is in the order of the input, while a
        `GRU` that goes backwards returns it turned round.

    Raises:
        ValueError: another class, a layer that is not built, activations other than tanh and
            sigmoid, an option that ONNX does not have, or a wrong index.

    Example:
        >>> layer = GRU(7)
        >>> layer.build((None, None, 4))
        >>> tensors, attributes = to_onnx_tensors(layer)
        >>> tensors["B"].shape, attributes["linear_before_reset"]
        ((1, 42), 1)
    """
    require_gru(layer, GRU, StackedGRU)
    levels = layer.grus if isinstance(layer, StackedGRU) else [[layer]]
    grus = levels[place("index", index, len(levels))]
    for gru in grus:
        require_default_activations(gru, "ONNX")
        require_plain(gru, "ONNX")
    weights = [keep_weights(gru) for gru in grus]
    tensors = {
        "W": np.stack([one.kernel.T for one in weights]),
        "R": np.stack([one.recurrent_kernel.T for one in weights]),
    }
    if weights[0].bias is not None:
        tensors["B"] = np.stack([_encode_bias(one.bias) for one in weights])
    direction = "reverse" if grus[0].go_backwards else "forward"
    attributes = {
        "direction": "bidirectional" if len(grus) == 2 else direction,
        "hidden_size": grus[0].cell.units,
        "linear_before_reset": int(grus[0].cell.reset_after),
    }
    return OnnxGRU(tensors, attributes)


def from_onnx(
    source: Any,
    node: str | None = None,
    *,
    initializers: Mapping[str, Any] | None = None,
    update_gate: str = "keep",
    kernel: str = "auto",
) -> GRU | StackedGRU:
    """Return the layer of a GRU node in an ONNX model.

    Args:
        source: path of an ONNX file, an `onnx.ModelProto`, or a GRU's `onnx.NodeProto`.
        node: which node of a model, by its name (or, where it has none or shares it,
            its first output's); None if the model has a single GRU node.
        initializers: for a `NodeProto`: NumPy arrays or `onnx.TensorProto` by the names that the
            node gives its inputs.
        update_gate: "keep" copies the numbers; "write" negates what feeds z.
        kernel: as in `GRU`.

    Returns:
        As `from_onnx_tensors`. An initial state that the graph feeds to the node is not part of
        the layer: pass it as `initial_state`.

    Raises:
        ImportError: the onnx package is not installed.
        OSError: the file cannot be read.
        ValueError: a file that is no ONNX model, no such node, weights that are not constants, or
            an option that ours does not have: clip, layout=1, sequence_lens (pass a mask to the
            layer instead), activations other than Sigmoid and Tanh, a constant initial state other
            than zero.

    Example:
        >>> import onnx
        >>> tensors = {"W": np.ones((1, 21, 4), "float32"), "R": np.ones((1, 21, 7), "float32")}
        >>> node = onnx.helper.make_node("GRU", ["X", "W", "R"], ["Y"], hidden_size=7)
        >>> from_onnx(node, initializers=tensors).reset_after
        False
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "from_onnx needs the package onnx (pip install onnx); from_onnx_tensors does not."
        ) from error
    if isinstance(source, (str, os.PathLike)):
        source = _load(os.fspath(source))
    if isinstance(source, onnx.ModelProto):
        if initializers is not None:
            raise ValueError("initializers must be None for a model, which has its own.")
        initializers = _constants(source.graph)
        proto = _find_node(source.graph, node)
    elif isinstance(source, onnx.NodeProto):
        if node is not None:
            raise ValueError(f"node must be None for a NodeProto, which is one; got {node!r}.")
        initializers = {} if initializers is None else initializers
        initializers = instance("initializers", initializers, Mapping)
        proto = source
    else:
        raise ValueError(
            "source must be a path, an onnx.ModelProto or an onnx.NodeProto; "
            f"got {type(source).__name__}."
        )
    label = _label(proto)
    if proto.op_type != "GRU":
        raise ValueError(f"node {label!r} must be a GRU; got {proto.op_type}.")
    attributes = {a.name: _text(onnx.helper.get_attribute_value(a)) for a in proto.attribute}
    tensors = _read_inputs(proto, initializers, label)
    return from_onnx_tensors(
        **tensors,
        **_check_attributes(attributes, label),
        update_gate=update_gate,
        kernel=kernel,
    )


def _load(path: str) -> Any:
    """Return the model of a file; raise ValueError if it holds none."""
    import onnx

    try:
        model = onnx.load(path)
        if not model.ir_version:  # Every model has one; an empty file is read as one without.
            raise ValueError("it has no ir_version")
    except OSError:
        raise
    except Exception as error:  # The name's end chooses among formats, each with its own.
        reason = " ".join(str(error).split())
        raise ValueError(f"source must be a whole ONNX file; {path} is none: {reason}") from error
    return model


def _checked_units(
    W: np.ndarray, R: np.ndarray, B: np.ndarray | None, direction: str, hidden_size: int | None
) -> int:
    """Return units after checking every shape and dtype."""
    directions = 2 if direction == "bidirectional" else 1
    units = R.shape[-1] if R.ndim else 0
    features = W.shape[-1] if W.ndim else 0
    if hidden_size is not None and positive_int("hidden_size", hidden_size) != units:
        raise ValueError(f"hidden_size must equal the last axis of R, {units}; got {hidden_size}.")
    wanted = {
        "R": (R, (directions, 3 * units, units)),
        "W": (W, (directions, 3 * units, features)),
        "B": (B, (directions, 6 * units)),
    }
    for name, (array, shape) in wanted.items():
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(
                f"{name} must have shape {list(shape)} for direction={direction!r} and {units} "
                f"units (last axis of R); got {list(array.shape)}."
            )
        if array.dtype != W.dtype or array.dtype not in ("float16", "float32", "float64"):
            raise ValueError(
                f"{name} must be float16, float32 or float64, as W; got {array.dtype}, "
                f"and W is {W.dtype}."
            )
    return units


def _decode_bias(bias: np.ndarray, reset_after: bool) -> np.ndarray:
    """Return bias_zrh, [2, 3 units] or without reset_after [3 units], of B's row [6 units]."""
    halves = bias.reshape(2, -1)  # input, recurrent
    if reset_after:
        return halves
    # Adding zero would turn -0.0 into 0.0, which is not the same bits.
    if not halves[1].any():
        return halves[0]
    return halves[0] + halves[1]


def _encode_bias(bias: np.ndarray) -> np.ndarray:
    """Return B's row [6 units] of bias_zrh; where that is one half, it is the input's."""
    return np.concatenate([bias, np.zeros_like(bias)]) if bias.ndim == 1 else bias.reshape(-1)


def _label(proto: Any) -> str:
    """Return how to call a node: its name may be empty, and so may an output that nobody reads."""
    return proto.name or next(filter(None, proto.output), "")


def _find_node(graph: Any, name: str | None) -> Any:
    """Return the graph's GRU node of that name, or with None the only one."""
    found = [proto for proto in graph.node if proto.op_type == "GRU"]
    grus = {_label(proto): proto for proto in found}
    if len(grus) < len(found):  # names need not be unique, outputs must be
        grus = {next(filter(None, proto.output), ""): proto for proto in found}
    if not grus:
        raise ValueError("source must hold a GRU node in its main graph; got none.")
    if name is None and len(grus) > 1:
        raise ValueError(f"node must say which GRU: {', '.join(map(repr, grus))}; got None.")
    return grus[next(iter(grus)) if name is None else one_of("node", name, grus)]


def _constants(graph: Any) -> dict[str, Any]:
    """Return what the graph holds as constants: initializers and Constant nodes."""
    constants: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    for proto in graph.node:
        values = [a.t for a in proto.attribute if a.name == "value"]
        if proto.op_type == "Constant" and values:
            constants[proto.output[0]] = values[0]
    return constants


def _read_inputs(proto: Any, initializers: Mapping[str, Any], label: str) -> dict[str, np.ndarray]:
    """Return W, R and, if there is one, B; refuse the inputs that ours cannot take."""
    names = {kind: name for kind, name in zip(_INPUTS, proto.input, strict=False) if name}
    if "sequence_lens" in names:
        raise ValueError(
            f"node {label!r} must have no sequence_lens (pass the layer a mask instead); "
            f"got {names['sequence_lens']!r}."
        )
    tensors = {}
    for kind in ("W", "R", "B", "initial_h"):
        if kind not in names:
            continue
        if names[kind] in initializers:
            tensors[kind] = _to_numpy(f"{kind} of node {label!r}", initializers[names[kind]])
        elif kind != "initial_h":
            raise ValueError(
                f"{kind} of node {label!r} must be a constant (an initializer or a Constant "
                f"node); got {names[kind]!r}, which is none."
            )
    initial_h = tensors.pop("initial_h", None)
    if initial_h is not None and initial_h.any():
        raise ValueError(
            f"initial_h of node {label!r} must be zero or an input of the graph (pass it as "
            f"initial_state); got a constant {names['initial_h']!r} that is not zero."
        )
    for kind in ("W", "R"):
        if kind not in tensors:
            raise ValueError(f"{kind} of node {label!r} must be given; got no such input.")
    return tensors


def _to_numpy(name: str, value: Any) -> np.ndarray:
    """Return an onnx.TensorProto or an array as NumPy's; `name` is what an error calls it."""
    import onnx

    if not isinstance(value, onnx.TensorProto):
        return numeric(name, value)
    try:
        return onnx.numpy_helper.to_array(value)
    except (TypeError, ValueError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{name} must hold its numbers: {error}") from error


def _check_attributes(attributes: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the arguments of `from_onnx_tensors`; refuse what ours does not have."""
    direction = attributes.pop("direction", "forward")
    one_of(f"direction of node {label!r}", direction, DIRECTIONS)
    arguments = {
        "direction": direction,
        "linear_before_reset": attributes.pop("linear_before_reset", 0),
        "hidden_size": attributes.pop("hidden_size", None),
    }
    wanted = ["sigmoid", "tanh"] * (2 if direction == "bidirectional" else 1)
    given = listed(f"activations of node {label!r}", attributes.pop("activations", []))
    if given and [str(name).lower() for name in given] != wanted:
        raise ValueError(
            f"activations of node {label!r} must be Sigmoid and Tanh (for each direction); "
            f"got {', '.join(map(str, given))}."
        )
    if layout := attributes.pop("layout", 0):
        raise ValueError(f"layout of node {label!r} must be 0 (time first); got {layout!r}.")
    for name, value in attributes.items():
        raise ValueError(
            f"node {label!r} must have no attribute {name}, which GRU does not take; got {value}."
        )
    return arguments


def _text(value: Any) -> Any:
    """Return an attribute's value with strings in place of bytes."""
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value
