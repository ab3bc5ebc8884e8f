"""What is left out of a file, and that it computes the same bit for bit."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from gru_zoo.export.flatbuffer.dead_loop_variables import drop_dead_loop_variables
from gru_zoo.export.flatbuffer.packing import packed, slim
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.names import WHOLE
from gru_zoo.export.signatures import convert, named
from tests.export import models
from tests.export.test_steps import sequences


def read(content):
    return schema.ModelT.InitFromPackedBuf(content)


def loops(model):
    code = schema.BuiltinOperator.WHILE
    return [
        operator
        for graph in model.subgraphs
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == code
    ]


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.slow
@pytest.mark.parametrize("name", ["words_dense", "last", "two_outputs"])
def test_a_slim_file_computes_the_same(name, weights):
    model = models.make(name)
    graph = SequenceGraph(Network(model))
    function = graph.whole.get_concrete_function(**graph.inputs)
    content = named(convert({WHOLE: function}, graph, weights), 9)
    small = slim(content)
    assert len(small) < len(content) - 200 and slim(small) == small
    for time in (1, 20, 33):
        given = sequences(model, time, seed=time)
        results = [
            Interpreter(model_content=each, num_threads=1).get_signature_runner(WHOLE)(**given)
            for each in (content, small)
        ]
        for key, wanted in results[0].items():
            np.testing.assert_array_equal(results[1][key], wanted)


def test_a_slim_file_keeps_the_names_that_callers_use():
    model = models.make("last")
    graph = SequenceGraph(Network(model))
    function = graph.whole.get_concrete_function(**graph.inputs)
    small = read(slim(named(convert({WHOLE: function}, graph, "float32"), 9)))
    assert small.subgraphs[0].tensors[small.subgraphs[0].inputs[0]].name == b"inputs"
    assert small.subgraphs[0].tensors[small.subgraphs[0].outputs[0]].name == b"outputs"
    public = sum(len({*graph.inputs, *graph.outputs}) for graph in small.subgraphs)
    names = [tensor.name for graph in small.subgraphs for tensor in graph.tensors if tensor.name]
    assert len(names) == public < sum(len(graph.tensors) for graph in small.subgraphs)


def converted(function):
    content = convert(
        {WHOLE: tf.function(function).get_concrete_function(x=tf.TensorSpec((), tf.int32, "x"))},
        tf.Module(),
        "float32",
    )
    return content, Interpreter(model_content=content).get_signature_runner(WHOLE)


def returned(x):
    i, n = tf.while_loop(lambda i, n: i < x, lambda i, n: (i + 1, n + 3), (0, 0))
    return {"y": i + n}


def in_the_condition(x):
    i, _ = tf.while_loop(lambda i, n: n < x, lambda i, n: (i + 2, n + 3), (0, 0))
    return {"y": i}


def in_another_variable(x):
    i, m, _ = tf.while_loop(lambda i, m, n: i < x, lambda i, m, n: (i + 1, m + n, n + 3), (0, 0, 0))
    return {"y": i + m}


@pytest.mark.parametrize("function", [returned, in_the_condition, in_another_variable])
def test_variables_that_are_read_stay(function):
    content, run = converted(function)
    model = read(content)
    assert loops(model) and drop_dead_loop_variables(model) == 0
    small = Interpreter(model_content=packed(model)).get_signature_runner(WHOLE)
    for x in (0, 1, 7):
        assert small(x=np.int32(x))["y"] == run(x=np.int32(x))["y"] == function(x)["y"]


# Loops of a GRU(7), four steps an iteration and the rest; of two whose every step is kept.
@pytest.mark.parametrize(("name", "idle"), [("last", 2), ("two_outputs", 3)])
def test_each_loop_of_a_gru_loses_tensorflows_own_counter(name, idle):
    graph = SequenceGraph(Network(models.make(name)))
    function = graph.whole.get_concrete_function(**graph.inputs)
    model = read(convert({WHOLE: function}, graph, "float32"))
    before = [len(loop.inputs) for loop in loops(model)]
    assert (
        drop_dead_loop_variables(model)
        == idle
        == sum(before) - sum(len(loop.inputs) for loop in loops(model))
    )
    assert drop_dead_loop_variables(model) == 0


def test_equal_vectors_are_written_once():
    def model(second):
        graph = schema.SubGraphT()
        graph.tensors = []
        for zeros in (np.zeros(500, np.int64), second):
            tensor = schema.TensorT()
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.ones(500, np.float32)
            tensor.quantization.zeroPoint = zeros
            graph.tensors.append(tensor)
        whole = schema.ModelT()
        whole.subgraphs = [graph]
        return packed(whole)

    same, other = model(np.zeros(500, np.int64)), model(np.arange(500))
    assert len(same) < 500 * (8 + 4) + 200 and len(other) > 500 * (8 + 8 + 4)
    tensors = read(other).subgraphs[0].tensors
    np.testing.assert_array_equal(tensors[1].quantization.zeroPoint, np.arange(500))


def as_another_variable(x):
    _, j, _ = tf.while_loop(lambda i, j, n: n < x, lambda i, j, n: (i + 2, i + 2, n + 3), (0, 0, 0))
    return {"y": j}


def test_a_next_value_that_is_anothers_too_stays():
    content, run = converted(as_another_variable)
    model = read(content)
    drop_dead_loop_variables(model)
    small = Interpreter(model_content=packed(model)).get_signature_runner(WHOLE)
    for x in (0, 1, 7):
        assert small(x=np.int32(x))["y"] == run(x=np.int32(x))["y"] == as_another_variable(x)["y"]
