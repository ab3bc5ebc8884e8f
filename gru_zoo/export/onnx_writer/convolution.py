"""Convolutions over time as ONNX' operator Conv, which has its channels in front of the time.

Keras' kernel [k, features, filters]   ->  W [filters, features, k]
a depthwise one [k, features, m]       ->  W [features m, 1, k], a group for each feature
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from gru_zoo.export.graphs.convolution import pads, require_steps_kept
from gru_zoo.export.onnx_writer.graph import Graph, Value
from gru_zoo.export.onnx_writer.layers import apply_activation


def convolution(graph: Graph, layer: Any, x: Value) -> Value:
    """Add a Conv1D, DepthwiseConv1D or SeparableConv1D; as in Keras its output has no mask."""
    require_steps_kept(layer)
    y = graph.add("Transpose", x.name, perm=[0, 2, 1])  # [batch, features, time]
    bias = [] if layer.bias is None else [_constant(graph, layer, "bias", layer.bias)]
    time = {"pads": pads(layer), "dilations": layer.dilation_rate}
    if isinstance(layer, layers.Conv1D):
        kernel = _constant(graph, layer, "kernel", layer.kernel, (2, 1, 0))
        y = graph.add("Conv", y, kernel, *bias, **time)
    else:
        separable = isinstance(layer, layers.SeparableConv1D)
        each = layer.depthwise_kernel if separable else layer.kernel
        size, features, _ = each.shape
        rows = np.reshape(each, (size, 1, -1))  # a feature's filters side by side
        kernel = _constant(graph, layer, "depthwise_kernel", rows, (2, 1, 0))
        behind = [] if separable else bias
        y = graph.add("Conv", y, kernel, *behind, group=features, **time)
        if separable:
            kernel = _constant(graph, layer, "pointwise_kernel", layer.pointwise_kernel, (2, 1, 0))
            y = graph.add("Conv", y, kernel, *bias)
    y = graph.add("Transpose", y, perm=[0, 2, 1])
    return Value(apply_activation(graph, layer.activation, y, layer))


def _constant(
    graph: Graph, layer: Any, name: str, value: Any, axes: tuple[int, ...] | None = None
) -> str:
    """Return the name of a layer's weight, its axes in another order if asked."""
    array = np.asarray(value, np.float32)
    return graph.constant(array if axes is None else array.transpose(axes), f"{layer.name}/{name}")
