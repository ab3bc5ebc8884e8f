"""A user's own activation goes along through every conversion, whatever it is called."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from gru_zoo import GRU, StackedGRU
from gru_zoo.convert import flip_update_gate, from_keras, to_keras
from gru_zoo.gates import layer_gates

X = np.random.default_rng(3).normal(size=(2, 5, 4)).astype("float32")


def tanh(x):
    """LeCun's, which Keras takes for its own by its name."""
    return 1.7159 * ops.tanh(2 / 3 * x)


FUNCTIONS = {
    "of Keras' name": tanh,
    "of no name": lambda x: 0.5 * ops.tanh(x),
    "no function": functools.partial(ops.clip, x_min=-0.9, x_max=0.9),
}


@pytest.fixture(params=FUNCTIONS)
def function(request):
    keras.utils.set_random_seed(3)
    return FUNCTIONS[request.param]


# Keras' own warning at a lambda, where the configuration is asked for.
pytestmark = pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")


def same(one, other):
    np.testing.assert_allclose(one(X), other(X), atol=1e-6)


def test_a_layer_is_called_with_it(function):
    ours, plain = (kind(3, activation=function) for kind in (GRU, layers.GRU))
    ours.build(X.shape)
    plain.build(X.shape)
    plain.set_weights(ours.get_weights())
    same(ours, plain)


def test_conversions_take_it_along():
    keras.utils.set_random_seed(3)
    plain, ours = layers.GRU(3, activation=tanh), GRU(3, activation=tanh)
    stack = StackedGRU(3, 2, activation=tanh, return_state=False)
    for layer in (plain, ours, stack):
        layer(X)
    same(from_keras(plain), plain)
    same(to_keras(ours), ours)
    same(flip_update_gate(ours), ours)
    same(flip_update_gate(stack), stack)
    np.testing.assert_allclose(layer_gates(plain, X).after[:, -1], plain(X), atol=1e-6)


def test_in_both_directions():
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True))
    both.build(X.shape)
    for layer in (both.forward_layer, both.backward_layer):
        layer.cell.activation = tanh
    same(from_keras(both), both)
    same(to_keras(from_keras(both)), both)


def test_a_subclass_of_bidirectional_is_refused():
    class Twice(layers.Bidirectional):
        def call(self, *args, **kwargs):
            return 2 * super().call(*args, **kwargs)

    both = Twice(layers.GRU(3))
    both.build(X.shape)
    for convert in (from_keras, to_keras):
        with pytest.raises(ValueError, match=r"layer must be .*GRU; got .*Twice"):
            convert(both)
