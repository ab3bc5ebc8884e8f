"""`trainable` of layers and models made of others: it reaches every part, and survives a file."""

import keras
import numpy as np
import pytest

from gru_zoo.layers.attention import Attention
from gru_zoo.layers.encoders import Stack, Transformer
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def stacked(**options):
    return StackedGRU(8, 3, bidirectional=True, return_state=False, kernel="loop", **options), (X,)


def attention(**options):
    return Attention(6, "additive", heads=2, **options), (X, X)


def stack(**options):
    layers = [GRU(8, return_sequences=True, kernel="loop") for _ in range(2)]
    return Stack(layers, **options), (X,)


def transformer(**options):
    return Transformer(8, num_layers=2, **options), (X,)


LAYERS = (stacked, attention, stack, transformer)


@pytest.mark.parametrize("make", LAYERS)
def test_no_variable_of_a_frozen_layer_is_trainable(make):
    layer, given = make(trainable=False)
    again = type(layer).from_config(layer.get_config())
    for each in (layer, again):
        each(*given)
        assert each.weights and not any(weight.trainable for weight in each.weights)
    later, given = make()
    later.trainable = False  # before it has variables
    later(*given)
    assert later.weights and not any(weight.trainable for weight in later.weights)
    later.trainable = True
    assert all(weight.trainable for weight in later.weights)


def flags(layer):
    return [weight.trainable for weight in layer.weights]


@pytest.mark.parametrize("make", LAYERS)
def test_frozen_parts_stay_frozen_in_a_new_layer(make):
    layer, given = make()
    layer(*given)
    parts = [part for part in layer._flatten_layers(include_self=False) if part.weights]
    for part in parts:
        for each in layer._flatten_layers():
            each.trainable = True
        part.trainable = False
        again = type(layer).from_config(layer.get_config())
        again(*given)
        if "/attention/" not in part.path:  # Keras' attention makes its parts when it is built.
            assert flags(again) == flags(layer), part.path
            assert again.get_config() == layer.get_config()
    layer.trainable = False
    parts[-1].trainable = True
    again = type(layer).from_config(layer.get_config())
    again(*given)
    assert not again.trainable and flags(again) == flags(layer)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_stack_with_a_frozen_layer_computes_the_same_when_it_is_loaded(tmp_path, ending):
    inputs = keras.Input((None, 8))
    layer, _ = stacked(name="stacked")
    model = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    layer.grus[1][0].trainable = False  # of the shape of the layer above it
    model.save(tmp_path / f"model.{ending}")
    loaded = keras.saving.load_model(tmp_path / f"model.{ending}")
    np.testing.assert_array_equal(loaded(X), model(X))
    assert flags(loaded.get_layer("stacked")) == flags(layer)
    assert len(loaded.trainable_variables) == 5 * 3
