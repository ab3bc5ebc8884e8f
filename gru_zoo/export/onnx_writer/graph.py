"""An ONNX graph under construction: nodes, constants, and values that carry a mask."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx

# GRU 14, LayerNormalization 17, ReduceMax with its axes as an attribute: read since ONNX 1.12.
OPSET, IR_VERSION = 17, 8


@dataclasses.dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: of the tensor.
        mask: name of its mask [batch, time] bool, or None where every step is real.
    """

    name: str
    mask: str | None = None


class Graph:
    """Collects nodes and constants, and gives each a name of its own.

    Args:
        reserved: names of inputs and outputs, which no tensor inside gets.

    Attributes:
        nodes: in the order they were added, which is the order they run in.

    Example:
        >>> graph = Graph()
        >>> graph.add("Add", "x", np.float32(1), name="more")
        'more'
        >>> [list(node.input) for node in graph.nodes], list(graph.constants)
        ([['x', 'constant']], ['constant'])
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self._taken: collections.Counter[str] = collections.Counter(reserved)
        self._made: dict[tuple, Any] = {}

    def unique(self, name: str) -> str:
        """Return `name`, with a number behind it where it is taken."""
        self._taken[name] += 1
        return name if self._taken[name] == 1 else self.unique(f"{name}_{self._taken[name]}")

    def constant(self, array: Any, name: str = "constant") -> str:
        """Return the name of a constant tensor; equal ones are kept once.

        Large ones are equal by their name too, as those of a layer that is called twice.
        """
        array = np.asarray(array)
        content = hashlib.sha256(array.tobytes()).digest()
        key = (array.dtype.str, array.shape, content, name if array.size >= 16 else "")
        if key not in self._made:
            self._made[key] = self.unique(name)
            self.constants[self._made[key]] = array
        return self._made[key]

    def add(self, operator: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output and return that output's name.

        Args:
            operator: ONNX operator.
            *inputs: names of tensors ("" for one left out), or arrays, which become constants.
            name: of the output; the operator's by default.
            **attributes: of the node.

        The same operator on the same inputs is not added twice.
        """
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        key = (operator, *inputs, repr(sorted(attributes.items())))
        if key in self._made and name is None:
            return self._made[key]
        output = self.unique(name or operator.lower())
        self.nodes.append(onnx.helper.make_node(operator, inputs, [output], output, **attributes))
        self._made[key] = output
        return output

    def gru(self, inputs: list[str], name: str, **attributes: Any) -> tuple[str, str]:
        """Add the fused GRU operator.

        Args:
            inputs: X [time, batch, features], W, R, B, sequence_lens, initial_h; "" where absent.
            name: of the node.
            **attributes: direction, hidden_size, linear_before_reset.

        Returns:
            Names of Y [time, directions, batch, units] and Y_h [directions, batch, units].
        """
        name = self.unique(name)
        outputs = f"{name}/Y", f"{name}/Y_h"
        self.nodes.append(onnx.helper.make_node("GRU", inputs, outputs, name, **attributes))
        return outputs

    def end(self, value: Value, name: str) -> None:
        """Make a value an output of the model under a reserved name."""
        self.nodes.append(onnx.helper.make_node("Identity", [value.name], [name], name))

    def model(
        self,
        inputs: list[onnx.ValueInfoProto],
        outputs: list[onnx.ValueInfoProto],
        properties: dict[str, str],
    ) -> onnx.ModelProto:
        """Return the finished model, without what no output needs; `properties` are metadata."""
        needed, nodes = {port.name for port in outputs}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                nodes.insert(0, node)
                needed.update(node.input)
        constants = [
            onnx.numpy_helper.from_array(array, name)
            for name, array in self.constants.items()
            if name in needed
        ]
        graph = onnx.helper.make_graph(nodes, "gru_zoo", inputs, outputs, constants)
        model = onnx.helper.make_model(
            graph,
            producer_name="gru_zoo",
            ir_version=IR_VERSION,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        )
        onnx.helper.set_model_props(model, properties)
        return model
