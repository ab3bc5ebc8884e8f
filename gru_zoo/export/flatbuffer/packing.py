"""A TFLite model's bytes: aligned, everything that is equal once, nothing that no runtime reads.

In a small model what stands beside the weights weighs: the converter writes, for each signature
anew, a scale and a zero point of eight bytes for every row of a matrix, and a name, a shape and
an empty buffer for every tensor.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.dead_loop_variables import drop_dead_loop_variables


class _Builder(flatbuffers.Builder):
    """A flatbuffer builder that writes equal vectors and strings once.

    It also puts byte vectors on 16 bytes, as the TFLite schema asks. The generated Python code
    does not know the schema's `force_align`; kernels that load whole vector registers from a
    weight do.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802, D102
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(16, x.nbytes)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def CreateString(self, s: str | bytes, *args: str) -> int:  # noqa: N802, D102
        key = "string", s if isinstance(s, bytes) else s.encode()
        if key not in self._written:
            self._written[key] = super().CreateString(s, *args)
        return self._written[key]


def packed(model: schema.ModelT) -> bytes:
    """Return the bytes of a `.tflite` file for a model that was read and changed.

    Example:
        >>> packed(schema.ModelT())[4:8]
        b'TFL3'
    """
    builder = _Builder(2**20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def slim(content: bytes) -> bytes:
    """Return a file without what no runtime reads; it computes the same, bit for bit.

    Names stay where a caller gives or takes a tensor. All tensors without constant data have the
    empty buffer 0, and no table that says they are not quantized. Loops lose dead variables.

    Args:
        content: bytes of a `.tflite` file.

    Example:
        >>> len(slim(content)) < len(content)  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    drop_dead_loop_variables(model)
    kept = {0: 0}  # number of a buffer -> its new number
    for graph in model.subgraphs:
        public = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in public:
                tensor.name = None
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            data = model.buffers[tensor.buffer].data
            filled = data is not None and len(data)
            tensor.buffer = kept.setdefault(tensor.buffer, len(kept)) if filled else 0
    for entry in model.metadata or []:
        entry.buffer = kept.setdefault(entry.buffer, len(kept))
    model.buffers = [model.buffers[number] for number in kept]
    return packed(model)
