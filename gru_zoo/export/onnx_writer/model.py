"""A Keras model as an ONNX model in memory: inputs, outputs, metadata and the graph between."""

from __future__ import annotations

import json
from collections.abc import Sequence

import keras
import onnx

from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.programs import require_known_numbers, require_open_batch
from gru_zoo.export.onnx_writer.graph import Graph, Value
from gru_zoo.export.onnx_writer.walk import write_model
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.wordpiece import WordPieceTokenizer


def make_model(model: keras.Model) -> onnx.ModelProto:
    """Return a Keras model as an ONNX model.

    Args:
        model: a built `SequenceClassifier`, or a `keras.Sequential` or functional model.

    Returns:
        The model. Its inputs and outputs have the names that they have in a TFLite file too;
        batch and time are dynamic.

    Raises:
        ValueError: another kind of model, one that is not built, a layer that is stateful or not
            known, or an output with the name of an input.

    Example:
        >>> layers = [keras.layers.Input((None, 4)), keras.layers.GRU(7)]
        >>> proto = make_model(keras.Sequential(layers))
        >>> [port.name for port in (*proto.graph.input, *proto.graph.output)]
        ['inputs', 'outputs']
    """
    if isinstance(model, LanguageModel):
        raise ValueError(
            "model must not be a LanguageModel for ONNX; `export.tflite` and `export.saved_model` "
            "take one."
        )
    network = Network(model)
    require_known_numbers(network.inputs)
    if taken := sorted(network.inputs.keys() & {*network.output_names}):
        raise ValueError(f"outputs must have names that no input has for ONNX; got {taken}.")
    sequences = [name for name, given in network.inputs.items() if given.kind != "vector"]
    # Two sequences need not be equally long.
    times = {name: "time" if len(sequences) == 1 else f"{name}_time" for name in sequences}
    inputs = []
    for name, given in network.inputs.items():
        time = [] if given.kind == "vector" else [times[name]]
        kind = onnx.TensorProto.INT32 if given.kind == "ids" else onnx.TensorProto.FLOAT
        inputs.append(_port(name, kind, ["batch", *time, *given.shape]))
    graph = Graph([*network.inputs, *network.output_names])
    values = write_model(graph, model, [Value(name) for name in network.inputs])
    # Behind the refusal of a stateful layer by its name, which needs a fixed batch.
    require_open_batch(model)
    outputs = []
    for name, value, shape in zip(network.output_names, values, _shapes(model), strict=True):
        graph.end(value, name)
        outputs.append(_port(name, onnx.TensorProto.FLOAT, shape))
    return graph.model(inputs, outputs, _properties(model))


def _port(name: str, kind: int, shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def _shapes(model: keras.Model) -> list[list[int | str | None]]:
    """Return the shape of each output; an axis of time has no name of its own."""
    if isinstance(model, SequenceClassifier):
        return [["batch", len(model.labels)]]
    # None, or what a Sequential model has from the first batch of `fit`.
    batches, shapes = {tensor.shape[0] for tensor in model.inputs}, []
    for tensor in model.outputs:
        shape: list[int | str | None] = list(tensor.shape)
        if shape[0] in batches:
            shape[0] = "batch"
            if len(shape) > 2:
                shape[1] = None
        elif len(shape) > 1:  # h_n of a StackedGRU has its batch elsewhere.
            shape[1] = None
        shapes.append(shape)
    return shapes


def _properties(model: keras.Model) -> dict[str, str]:
    """Return what a classifier's user needs beside the graph."""
    if not isinstance(model, SequenceClassifier):
        return {}
    properties = {
        "labels": json.dumps(model.labels),
        "vocabulary": model.tokenizer.vocabulary_bytes().decode(),
    }
    # Word pieces have no pattern: what parts them is the same for every vocabulary.
    if not isinstance(model.tokenizer, WordPieceTokenizer):
        properties["delimiter_pattern"] = model.tokenizer.delimiter_pattern
    return properties
