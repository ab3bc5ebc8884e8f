"""Inputs and outputs of an ONNX file: their names and their batch."""

import keras
import numpy as np
import pytest
from keras import layers

from gru_zoo import GRU, StackedGRU
from gru_zoo.export.onnx_file import onnx

onnxruntime = pytest.importorskip("onnxruntime")

FLOATS = (None, 4)
T, D, U = 5, 4, 7


def fitted():
    model = keras.Sequential([layers.GRU(U), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, T, D)), np.ones((8, 2)), batch_size=8, verbose=0)
    return model


def stack_of_a_batch():
    x = layers.Input((T, D), batch_size=8)
    return keras.Model(x, StackedGRU(U, 2)(x))


@pytest.mark.parametrize("make", [fitted, stack_of_a_batch])
def test_a_fixed_batch_is_opened(make, tmp_path, capfd):
    model = make()
    assert model.inputs[0].shape == (8, T, D)
    onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_inputs()[0].shape[0] == session.get_outputs()[0].shape[0] == "batch"
    x = np.random.default_rng(0).normal(size=(3, T, D)).astype("float32")
    for given, wanted in zip(
        session.run(None, {"inputs": x}), keras.tree.flatten(model(x)), strict=True
    ):
        np.testing.assert_allclose(given, wanted, atol=1e-5)
    assert "shape" not in capfd.readouterr().err  # as onnxruntime warns of one that is not so


def test_an_output_with_the_name_of_an_input_is_refused(tmp_path):
    x, who = layers.Input(FLOATS, name="x"), layers.Input((3,), name="who")
    read = layers.Concatenate()([GRU(U)(x), who])
    model = keras.Model([x, who], {"x": read, "y": layers.Dense(2)(read)})
    with pytest.raises(ValueError, match=r"names that no input has for ONNX; got \['x'\]"):
        onnx(model, tmp_path / "model.onnx")
