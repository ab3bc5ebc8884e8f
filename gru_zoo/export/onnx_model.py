"""A Keras model as an ONNX model in memory: inputs, outputs, metadata and the graph between."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import keras
import numpy as np
import onnx

from gru_zoo.export.onnx_graph import Graph, Value
from gru_zoo.export.onnx_walk import write_model
from gru_zoo.models.classifier import SequenceClassifier


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or an output.

    Attributes:
        name: of the tensor.
        shape: Keras' shape, None where any size is allowed.
        ids: how many ids there are if this is an input of ids, else 0.
        dtype: "float32", "int32" or "int64".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    ids: int = 0

    @property
    def has_time(self) -> bool:
        """Whether the axis after the batch is time."""
        return len(self.shape) >= 3 or self.ids > 0

    def info(self, time: str | None) -> onnx.ValueInfoProto:
        """Return ONNX' record of it, the axis of time named `time`."""
        shape: list[int | str | None] = list(self.shape)
        if shape[0] is None:
            shape[0] = "batch"
            if self.has_time:
                shape[1] = time
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        return onnx.helper.make_tensor_value_info(self.name, kind, shape)


def make_model(model: keras.Model) -> tuple[onnx.ModelProto, list[Port]]:
    """Return a Keras model as an ONNX model, and the ports that its inputs are.

    Args:
        model: a built `SequenceClassifier`, or a `keras.Sequential` or functional model.

    Raises:
        ValueError: another kind of model, one that is not built, or a layer that is not known.

    Example:
        >>> layers = [keras.layers.Input((None, 4)), keras.layers.GRU(7)]
        >>> proto, ports = make_model(keras.Sequential(layers))
        >>> ports
        [Port(name='inputs', shape=(None, None, 4), dtype='float32', ids=0)]
    """
    classifier = isinstance(model, SequenceClassifier)
    if classifier:
        inputs = [Port("ids", (None, None), "int32")]
        outputs = [Port("probabilities", (None, len(model.labels)))]
    elif isinstance(model, keras.Model) and getattr(model, "inputs", None):
        inputs = _ports(model.inputs, "inputs")
        outputs = _ports(model.outputs, "outputs")
    else:
        raise ValueError(
            "model must be a SequenceClassifier, or a keras.Sequential or functional model whose "
            f"input is known; got {type(model).__name__}."
        )
    graph = Graph(port.name for port in [*inputs, *outputs])
    values = write_model(graph, model, [Value(port.name) for port in inputs])
    for value, port in zip(values, outputs, strict=True):
        graph.end(value, port.name)
    inputs = [_of_ids(port, graph.rows.get(port.name, 0)) for port in inputs]
    # Two sequences need not be equally long.
    lone = sum(port.has_time for port in inputs) == 1
    proto = graph.model(
        [port.info("time" if lone else f"{port.name}_time") for port in inputs],
        [port.info("time" if lone else None) for port in outputs],
        _properties(model) if classifier else {},
    )
    return proto, inputs


def _ports(tensors: list[Any], alone: str) -> list[Port]:
    """Return the ports of Keras' tensors: `alone`, or several by the names of their layers."""
    names = [tensor._keras_history.operation.name for tensor in tensors]
    if len(names) == 1:
        names = [alone]
    names = [
        f"{name}_{names[:i].count(name)}" if name in names[:i] else name
        for i, name in enumerate(names)
    ]
    return [
        Port(name, tuple(tensor.shape), tensor.dtype)
        for name, tensor in zip(names, tensors, strict=True)
    ]


def _of_ids(port: Port, ids: int) -> Port:
    """Return an input's port; Keras calls an input of ids float32 unless it is told."""
    if not ids:
        return port
    return dataclasses.replace(port, ids=ids, dtype=port.dtype if "int" in port.dtype else "int32")


def _properties(model: SequenceClassifier) -> dict[str, str]:
    return {
        "labels": json.dumps(model.labels),
        "vocabulary": model.tokenizer.vocabulary_bytes().decode(),
        "delimiter_pattern": model.tokenizer.delimiter_pattern,
    }
