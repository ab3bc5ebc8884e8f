"""What is said of a layer or an input that cannot be exported: what it is, and what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, layers

from gru_zoo import GRU, export

F = 4
FORMATS = [
    export.tflite,
    export.saved_model,
    lambda model, path: (pytest.importorskip("onnxruntime"), export.onnx(model, path)),
]


class Mine(layers.GRU):
    """A subclass, which may compute anything."""


def with_(layer):
    x = Input((None, F))
    return keras.Model(x, layers.Dense(2)(layer(x)))


REFUSED = {
    "last step": (
        lambda: with_(lambda x: GRU(5, return_sequences=True)(x)[:, -1]),
        r"'get_item.*' \(GetItem\) must be .*use return_sequences=False instead of x\[:, -1\]",
    ),
    "subclass": (
        lambda: with_(Mine(5, name="mine")),
        "'mine' .*It must be keras.layers.GRU itself, not a class derived from it",
    ),
    "pooling": (
        lambda: with_(lambda x: GRU(5)(layers.MaxPooling1D(name="pool")(x))),
        r"'pool' \(MaxPooling1D\) must be a GRU, a convolution or pooling over all steps",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_is_refused_with_a_remedy(name, tmp_path):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        export.tflite(make(), tmp_path / "model.tflite")


@pytest.mark.parametrize("name", ["last step", "subclass"])
def test_onnx_knows_the_same_remedies(name, tmp_path):
    pytest.importorskip("onnxruntime")
    make, message = REFUSED[name]
    remedy = message.rpartition(".*It")[2] if name == "subclass" else "return_sequences=False"
    with pytest.raises(ValueError, match=remedy):
        export.onnx(make(), tmp_path / "model.onnx")


def of_texts(shape):
    vectorization = layers.TextVectorization(
        vocabulary=["good", "bad"], output_sequence_length=6, name="split"
    )
    text = Input(shape, dtype="string", name="text")
    h = layers.GRU(5)(layers.Embedding(4, 3)(vectorization(text)))
    return vectorization, keras.Model(text, layers.Dense(2)(h))


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("shape", [(1,), ()])
def test_texts_are_refused_and_the_model_behind_is_not(shape, write, tmp_path):
    layer, model = of_texts(shape)
    message = (
        r"input 'text' .*strings, which layer 'split' \(TextVectorization\) turns into ids.*"
        r"keras.Model\(layer.output, model.output\).*layer.get_vocabulary\(\)"
    )
    with pytest.raises(ValueError, match=message):
        write(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())
    write(keras.Model(layer.output, model.output), tmp_path / "model")


def test_the_model_behind_a_vocabulary_does_the_same(tmp_path):
    layer, model = of_texts((1,))
    behind = keras.Model(layer.output, model.output)
    export.saved_model(behind, tmp_path / "model")
    texts = tf.constant([["bad good"], ["what a good one"]])
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    given = served(ids=tf.cast(layer(texts), tf.int32))["outputs"]
    np.testing.assert_allclose(given, model(texts), atol=1e-5)
