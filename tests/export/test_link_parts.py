"""Linking converted graphs into one."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from gru_zoo.export.flatbuffer.link import Linker
from gru_zoo.export.tflite_file import to_builtins


class Step(tf.Module):
    """y = tanh(x W) + 1, and a loop for the refusal."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(0)
        self.weight = tf.Variable(random.normal(size=(40, 40)).astype(np.float32))

    @tf.function
    def __call__(self, x):
        return {"y": tf.tanh(x @ self.weight) + 1}

    @tf.function
    def loop(self, x):
        return {"y": tf.while_loop(lambda y: tf.reduce_sum(y) > 0, lambda y: (y - 1,), (x,))[0]}


SPEC = tf.TensorSpec((1, 40), tf.float32, "x")


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_part_is_repeated_and_its_constants_are_not(weights):
    step = Step()
    content = to_builtins(step.__call__.get_concrete_function(SPEC), step, weights)
    linker = Linker()
    part = linker.part(content)
    y = linker.input("x", part, "x")
    for _ in range(50):
        y = linker.add(part, {"x": y})["y"]
    linked = linker.finish({"y": y})

    value = np.random.default_rng(1).normal(size=(1, 40)).astype(np.float32)
    result = Interpreter(model_content=linked).get_signature_runner()(x=value)["y"]
    one = Interpreter(model_content=content).get_signature_runner()
    for _ in range(50):
        value = one(x=value)["y"]
    np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-5)
    assert len(linked) < 50 * 1000 + 4 * 40 * 40


def test_runtime_version_is_the_newest_of_the_parts():
    step = Step()
    function = step.__call__.get_concrete_function(SPEC)
    linker = Linker()
    for weights in ("int8", "float32"):
        part = linker.part(to_builtins(function, step, weights))
    y = linker.add(part, {"x": linker.input("x", part, "x")})["y"]
    assert b"2.17.0" in linker.finish({"y": y})


def test_part_with_a_loop_is_refused():
    step = Step()
    content = to_builtins(step.loop.get_concrete_function(SPEC), step, "float32")
    with pytest.raises(ValueError, match="content must have one subgraph; got 3"):
        Linker().part(content)
