"""Layers beside the GRU in export.onnx, which itself compares each with Keras in onnxruntime."""

import numpy as np
import pytest
from keras import Input, Model, Sequential, layers, ops

from gru_zoo import GRU, export

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

D, U = 4, 7


def sequences(*stack, time=None):
    return Sequential([Input((time, D)), *stack])


def adapted(**options):
    layer = layers.Normalization(**options)
    layer.adapt(np.random.default_rng(1).normal(5, 3, size=(20, 4, D)))
    return layer


def subtracted():
    x = Input((None, D))
    difference = layers.Subtract()([layers.GRU(D, return_sequences=True)(x), adapted()(x)])
    return Model(x, [difference, layers.TimeDistributed(layers.GaussianNoise(0.1))(x)])


def embedded(*stack):
    words = layers.Embedding(11, 6, mask_zero=True, name="words")
    return Sequential([Input((None,)), words, *stack])


def lora(mode=None):
    model = embedded(GRU(U))
    model.layers[0].enable_lora(2)
    model.layers[0].lora_embeddings_b.assign(np.random.default_rng(1).normal(size=(2, 6)))
    if mode:
        model.layers[0].quantize(mode)
    return model


MODELS = {
    "rescaled": lambda: sequences(
        layers.Rescaling([0.5, 2, 1, 3], 0.1), adapted(invert=True), layers.UnitNormalization()
    ),
    "slopes": lambda: sequences(
        GRU(U, return_sequences=True),
        layers.TimeDistributed(layers.LeakyReLU(0.2)),
        layers.AlphaDropout(0.1),
        layers.ActivityRegularization(0.1),
        layers.ELU(0.7),
        layers.UnitNormalization(axis=[2]),
    ),
    # In float32 x / deviation - mean / deviation would lose them.
    "close": lambda: sequences(
        layers.Rescaling(1e-3, 1.0), layers.Normalization(mean=1.0, variance=1e-6)
    ),
    "behind roots no mask": lambda: embedded(layers.RMSNormalization(epsilon=0.1), GRU(U)),
    "subtracted": subtracted,
    # Each with the other's numbers is off by more than is allowed where its input is as large.
    "gelu": lambda: sequences(layers.Rescaling(3.0), layers.Activation("gelu")),
    "gelu by tanh": lambda: sequences(layers.Rescaling(3.0), layers.Activation(ops.gelu)),
    "lora": lora,
}


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("name", MODELS)
def test_equals_keras(name, tmp_path):
    export.onnx(MODELS[name](), tmp_path / "m.onnx")


REFUSED = {
    "axis": (
        lambda: sequences(layers.RMSNormalization(axis=1, name="n"), time=5),
        "axis of layer 'n' must be -1, the last one, for ONNX; got 1",
    ),
    "channels": (
        lambda: sequences(
            layers.GlobalMaxPooling1D(data_format="channels_first", name="p"), time=5
        ),
        "layer 'p' .*must have data_format='channels_last'; got 'channels_first'",
    ),
    "quantized": (
        lambda: lora("int8"),
        "layer 'words' must have float32 weights for ONNX; got int8",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_before_anything_is_written(name, tmp_path):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        export.onnx(make(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
