"""Embedding vectors of int16 become int8, and a step that looks them up gives int16 as before."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from gru_zoo.export.flatbuffer.integer_file import narrow_tables
from gru_zoo.export.flatbuffer.packing import packed

SCALE = 3e-4
VECTORS = np.random.default_rng(3).integers(-32767, 32768, (7, 5)).astype(np.int16)


def tensor(name, shape, kind, buffer=0, scale=None):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, np.array(shape, np.int32), kind, buffer
    if scale:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array([scale], np.float32)
        made.quantization.zeroPoint = np.array([0], np.int64)
    return made


def lookup(vectors, kind):
    """Return a file that looks up the vectors of two ids, twice."""
    model, graph, data = schema.ModelT(), schema.SubGraphT(), schema.BufferT()
    data.data = vectors.reshape(-1).view(np.uint8)
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT(), data], [graph]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.GATHER
    code.version = 4
    model.operatorCodes = [code]
    graph.tensors = [
        tensor("ids", [2], schema.TensorType.INT32),
        tensor("table", vectors.shape, kind, 1, SCALE),
        tensor("one", [2, vectors.shape[1]], kind, scale=SCALE),
        tensor("other", [2, vectors.shape[1]], kind, scale=SCALE),
    ]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([2, 3], np.int32)
    graph.operators = []
    for result in (2, 3):
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = np.array([1, 0], np.int32), np.array([result], np.int32)
        operator.builtinOptionsType = schema.BuiltinOptions.GatherOptions
        operator.builtinOptions = schema.GatherOptionsT()
        graph.operators.append(operator)
    return packed(model)


def run(content, ids):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array(ids, np.int32))
    interpreter.invoke()
    return [interpreter.get_tensor(about["index"]) for about in interpreter.get_output_details()]


@pytest.mark.parametrize("size", [1.0, 0.01, 0.0])
def test_vectors_are_those_of_before_within_half_a_unit(size):
    vectors = (VECTORS * size).astype(np.int16)
    wide = lookup(vectors, schema.TensorType.INT16)
    narrow = narrow_tables(wide)
    unit = max(np.abs(vectors).max() / 127, 1)
    for found in run(narrow, [6, 2]):
        assert found.dtype == np.int16
        np.testing.assert_allclose(found, vectors[[6, 2]], rtol=0, atol=unit / 2 + 1)
    np.testing.assert_array_equal(run(wide, [6, 2])[0], vectors[[6, 2]])
    model = schema.ModelT.InitFromPackedBuf(narrow)
    (graph,) = model.subgraphs
    table = graph.tensors[1]
    assert table.type == schema.TensorType.INT8
    assert len(model.buffers[table.buffer].data) == vectors.size


def test_a_file_without_such_a_table_stays_as_it_is():
    content = lookup((VECTORS // 300).astype(np.int8), schema.TensorType.INT8)
    assert narrow_tables(content) is content
