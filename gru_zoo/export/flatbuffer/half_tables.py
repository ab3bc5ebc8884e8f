"""A tied embedding in a float16 file: looked up and multiplied by as a constant each.

The converter widens a float16 table by one DEQUANTIZE, whose result all read. XNNPACK multiplies by
a widened constant as by any constant, packed once; unless something that it does not run reads it
too, as a GATHER does: then it packs the whole table anew at every call. So the GATHERs get a
DEQUANTIZE of their own. Both read the same bytes of the file, and each runs once.
"""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.operators import builtin
from gru_zoo.export.flatbuffer.packing import packed


def separate_look_ups(content: bytes) -> bytes:
    """Return a file in which no widened constant is both looked up in and multiplied by.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        The file's bytes, the same ones if there was nothing to separate.

    Example:
        >>> separate_look_ups(content) == content  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    found = [_separate(model, graph) for graph in model.subgraphs]
    return packed(model) if any(found) else content


def _separate(model: schema.ModelT, graph: schema.SubGraphT) -> bool:
    """Give the look-ups of a graph constants of their own; return whether there were any."""
    kinds = [builtin(code) for code in model.operatorCodes]
    operators = []
    for operator in graph.operators:
        if kinds[operator.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE:
            (widened,) = operator.outputs
            readers = [other for other in graph.operators if widened in other.inputs]
            gather = schema.BuiltinOperator.GATHER
            look_ups = [reader for reader in readers if kinds[reader.opcodeIndex] == gather]
            if look_ups and len(look_ups) < len(readers):
                own = copy.copy(operator)
                own.outputs = np.array([len(graph.tensors)], np.int32)
                graph.tensors.append(copy.copy(graph.tensors[widened]))
                for reader in look_ups:
                    reader.inputs = np.where(reader.inputs == widened, own.outputs, reader.inputs)
                operators.append(own)
        operators.append(operator)
    changed = len(operators) > len(graph.operators)
    graph.operators = operators
    return changed
