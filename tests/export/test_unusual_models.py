"""Models and paths that are rarely met: they are exported, or refused by what is to be changed."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, layers

from gru_zoo import export, load
from gru_zoo.export.checks import probes
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.signatures import to_builtins
from gru_zoo.models.keras_file import load_keras_file

F = 5


def sequential(*stack, shape=(None, F)):
    keras.utils.set_random_seed(3)
    return keras.Sequential([Input(shape), *stack])


def served(folder, **inputs):
    run = tf.saved_model.load(folder).signatures["serving_default"]
    return run(**{name: tf.constant(x) for name, x in inputs.items()})["outputs"]


LONG = pytest.mark.slow


@pytest.mark.parametrize(
    "stack",
    [
        pytest.param([layers.Conv1D(8, 3, padding="same"), layers.MaxPooling1D(2)], id="pooled"),
        pytest.param([layers.Conv1D(6, 3)], id="valid", marks=LONG),
        pytest.param([layers.Conv1D(6, 4, strides=2)], id="strided"),
        pytest.param([layers.AveragePooling1D(3)], id="averaged", marks=LONG),
        pytest.param([layers.Cropping1D((2, 1))], id="cropped", marks=LONG),
    ],
)
def test_a_saved_model_may_need_several_steps(tmp_path, stack):
    model = sequential(*stack, layers.GRU(4), layers.Dense(2))
    assert export.saved_model(model, tmp_path / "m") < 1e-5
    x = np.random.default_rng(1).normal(size=(2, 11, F)).astype("float32")
    np.testing.assert_allclose(served(tmp_path / "m", inputs=x), model(x), atol=1e-6)


def test_a_model_that_reads_no_sequence_is_told_so(tmp_path):
    model = sequential(layers.Conv1D(6, 300), layers.GRU(4))
    with pytest.raises(ValueError, match=r"model must take a sequence of 256 steps or fewer; it"):
        export.saved_model(model, tmp_path / "m")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param((), id="nothing", marks=LONG),
        pytest.param((layers.GlobalAveragePooling1D(),), id="mean"),
        pytest.param((layers.GRU(6),), id="gru", marks=LONG),
    ],
)
def test_a_saved_model_of_a_layer_at_every_step(tmp_path, behind):
    """Keras' TimeDistributed itself loses steps where neither batch nor time is known."""
    model = sequential(
        layers.Masking(),
        layers.GRU(7, return_sequences=True),
        layers.TimeDistributed(layers.Dense(3, activation="relu")),
        *behind,
    )
    export.saved_model(model, tmp_path / "m")
    assert "call" not in vars(model.layers[2])
    x = np.random.default_rng(2).normal(size=(2, 8, F)).astype("float32")
    x[1, 5:] = 0
    np.testing.assert_allclose(served(tmp_path / "m", inputs=x), model(x), atol=1e-6)


def test_an_output_of_another_shape_is_told_by_its_shape():
    with pytest.raises(Refused, match=r"output 'y' has shape \(3, 3\), the model's \(3, 6\)"):
        probes.require_shape("m", "y", np.ones((3, 3)), np.ones((3, 6)))


def test_layers_that_keras_has_quantized_are_named(tmp_path):
    model = sequential(layers.GRU(7), layers.Dense(8, name="head"))
    model.layers[-1].quantize("int8")
    with pytest.raises(ValueError, match="layer 'head' must have float32 weights for TFLite; got"):
        export.tflite(model, tmp_path / "m.tflite")


def test_whole_numbers_that_are_no_ids_are_told_what_they_may_be(tmp_path):
    x, z = Input((None, F), name="x"), Input((3,), name="z", dtype="int32")
    both = layers.Concatenate()([layers.GRU(4)(x), layers.Dense(3)(z)])
    with pytest.raises(ValueError, match="input 'z' of the model must be float, or ids"):
        export.tflite(keras.Model([x, z], layers.Dense(2)(both)), tmp_path / "m.tflite")


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(layers.Identity(), id="identity"),
        pytest.param(layers.Dropout(0.2), id="dropout", marks=LONG),
        pytest.param(lambda ids: keras.ops.minimum(ids, 3), id="minimum", marks=LONG),
    ],
)
def test_ids_that_are_looked_up_behind_something_else(tmp_path, between):
    ids = Input((20,), dtype="int32")
    read = layers.GRU(4)(layers.Embedding(5, 3)(between(ids)))
    model = keras.Model(ids, read)
    for write, name in zip(EXPORTS, ("m.tflite", "m"), strict=True):
        assert write(model, tmp_path / name) < 1e-5


def test_an_operation_is_no_layer_for_onnx(tmp_path):
    pytest.importorskip("onnx")
    x = Input((None, 3))
    message = "operation 'multiply.*' is a Multiply. keras.layers.Multiply may do instead"
    with pytest.raises(ValueError, match=message):
        export.onnx(keras.Model(x, layers.GRU(3)(x * 2.0)), tmp_path / "m.onnx")


EXPORTS = [export.tflite, export.saved_model]


def test_names_of_inputs_that_tensorflow_takes_for_one(tmp_path):
    def added(*names):
        inputs = [Input((None, F), name=name) for name in names]
        return keras.Model(inputs, layers.GRU(3)(layers.Add()(inputs)))

    for write in EXPORTS:
        with pytest.raises(ValueError, match="in more than case for TensorFlow; got 'x' and 'X'"):
            write(added("x", "X"), tmp_path / "m.tflite")
    assert export.tflite(added("self", "other"), tmp_path / "m.tflite") < 1e-5


@pytest.mark.parametrize("write", EXPORTS)
@pytest.mark.parametrize("path", [None, 3, b"x"], ids=str)
def test_what_is_no_path_is_named(write, path):
    with pytest.raises(ValueError, match=r"(path|folder) must be a string or an os.PathLike; got"):
        write(sequential(layers.GRU(3)), path)


@pytest.mark.parametrize("write", EXPORTS)
def test_a_link_to_nothing_is_something(tmp_path, write):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match=r"must be new, or overwrite=True"):
        write(sequential(layers.GRU(3)), tmp_path / "link")


def test_where_a_saved_model_cannot_be(tmp_path):
    model = sequential(layers.GRU(3))
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="folder must be a folder, or new; .* is a file"):
        export.saved_model(model, tmp_path / "file", overwrite=True)
    (tmp_path / "with [brackets]").mkdir()
    for name in ("with [brackets]", "back\\slash"):
        with pytest.raises(ValueError, match=r"folder must be a path without '\['"):
            export.saved_model(model, tmp_path / name / "m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 10**10}, "sequence_length must be at most 2,147,483,647"),
        ({"min_runtime": "-1.2"}, "min_runtime must be a version such as '2.17'"),
    ],
    ids=["sequence_length", "min_runtime"],
)
def test_numbers_that_no_file_can_have(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export.tflite(sequential(layers.GRU(3)), tmp_path / "m.tflite", **options)


def test_the_line_of_a_converters_error_that_says_why():
    holder = tf.Module()
    volume = tf.function(lambda x: {"y": tf.linalg.det(x)})
    given = volume.get_concrete_function(tf.TensorSpec((2, 2), tf.float32))
    with pytest.raises(ValueError, match=r"builtin operators: .*error: .*MatrixDeterminant"):
        to_builtins(given, holder, "float32")


def test_a_file_that_is_no_archive_is_not_missing(tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("text")
    with pytest.raises(ValueError, match="is corrupt: it is no zip archive, as Keras' files are"):
        load_keras_file(path)


def test_a_class_that_is_not_known_is_named_inside_of_a_model(tmp_path):
    class Odd(layers.Dense):
        pass

    sequential(layers.GRU(3), Odd(2)).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"could not be read: .*Could not locate class 'Odd'"):
        load_keras_file(tmp_path / "m.keras")


@pytest.mark.slow
def test_a_model_that_random_numbers_are_wrong_for(tmp_path):
    """The file has the user's name in the message, and the remedy is there; and it is one."""
    model = load("music_nottingham_gru_small")
    path = tmp_path / "m.tflite"
    message = r"/m.tflite \(int8\) must be within 0.1 of the model; .* `representative` sequences"
    with pytest.raises(Refused, match=message) as refused:
        export.tflite(model, path, "int8")
    assert str(refused.value).startswith(str(path))
    random = np.random.default_rng(0)
    rolls = [(random.random((40, 88)) < 0.04).astype("float32") for _ in range(3)]
    assert export.tflite(model, path, "int8", representative=rolls) < 0.1
