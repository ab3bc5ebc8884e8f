"""Weights of 4 bits: a float32 TFLite file in, one with the weights in int4 out.

    w ~ scale q,  q in -8 ... 7,  one scale a row: a unit's weights, a word's vector

ai-edge-quantizer (the extra `int4`) chooses the scales by OCTAV (Sakr et al. 2022, "Optimal
Clipping and Magnitude-aware Differentiation for Improved Quantization-aware Training"), which
clips the largest weights where that lessens the error of the others: with 16 numbers for all of
them that matters. Computation stays in float32, matrix products in integers that are scaled anew
at every step. The quantizer leaves GATHER in float, and a text model's weights are nearly all in
its embedding; it does know EMBEDDING_LOOKUP, the same thing for the rows of a constant, so every
such GATHER becomes one first.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.link import RUNTIME_VERSION
from gru_zoo.export.flatbuffer.operators import builtin
from gru_zoo.export.flatbuffer.packing import packed
from gru_zoo.imports import require_extra

BITS = 4
ALGORITHM = "OCTAV"
# The oldest runtime that such files were run on (tests/runtimes; 2.17 refuses their embeddings):
# TFLite's own table of versions has no line for these operators with weights in int4.
RUNTIME = b"2.18.0"


def int4(content: bytes) -> bytes:
    """Return a float32 file with its matrices and embeddings in int4.

    Args:
        content: bytes of a `.tflite` file with float32 weights; signatures are kept, and what is
            appended to the file (metadata's archive) is not.

    Raises:
        ImportError: ai-edge-quantizer is missing.
        ValueError: the file holds no float32 matrix and no embedding.

    Example:
        >>> import tensorflow as tf
        >>> from gru_zoo.export.tflite_file import to_builtins
        >>> holder = tf.Module()
        >>> holder.weight = tf.Variable(tf.ones((256, 64)))
        >>> product = tf.function(lambda x: {"y": x @ holder.weight})
        >>> one = product.get_concrete_function(tf.TensorSpec((1, 256), tf.float32))
        >>> content = to_builtins(one, holder, "float32")
        >>> len(int4(content)) < 0.2 * len(content)
        True
    """
    require_extra("int4", "variant 'int4'")
    from ai_edge_quantizer import qtyping, quantizer

    matrices, embeddings = "FULLY_CONNECTED", "EMBEDDING_LOOKUP"
    job = quantizer.Quantizer(_for_runtime(apart(with_lookups(content))))
    for operator in (matrices, embeddings):
        job.add_dynamic_config(
            regex=".*",
            operation_name=qtyping.TFLOperationName(operator),
            num_bits=BITS,
            algorithm_key=ALGORITHM,
        )
    with contextlib.redirect_stderr(io.StringIO()):  # One of its bars cannot be turned off.
        result = bytes(job.quantize(enable_progress_report=False).quantized_model)
    if not _holds_int4(result):
        raise ValueError("content must hold float32 matrices or embeddings; got none.")
    return together(result)


def apart(content: bytes) -> bytes:
    """Return a file in which no two graphs share a constant: the quantizer takes each by itself.

    And no two tensors a name, which the quantizer refuses: an output has the model's name for it,
    and that may be one that the converter gave to another tensor. Inputs and outputs keep theirs.

    Args:
        content: bytes of a `.tflite` file.

    Example:
        >>> apart(content) == content  # doctest: +SKIP
        False
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    seen: set[int] = set()
    for number, graph in enumerate(model.subgraphs):
        own: dict[int, int] = {}  # Within a graph, tensors of one constant keep sharing it.
        ends = {*graph.inputs, *graph.outputs}
        for place, tensor in enumerate(graph.tensors):
            if place not in ends:
                tensor.name = f"{number}/{place}"
            buffer = model.buffers[tensor.buffer]
            if buffer.data is None or not len(buffer.data):
                continue
            if tensor.buffer not in own:
                own[tensor.buffer] = tensor.buffer
                if tensor.buffer in seen:
                    copy = schema.BufferT()
                    copy.data = buffer.data.copy()
                    own[tensor.buffer] = len(model.buffers)
                    model.buffers.append(copy)
            tensor.buffer = own[tensor.buffer]
        seen |= {*own, *own.values()}
    return packed(model)


def together(content: bytes) -> bytes:
    """Return a file in which equal constants are stored once.

    Args:
        content: bytes of a `.tflite` file.

    Example:
        >>> len(together(content)) <= len(content)  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > 1:  # The quantizer puts constants behind the model.
            end = buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[buffer.offset : end], np.uint8)
            buffer.offset = buffer.size = 0
    first: dict[bytes, int] = {}
    places: dict[int, int] = {}
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        if tensor.buffer not in places:
            data = model.buffers[tensor.buffer].data
            filled = data is not None and len(data)
            place = first.setdefault(data.tobytes(), tensor.buffer) if filled else tensor.buffer
            places[tensor.buffer] = place
            if place != tensor.buffer:
                model.buffers[tensor.buffer].data = None
        tensor.buffer = places[tensor.buffer]
    return packed(model)


def with_lookups(content: bytes) -> bytes:
    """Return a file in which every GATHER of a constant's rows is an EMBEDDING_LOOKUP.

    Args:
        content: bytes of a `.tflite` file.

    Example:
        >>> with_lookups(content) == content  # doctest: +SKIP
        False
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    lookup = None
    for graph in model.subgraphs:
        made = {*graph.inputs, *(t for operator in graph.operators for t in operator.outputs)}
        for operator in graph.operators:
            if not _gathers_rows(model, graph, operator) or operator.inputs[0] in made:
                continue
            lookup = _lookup_code(model) if lookup is None else lookup
            operator.opcodeIndex = lookup
            operator.inputs = np.array(operator.inputs[::-1], np.int32)  # ids first
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    return content if lookup is None else packed(model)


def _gathers_rows(
    model: schema.ModelT, graph: schema.SubGraphT, operator: schema.OperatorT
) -> bool:
    """Return whether an operator takes rows of a float32 matrix by a list of ids."""
    code = model.operatorCodes[operator.opcodeIndex]
    if builtin(code) != schema.BuiltinOperator.GATHER:
        return False
    table, ids = (graph.tensors[number] for number in operator.inputs)
    options = operator.builtinOptions
    return (
        table.type == schema.TensorType.FLOAT32
        and len(table.shape) == 2
        and ids.shape is not None
        and len(ids.shape) == 1
        and (options.axis, options.batchDims) == (0, 0)
    )


def _lookup_code(model: schema.ModelT) -> int:
    """Add the operator EMBEDDING_LOOKUP to a model's codes; return its place."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.EMBEDDING_LOOKUP
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _for_runtime(content: bytes) -> bytes:
    """Return a file that names the runtime it needs."""
    model = schema.ModelT.InitFromPackedBuf(content)
    for entry in model.metadata or []:
        if entry.name == RUNTIME_VERSION:
            model.buffers[entry.buffer].data = np.frombuffer(RUNTIME, np.uint8)
    return packed(model)


def _holds_int4(content: bytes) -> bool:
    model = schema.ModelT.InitFromPackedBuf(content)
    types = {tensor.type for graph in model.subgraphs for tensor in graph.tensors}
    return schema.TensorType.INT4 in types
