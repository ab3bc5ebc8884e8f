"""A Keras model, layer by layer, into an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, tree
from keras.src.models.functional import Functional

from gru_zoo.export.graphs.convolution import CONVOLUTIONS
from gru_zoo.export.graphs.network import IDLE
from gru_zoo.export.graphs.programs import matched, positional
from gru_zoo.export.graphs.refusals import kind, remedy
from gru_zoo.export.onnx_writer import layers as onnx_layers
from gru_zoo.export.onnx_writer import recurrent as onnx_recurrent
from gru_zoo.export.onnx_writer.convolution import convolution
from gru_zoo.export.onnx_writer.graph import Graph, Value
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.pooling import MaskedPooling
from gru_zoo.layers.stacked import StackedGRU
from gru_zoo.models.classifier import SequenceClassifier

# By exact class: a subclass may compute something else.
_WRITERS: dict[type, Callable[..., Any]] = {
    GRU: onnx_recurrent.gru,
    layers.GRU: onnx_recurrent.gru,
    layers.Bidirectional: onnx_recurrent.bidirectional,
    StackedGRU: onnx_recurrent.stacked,
    layers.Embedding: onnx_layers.embedding,
    layers.Masking: onnx_layers.masking,
    layers.Dense: onnx_layers.dense,
    layers.Activation: onnx_layers.activation,
    layers.ReLU: onnx_layers.relu,
    layers.LeakyReLU: onnx_layers.leaky_relu,
    layers.ELU: onnx_layers.elu,
    layers.Rescaling: onnx_layers.rescaling,
    layers.Softmax: onnx_layers.softmax,
    layers.LayerNormalization: onnx_layers.layer_normalization,
    layers.BatchNormalization: onnx_layers.batch_normalization,
    layers.Normalization: onnx_layers.normalization,
    layers.RMSNormalization: onnx_layers.rms_normalization,
    layers.UnitNormalization: onnx_layers.unit_normalization,
    MaskedPooling: onnx_layers.masked_pooling,
    layers.GlobalAveragePooling1D: onnx_layers.average_pooling,
    layers.GlobalMaxPooling1D: onnx_layers.max_pooling,
    layers.Concatenate: onnx_layers.concatenate,
    layers.Add: onnx_layers.merging("Add"),
    layers.Subtract: onnx_layers.merging("Sub"),
    layers.Average: onnx_layers.merging("Add"),
    layers.Multiply: onnx_layers.merging("Mul"),
    layers.Maximum: onnx_layers.merging("Max"),
    layers.Minimum: onnx_layers.merging("Min"),
    **dict.fromkeys(CONVOLUTIONS, convolution),
    **dict.fromkeys(IDLE, onnx_layers.unchanged),
}
# What may stand inside TimeDistributed: it treats every step alike anyway.
_EVERY_STEP = (
    layers.Dense,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Rescaling,
    layers.LayerNormalization,
    layers.BatchNormalization,
    *IDLE,
)


def write_model(graph: Graph, model: keras.Model, inputs: Sequence[Value]) -> list[Value]:
    """Add every layer of a model to the graph.

    Args:
        graph: gets the nodes.
        model: a built `SequenceClassifier`, `keras.Sequential` or functional model.
        inputs: a value for each input of the model.

    Returns:
        A value for each output of the model.

    Raises:
        ValueError: a layer that has no counterpart here, by its name and class.

    Example:
        >>> model = keras.Sequential([layers.Input((None, 4)), layers.GRU(7), layers.Dense(2)])
        >>> graph = Graph()
        >>> write_model(graph, model, [Value("inputs")])
        [Value(name='add', mask=None)]
        >>> [node.op_type for node in graph.nodes]
        ['Transpose', 'GRU', 'Transpose', 'Gather', 'Gather', 'MatMul', 'Add']
    """
    if isinstance(model, SequenceClassifier):
        return [_classifier(graph, model, inputs[0])]
    known = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    return [_value_of(graph, tensor, known) for tensor in model.outputs]


def _classifier(graph: Graph, model: SequenceClassifier, ids: Value) -> Value:
    value = ids
    for layer in (model.embedding, model.rnn, model.pooling, model.head):
        value = _write_layer(graph, layer, [value], {})
    return value


def _value_of(graph: Graph, tensor: Any, known: dict[int, Value]) -> Value:
    """Return the value of a tensor of the model, after adding all that leads to it."""
    if id(tensor) not in known:
        layer, index, _ = tensor._keras_history
        node = layer._inbound_nodes[index]
        args, kwargs = positional(layer, node.arguments.args, node.arguments.kwargs)
        _own_mask(layer, args, kwargs.get("mask"))
        kwargs = {name: value for name, value in kwargs.items() if name != "mask"}
        args, kwargs = tree.map_structure(
            lambda one: _value_of(graph, one, known) if keras.backend.is_keras_tensor(one) else one,
            (args, kwargs),
        )
        results = _write_layer(graph, layer, args, kwargs)
        for output, value in zip(node.outputs, tree.flatten(results), strict=True):
            known[id(output)] = value
    return known[id(tensor)]


def _own_mask(layer: Any, args: Sequence[Any], mask: Any) -> None:
    """Raise if a layer was called with another mask than the one its input carries."""
    carried = [getattr(one, "_keras_mask", None) for one in tree.flatten(args)]
    given = [one for one in tree.flatten(mask) if one is not None]
    if any(all(one is not own for own in carried) for one in given):
        raise ValueError(
            f"layer {layer.name!r} must take the mask that its input carries for ONNX; got another."
        )


def _write_layer(graph: Graph, layer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Add one layer, called with values; return a value, or a list of them."""
    options = {
        name: value
        for name, value in kwargs.items()
        if name != "training" and any(one is not None for one in tree.flatten(value))
    }
    if isinstance(layer, keras.Sequential | Functional):
        results = write_model(graph, layer, matched(layer, args, kwargs))
        return results if len(results) > 1 else results[0]
    if isinstance(layer, layers.TimeDistributed) and type(layer.layer) in _EVERY_STEP:
        layer = layer.layer
    writer = _WRITERS.get(type(layer))
    if writer is None:
        inside = f" of {layer.layer.__class__.__name__}" if hasattr(layer, "layer") else ""
        raise ValueError(
            f"model must have layers that ONNX export knows; {kind(layer)} {layer.name!r} is a "
            f"{type(layer).__name__}{inside}.{remedy(layer)}"
        )
    if layer.compute_dtype != "float32":
        raise ValueError(
            f"model must compute in float32 for ONNX; layer {layer.name!r} computes in "
            f"{layer.compute_dtype}."
        )
    allowed = {"initial_state"} if writer is onnx_recurrent.gru else set()
    if len(args) != 1 or options.keys() - allowed:
        given = ", ".join(options) or f"{len(args)} positional arguments"
        raise ValueError(
            f"layer {layer.name!r} must be called with its input alone for ONNX; got {given}."
        )
    return writer(graph, layer, args[0], **options)
