"""An integer step's file: what is left of float in it, and one scale for both ends of a state."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.operators import name_of
from gru_zoo.export.flatbuffer.packing import packed

# They turn numbers from one type into another; rounding to whole numbers is part of that.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST", "ROUND")
_FROM_INTEGERS = 2  # the first version of QUANTIZE that takes them


def float_operators(content: bytes) -> list[str]:
    """Return the names of operators that compute in float, sorted; conversions do not count.

    Args:
        content: bytes of a `.tflite` file.

    Example:
        >>> from gru_zoo.export.tflite_file import to_builtins
        >>> import tensorflow as tf
        >>> one = tf.function(tf.math.sin).get_concrete_function(tf.TensorSpec((1,), tf.float32))
        >>> float_operators(to_builtins(one, tf.Module(), "float32"))
        ['SIN']
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    found = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            numbers = [n for n in (*operator.inputs, *operator.outputs) if n >= 0]
            types = {graph.tensors[number].type for number in numbers}
            name = name_of(model.operatorCodes[operator.opcodeIndex])
            if schema.TensorType.FLOAT32 in types and name not in _CONVERSIONS:
                found.add(name)
    return sorted(found)


def share_scales(content: bytes, states: Iterable[str]) -> bytes:
    """Give every state that comes out the scale and zero point with which it goes in.

    Where they differ, one operator more changes the scale, inside the file: a device then copies
    a state from output to input and does nothing else.

    Args:
        content: bytes of a `.tflite` file with one signature.
        states: names that stand among its inputs and its outputs.

    Returns:
        The file's bytes, the same ones if nothing had to be changed.

    Raises:
        ValueError: a state goes in as another type than it comes out.

    Example:
        >>> share_scales(content, ["state_last"]) == content  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    (signature,) = model.signatureDefs
    graph = model.subgraphs[signature.subgraphIndex]
    given = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    results = {entry.name.decode(): entry for entry in signature.outputs}
    changed = False
    for state in states:
        before, result = graph.tensors[given[state]], results[state]
        after = graph.tensors[result.tensorIndex]
        if before.type != after.type:
            raise ValueError(f"state {state!r} must have one type; its file has two.")
        if _scale(before) == _scale(after):
            continue
        number = _requantized(model, graph, result.tensorIndex, before)
        # Once only: a tensor that is an output of the model too stands there a second time.
        graph.outputs = np.array(graph.outputs, np.int32)
        graph.outputs[np.argmax(graph.outputs == result.tensorIndex)] = number
        result.tensorIndex = number
        changed = True
    if not changed:
        return content
    return packed(model)


def narrow_tables(content: bytes) -> bytes:
    """Store embedding vectors of int16 as int8, and turn those that a step looks up into int16.

    TFLM looks up int8 and not int16. The table takes half the space, and has one scale.

    Args:
        content: bytes of a `.tflite` file of one graph.

    Returns:
        The file's bytes, the same ones if it has no such table.

    Example:
        >>> narrow_tables(content) == content  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    (graph,) = model.subgraphs
    lookups = [
        operator
        for operator in graph.operators
        if name_of(model.operatorCodes[operator.opcodeIndex]) == "GATHER"
        and graph.tensors[operator.inputs[0]].type == schema.TensorType.INT16
    ]
    for operator in lookups:
        table, wide = graph.tensors[operator.inputs[0]], operator.outputs[0]
        _narrow(model, table)
        narrow = _like(graph, wide, b"_narrow", table)
        operator.outputs = np.array([narrow], np.int32)
        graph.operators.insert(graph.operators.index(operator) + 1, _quantize(model, narrow, wide))
    return packed(model) if lookups else content


def _narrow(model: schema.ModelT, table: schema.TensorT) -> None:
    """Store a table of int16 as int8, with the scale that the largest number needs."""
    if table.type == schema.TensorType.INT8:  # two operators look it up
        return
    scale, _ = _scale(table)
    numbers = model.buffers[table.buffer].data.view(np.int16).astype(np.float64) * scale
    scale = np.float32(np.abs(numbers).max() / 127) or np.float32(1)  # of zeros, any
    # The file has one graph and each table once, so that nothing else reads this buffer.
    model.buffers[table.buffer].data = np.round(numbers / scale).astype(np.int8).view(np.uint8)
    table.type = schema.TensorType.INT8
    table.quantization = copy.copy(table.quantization)
    table.quantization.scale = np.array([scale], np.float32)


def _requantized(
    model: schema.ModelT, graph: schema.SubGraphT, number: int, like: schema.TensorT
) -> int:
    """Append an operator that changes a tensor's scale to another's; return the new tensor."""
    place = _like(graph, number, b"_rescaled", like)
    graph.operators.append(_quantize(model, number, place))
    return place


def _like(graph: schema.SubGraphT, number: int, suffix: bytes, like: schema.TensorT) -> int:
    """Append a tensor of the shape of one, and the type and scale of another; return its place."""
    tensor = copy.copy(graph.tensors[number])
    tensor.name = (tensor.name or b"") + suffix
    tensor.type, tensor.quantization = like.type, copy.deepcopy(like.quantization)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _quantize(model: schema.ModelT, source: int, target: int) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex = _quantize_code(model)
    operator.inputs = np.array([source], np.int32)
    operator.outputs = np.array([target], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


def _quantize_code(model: schema.ModelT) -> int:
    """Return the place of the operator QUANTIZE among a model's codes, new if need be."""
    for place, code in enumerate(model.operatorCodes):
        if name_of(code) == "QUANTIZE":
            code.version = max(code.version, _FROM_INTEGERS)
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = _FROM_INTEGERS
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _scale(tensor: schema.TensorT) -> tuple[float, int] | None:
    about = tensor.quantization
    if about is None or about.scale is None:
        return None
    return float(about.scale[0]), int(about.zeroPoint[0])
