"""Names of inputs, outputs and states: each its own, and one that a signature can have."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, layers

from gru_zoo import GRU, export
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.export.runners.streamer import Streamer

F = 4


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(3)


def frames(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def two_outputs_beside_the_third():
    x = Input((None, F))
    states, last = GRU(5, return_sequences=True, return_state=True, name="gru")(x)
    return keras.Model(x, [states, last, GRU(7, name="gru_2")(states)])


@pytest.mark.slow
def test_a_second_output_takes_no_other_layers_name(tmp_path):
    model, x = two_outputs_beside_the_third(), frames(1, 6, F)
    names = Network(model).output_names
    assert names == ["gru", "gru_3", "gru_2"]
    wanted = dict(zip(names, model(x), strict=True))
    export.saved_model(model, tmp_path / "folder")
    loaded = tf.saved_model.load(str(tmp_path / "folder"))
    found = loaded.signatures["serving_default"](inputs=tf.constant(x))
    export.tflite(model, tmp_path / "m.tflite")
    lite = interpreter(tmp_path / "m.tflite").get_signature_runner("serving_default")(inputs=x)
    for given in (found, lite):
        assert sorted(given) == sorted(names)
        for name in names:
            np.testing.assert_allclose(given[name], wanted[name], atol=1e-6)


def test_the_same_outputs_in_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model, x = two_outputs_beside_the_third(), frames(1, 6, F)
    export.onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    names = [port.name for port in session.get_outputs()]
    assert names == ["gru", "gru_3", "gru_2"]
    for given, wanted in zip(session.run(None, {"inputs": x}), model(x), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-6)


@pytest.mark.slow
def test_what_no_argument_can_be_called_is_an_underscore(tmp_path):
    sound, who = Input((None, F), name="the-sound"), Input((3,), name="who.is")
    read = layers.Concatenate()([GRU(5, name="my-gru.1")(sound), who])
    model = keras.Model([sound, who], layers.Dense(2, name="an-answer")(read))
    export.tflite(model, tmp_path / "m.tflite", gates=True)
    export.saved_model(model, tmp_path / "folder")
    x, y = frames(1, 6, F), frames(1, 3)
    stream = Streamer(tmp_path / "m.tflite")
    assert list(stream.state) == ["state_my_gru_1"]
    for row in x[0]:
        said = stream.push(the_sound=row, who_is=y[0])
    np.testing.assert_allclose(said["outputs"], model([x, y]), atol=1e-6)
    signature = tf.saved_model.load(str(tmp_path / "folder")).signatures["serving_default"]
    given = signature(the_sound=tf.constant(x), who_is=tf.constant(y))
    np.testing.assert_allclose(given["outputs"], model([x, y]), atol=1e-6)


def test_a_name_begins_with_a_letter():
    sound, who = Input((None, F), name="1st"), Input((3,), name="2nd")
    model = keras.Model([sound, who], layers.Concatenate()([GRU(5)(sound), who]))
    x, y = frames(1, 6, F), frames(1, 3)
    graph = SequenceGraph(Network(model))
    given = graph.whole(arg_1st=tf.constant(x), arg_2nd=tf.constant(y))
    np.testing.assert_allclose(given["outputs"], model([x, y]), atol=1e-6)


def test_inputs_that_differ_in_nothing_else_are_refused():
    one, two = Input((None, F), name="a-b"), Input((3,), name="a.b")
    model = keras.Model([one, two], layers.Concatenate()([GRU(5)(one), two]))
    with pytest.raises(ValueError, match="inputs must have names that differ.*got 'a.b'"):
        Network(model)


def test_states_that_differ_in_nothing_else_are_refused():
    x = Input((None, F))
    model = keras.Model(x, GRU(5, name="a.b")(GRU(5, return_sequences=True, name="a-b")(x)))
    with pytest.raises(ValueError, match="two give 'state_a_b'"):
        step_graph(model)


def outputs_in_a_dictionary():
    x = Input((None, F))
    h = GRU(5)(x)
    outputs = {"topic": layers.Dense(3, name="b")(h), "a mood": layers.Dense(2, name="a")(h)}
    return keras.Model(x, outputs)


@pytest.mark.slow
def test_outputs_have_the_keys_of_a_dictionary(tmp_path):
    model, x = outputs_in_a_dictionary(), frames(1, 6, F)
    assert Network(model).output_names == ["a mood", "topic"]
    wanted = model(x)
    export.saved_model(model, tmp_path / "folder")
    loaded = tf.saved_model.load(str(tmp_path / "folder"))
    found = loaded.signatures["serving_default"](inputs=tf.constant(x))
    export.tflite(model, tmp_path / "m.tflite")
    lite = interpreter(tmp_path / "m.tflite").get_signature_runner("serving_default")(inputs=x)
    stream = Streamer(tmp_path / "m.tflite")
    pushed = [stream.push(row) for row in x[0]][-1]
    for given in (found, lite, pushed):
        assert given.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_allclose(given[name], array, atol=1e-6)


def test_the_same_keys_in_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model, x = outputs_in_a_dictionary(), frames(1, 6, F)
    export.onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    names = [port.name for port in session.get_outputs()]
    assert names == ["a mood", "topic"]
    for name, given in zip(names, session.run(None, {"inputs": x}), strict=True):
        np.testing.assert_allclose(given, model(x)[name], atol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (lambda h: {"mood": h}, ["mood"]),
        (lambda h: [h], ["outputs"]),
        (lambda h: {"a": [h, 2 * h]}, ["gru", "multiply"]),  # Keras' own: no key for each
    ],
)
def test_names_of_outputs(outputs, names):
    x = Input((None, F))
    model = keras.Model(x, outputs(GRU(5, name="gru")(x)))
    assert [name.rstrip("_0123456789") for name in Network(model).output_names] == names
