"""Several small TFLite graphs linked into one flat graph, a part as often as needed.

The converter takes time that grows faster than a graph's size, and an unrolled recurrence is one
step many times over. So the step is converted once and its operators are repeated here; constants
are stored once.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.packing import packed
from gru_zoo.export.names import WHOLE

SCHEMA_VERSION = 3
RUNTIME_VERSION = b"min_runtime_version"


@dataclasses.dataclass(frozen=True)
class Part:
    """A converted graph that a `Linker` knows.

    Attributes:
        graph: the graph, with the part's own numbers.
        inputs: name -> tensor, by the part's signature.
        outputs: name -> tensor, by the part's signature.
        codes: the part's operator codes -> the linked model's.
        constants: the part's constant tensors -> the linked graph's.
    """

    graph: schema.SubGraphT
    inputs: dict[str, int]
    outputs: dict[str, int]
    codes: list[int]
    constants: dict[int, int]


class Linker:
    """A TFLite model of one graph, put together from parts.

    Example:
        >>> linker = Linker()                                          # doctest: +SKIP
        >>> double = linker.part(converted_double)                     # doctest: +SKIP
        >>> x = linker.input("x", double, "x")                         # doctest: +SKIP
        >>> y = linker.add(double, {"x": x})["y"]                      # doctest: +SKIP
        >>> content = linker.finish({"y": linker.add(double, {"x": y})["y"]})  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._codes: dict[tuple, int] = {}
        self._model = schema.ModelT()
        self._model.version = SCHEMA_VERSION
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]  # Number 0 is empty: "no constant data".
        self._graph = schema.SubGraphT()
        self._graph.name = "main"
        self._graph.tensors, self._graph.operators = [], []
        self._inputs: dict[str, int] = {}
        self._runtime = b""

    def part(self, content: bytes) -> Part:
        """Take in a converted graph: its operator codes and constants, but no operator yet.

        Args:
            content: bytes of a `.tflite` file with one subgraph and one signature.

        Raises:
            ValueError: the file has several subgraphs.
        """
        model = schema.ModelT.InitFromPackedBuf(content)
        if len(model.subgraphs) != 1:
            raise ValueError(f"content must have one subgraph; got {len(model.subgraphs)}.")
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        for entry in model.metadata or []:
            if entry.name == RUNTIME_VERSION:
                version = bytes(model.buffers[entry.buffer].data)
                self._runtime = max(self._runtime, version, key=_version)
        made = {*graph.inputs, *(t for operator in graph.operators for t in operator.outputs)}
        constants = {}
        for number, tensor in enumerate(graph.tensors):
            if number not in made:
                constants[number] = self._tensor(tensor, model.buffers[tensor.buffer])
        return Part(
            graph=graph,
            inputs={entry.name.decode(): entry.tensorIndex for entry in signature.inputs},
            outputs={entry.name.decode(): entry.tensorIndex for entry in signature.outputs},
            codes=[self._code(code) for code in model.operatorCodes],
            constants=constants,
        )

    def input(self, name: str, part: Part, like: str) -> int:
        """Add an input of the whole, of the type and shape of a part's input `like`."""
        self._inputs[name] = self._tensor(part.graph.tensors[part.inputs[like]])
        self._graph.tensors[self._inputs[name]].name = name
        return self._inputs[name]

    def add(self, part: Part, inputs: Mapping[str, int]) -> dict[str, int]:
        """Append a part's operators.

        Args:
            part: what `part` returned.
            inputs: the tensor for each of the part's inputs.

        Returns:
            The tensor of each of the part's outputs.
        """
        places = {-1: -1, **part.constants}  # -1 stands for an optional input that is left out.
        places.update({number: inputs[name] for name, number in part.inputs.items()})
        for operator in part.graph.operators:
            for number in operator.outputs:
                places[number] = self._tensor(part.graph.tensors[number])
            new = copy.copy(operator)
            new.opcodeIndex = part.codes[operator.opcodeIndex]
            new.inputs = np.array([places[number] for number in operator.inputs], np.int32)
            new.outputs = np.array([places[number] for number in operator.outputs], np.int32)
            self._graph.operators.append(new)
        return {name: places[number] for name, number in part.outputs.items()}

    def finish(self, outputs: Mapping[str, int]) -> bytes:
        """Return the linked file with the signature "serving_default"."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = WHOLE, 0
        signature.inputs = [_named(*item) for item in self._inputs.items()]
        signature.outputs = [_named(*item) for item in outputs.items()]
        for name, number in outputs.items():
            self._graph.tensors[number].name = name
        self._graph.inputs = list(self._inputs.values())
        self._graph.outputs = list(outputs.values())
        self._model.subgraphs, self._model.signatureDefs = [self._graph], [signature]
        if self._runtime:
            entry = schema.MetadataT()
            entry.name, entry.buffer = RUNTIME_VERSION.decode(), len(self._model.buffers)
            self._model.buffers.append(_buffer(np.frombuffer(self._runtime, np.uint8)))
            self._model.metadata = [entry]
        return packed(self._model)

    def _tensor(self, tensor: schema.TensorT, constant: schema.BufferT | None = None) -> int:
        """Add a copy of a tensor, without its name, which no runtime reads."""
        new = copy.copy(tensor)
        new.name, new.buffer = None, 0
        if constant is not None:
            new.buffer = len(self._model.buffers)
            self._model.buffers.append(constant)
        self._graph.tensors.append(new)
        return len(self._graph.tensors) - 1

    def _code(self, code: schema.OperatorCodeT) -> int:
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version)
        if key not in self._codes:
            self._codes[key] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[key]


def _version(text: bytes) -> tuple[int, ...]:
    return tuple(int(number) for number in text.rstrip(b"\0").split(b".") if number)


def _buffer(data: np.ndarray) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = data
    return buffer


def _named(name: str, number: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, number
    return entry
