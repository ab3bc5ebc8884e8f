"""Layers that are not recurrent as ONNX operators: embedding, dense, activations, pooling."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from gru_zoo.export.graphs.merged_masks import require_unmasked
from gru_zoo.export.graphs.network import require_channels_last
from gru_zoo.export.graphs.precision import require_unquantized
from gru_zoo.export.onnx_writer.graph import Graph, Value
from gru_zoo.layers.checks import activation_name

# Types of tensors, as ONNX numbers them.
_BOOL, _INT32, _FLOAT = 9, 6, 1
_ONE_NODE: dict[str, tuple[str, dict[str, float]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}


def apply_activation(graph: Graph, function: Any, x: str, layer: Any) -> str:
    """Add an activation function of Keras'; refuse by name what has no operator here."""
    name = activation_name(function)
    if name == "linear":
        return x
    if name == "relu6":
        return graph.add("Clip", x, np.float32(0), np.float32(6))
    if name in ("silu", "swish"):
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    if name == "gelu":
        return _gelu(graph, x, inspect.signature(function).parameters["approximate"].default)
    if not isinstance(name, str) or name not in _ONE_NODE:
        allowed = ", ".join(sorted([*_ONE_NODE, "gelu", "linear", "relu6", "silu"]))
        raise ValueError(
            f"activation of layer {layer.name!r} must be one of {allowed} for ONNX; got {name!r}."
        )
    operator, attributes = _ONE_NODE[name]
    return graph.add(operator, x, **attributes)


def _gelu(graph: Graph, x: str, approximate: bool) -> str:
    """Add a GELU: by the error function, or by tanh, as `keras.ops.gelu` alone has it unasked."""
    if approximate:
        cube = graph.add("Mul", graph.add("Mul", x, x), graph.add("Mul", x, np.float32(0.044715)))
        inside = graph.add("Mul", graph.add("Add", x, cube), np.float32(np.sqrt(2 / np.pi)))
        part = graph.add("Tanh", inside)
    else:
        part = graph.add("Erf", graph.add("Mul", x, np.float32(np.sqrt(0.5))))
    half = graph.add("Mul", x, np.float32(0.5))
    return graph.add("Mul", half, graph.add("Add", part, np.float32(1)))


def activation(graph: Graph, layer: Any, x: Value) -> Value:
    """Add an Activation layer."""
    return Value(apply_activation(graph, layer.activation, x.name, layer), x.mask)


def relu(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a ReLU layer: none of its options but the slope of the negative side."""
    if layer.max_value is not None or layer.threshold:
        raise ValueError(
            f"layer {layer.name!r} must have max_value=None and threshold=0 for ONNX; "
            f"got {layer.max_value} and {layer.threshold}."
        )
    alpha = float(layer.negative_slope)
    return Value(graph.add("LeakyRelu", x.name, alpha=alpha), x.mask)


def leaky_relu(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a LeakyReLU layer."""
    return Value(graph.add("LeakyRelu", x.name, alpha=float(layer.negative_slope)), x.mask)


def elu(graph: Graph, layer: Any, x: Value) -> Value:
    """Add an ELU layer."""
    return Value(graph.add("Elu", x.name, alpha=float(layer.alpha)), x.mask)


def rescaling(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Rescaling: x scale + offset."""
    return _by_constants(graph, layer, x, Mul=layer.scale, Add=layer.offset)


def softmax(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Softmax layer over the last axis."""
    if layer.axis != -1 or x.mask is not None:
        raise ValueError(
            f"layer {layer.name!r} must be a softmax over axis -1 without a mask for ONNX; "
            f"got axis {layer.axis}{', and a mask' if x.mask else ''}."
        )
    return Value(graph.add("Softmax", x.name, axis=-1))


def embedding(graph: Graph, layer: Any, x: Value) -> Value:
    """Add an Embedding as a Gather; with mask_zero id 0 is masked."""
    require_unquantized(layer, "ONNX")
    name = graph.constant(_array(layer.embeddings), f"{layer.name}/embeddings")
    ids = graph.add("Cast", x.name, to=_INT32)
    mask = graph.add("Not", graph.add("Equal", ids, np.int32(0))) if layer.mask_zero else None
    return Value(graph.add("Gather", name, ids, axis=0), mask)


def masking(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Masking: a step whose features all have one value is masked, and zero."""
    same = graph.add("Equal", x.name, np.float32(layer.mask_value))
    other = graph.add("Cast", graph.add("Not", same), to=_INT32)
    some = graph.add("ReduceMax", other, axes=[-1], keepdims=1)  # [batch, time, 1]
    kept = graph.add("Mul", x.name, graph.add("Cast", some, to=_FLOAT))
    mask = graph.add("Squeeze", graph.add("Cast", some, to=_BOOL), np.int64([-1]))
    return Value(kept, mask)


def dense(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Dense over the last axis."""
    require_unquantized(layer, "ONNX")
    y = graph.add("MatMul", x.name, graph.constant(_array(layer.kernel), f"{layer.name}/kernel"))
    if layer.bias is not None:
        y = graph.add("Add", y, graph.constant(_array(layer.bias), f"{layer.name}/bias"))
    return Value(apply_activation(graph, layer.activation, y, layer), x.mask)


def layer_normalization(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a LayerNormalization over the last axis."""
    axes = _last_axis(layer)
    if layer.rms_scaling or len(axes) != 1 or (layer.gamma is None and layer.beta is None):
        raise ValueError(
            f"layer {layer.name!r} must normalize one axis, with a scale or a centre and without "
            "rms_scaling, for ONNX."
        )
    size = (layer.gamma if layer.gamma is not None else layer.beta).shape[-1]
    gain = np.ones(size, np.float32) if layer.gamma is None else _array(layer.gamma)
    shift = np.zeros(size, np.float32) if layer.beta is None else _array(layer.beta)
    names = [
        graph.constant(array, f"{layer.name}/{kind}")
        for kind, array in (("gamma", gain), ("beta", shift))
    ]
    y = graph.add("LayerNormalization", x.name, *names, axis=-1, epsilon=float(layer.epsilon))
    return Value(y, x.mask)


def batch_normalization(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a BatchNormalization over the last axis as what it is once trained: x scale + shift."""
    if layer.axis not in (-1, 2):
        raise ValueError(f"axis of layer {layer.name!r} must be -1 for ONNX; got {layer.axis}.")
    scale = 1 / np.sqrt(np.float64(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * np.float64(layer.gamma)
    shift = -np.float64(layer.moving_mean) * scale
    if layer.center:
        shift = shift + np.float64(layer.beta)
    return _by_constants(graph, layer, x, Mul=scale, Add=shift)


def normalization(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Normalization by what it has seen, or back."""
    mean = np.float64(layer.mean)
    # Keras' smallest divisor.
    deviation = np.maximum(np.sqrt(np.float64(layer.variance)), keras.config.epsilon())
    if layer.invert:
        return _by_constants(graph, layer, x, Mul=deviation, Add=mean)
    return _by_constants(graph, layer, x, Sub=mean, Div=deviation)


def rms_normalization(graph: Graph, layer: Any, x: Value) -> Value:
    """Add an RMSNormalization over the last axis, behind which Keras' mask ends."""
    _last_axis(layer)
    square = graph.add("ReduceMean", graph.add("Mul", x.name, x.name), axes=[-1], keepdims=1)
    root = graph.add("Sqrt", graph.add("Add", square, np.float32(layer.epsilon)))
    scale = graph.constant(_array(layer.scale), f"{layer.name}/scale")
    return Value(graph.add("Mul", graph.add("Div", x.name, root), scale))


def unit_normalization(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a UnitNormalization: x over its length, which is 1e-12 at least."""
    axes = keras.tree.flatten(layer.axis)
    length = graph.add("ReduceL2", x.name, axes=axes, keepdims=1)
    return Value(graph.add("Div", x.name, graph.add("Max", length, np.float32(1e-12))), x.mask)


def masked_pooling(graph: Graph, layer: Any, x: Value) -> Value:
    """Add our MaskedPooling: [last | largest | mean] over the real steps."""
    if x.mask is None:
        last = graph.add("Gather", x.name, np.int64(-1), axis=1)
        largest = graph.add("ReduceMax", x.name, axes=[1], keepdims=0)
        mean = graph.add("ReduceMean", x.name, axes=[1], keepdims=0)
        return Value(graph.add("Concat", last, largest, mean, axis=-1))
    real = graph.add("Unsqueeze", x.mask, np.int64([-1]))  # [batch, time, 1]
    one, zero = np.int64([1]), np.float32(0)
    count = graph.add("ReduceSum", graph.add("Cast", real, to=_FLOAT), one, keepdims=0)
    total = graph.add("ReduceSum", graph.add("Where", real, x.name, zero), one, keepdims=0)
    mean = graph.add("Div", total, graph.add("Max", count, np.float32(1)))
    floor = graph.add("Where", real, x.name, np.finfo(np.float32).min)
    largest = graph.add("ReduceMax", floor, axes=[1], keepdims=0)
    # The last real step is where the number of real steps so far is largest for the first time.
    upto = graph.add("CumSum", graph.add("Cast", x.mask, to=_INT32), np.int64(1))
    position = graph.add("ArgMax", upto, axis=1, keepdims=1)  # [batch, 1]
    last = graph.add("GatherND", x.name, position, batch_dims=1)
    some = graph.add("Greater", count, zero)  # [batch, 1]
    pooled = graph.add("Concat", last, largest, mean, axis=-1)
    return Value(graph.add("Where", some, pooled, zero))


def average_pooling(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a GlobalAveragePooling1D: the mean over the real steps."""
    require_channels_last(layer)
    keep = int(layer.keepdims)
    if x.mask is None:
        return Value(graph.add("ReduceMean", x.name, axes=[1], keepdims=keep))
    real = graph.add("Unsqueeze", x.mask, np.int64([-1]))
    kept = graph.add("Where", real, x.name, np.float32(0))
    total = graph.add("ReduceSum", kept, np.int64([1]), keepdims=keep)
    number = graph.add("Cast", real, to=_FLOAT)
    return Value(
        graph.add("Div", total, graph.add("ReduceSum", number, np.int64([1]), keepdims=keep))
    )


def max_pooling(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a GlobalMaxPooling1D, which in Keras ignores the mask."""
    require_channels_last(layer)
    return Value(graph.add("ReduceMax", x.name, axes=[1], keepdims=int(layer.keepdims)))


def concatenate(graph: Graph, layer: Any, x: list[Value]) -> Value:
    """Add a Concatenate of features."""
    if layer.axis != -1:
        raise ValueError(f"axis of layer {layer.name!r} must be -1 for ONNX; got {layer.axis}.")
    return Value(graph.add("Concat", *(one.name for one in x), axis=-1), _either(graph, x))


def merging(operator: str) -> Callable[[Graph, Any, list[Value]], Value]:
    """Return what adds a layer that joins its inputs by an operator, two at a time."""

    def add(graph: Graph, layer: Any, x: list[Value]) -> Value:
        require_unmasked(layer, [one.mask for one in x])
        name = x[0].name
        for other in x[1:]:
            name = graph.add(operator, name, other.name)
        if isinstance(layer, keras.layers.Average):
            name = graph.add("Mul", name, np.float32(1 / len(x)))
        return Value(name, _either(graph, x))

    return add


def unchanged(graph: Graph, layer: Any, x: Value) -> Value:
    """Add nothing: a layer that only training knows."""
    return x


def _either(graph: Graph, x: list[Value]) -> str | None:
    """Return the mask of joined inputs: a step is real where it is real in one of them."""
    masks = [one.mask for one in x]
    if None in masks:
        return None
    name = masks[0]
    for other in masks[1:]:
        name = name if other == name else graph.add("Or", name, other)
    return name


def _last_axis(layer: Any) -> list[int]:
    """Return the axes that a layer normalizes; raise unless each is the last one."""
    axes = keras.tree.flatten(layer.axis)
    rank = len(layer.get_build_config()["input_shape"])
    if any(axis not in (-1, rank - 1) for axis in axes):
        given = ", ".join(map(str, axes))
        raise ValueError(
            f"axis of layer {layer.name!r} must be -1, the last one, for ONNX; got {given}."
        )
    return axes


def _by_constants(graph: Graph, layer: Any, x: Value, **operators: Any) -> Value:
    """Add operators of a constant each, one behind the other."""
    y = x.name
    for operator, array in operators.items():
        constant = graph.constant(np.float32(array), f"{layer.name}/{operator.lower()}")
        y = graph.add(operator, y, constant)
    return Value(y, x.mask)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy(), np.float32)
