"""A user's own functions and objects go along through every conversion, whatever their names."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from gru_zoo import GRU, StackedGRU
from gru_zoo.convert import flip_update_gate, from_keras, to_keras, to_torch
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


class Own(keras.constraints.Constraint):
    """A user's, not registered."""

    def __call__(self, w):
        return ops.clip(w, -0.5, 0.5)

    def get_config(self):
        raise AssertionError("a conversion needs no configuration")


def own_initializer(shape, dtype=None):
    return ops.ones(shape, dtype)


OBJECTS = {
    "bias_initializer": own_initializer,
    "kernel_constraint": Own(),
    "recurrent_regularizer": lambda w: ops.sum(ops.abs(w)),
    "activity_regularizer": lambda h: ops.sum(ops.square(h)),
}


def has_the_objects(gru):
    of_layer = gru.activity_regularizer is OBJECTS["activity_regularizer"]
    rest = (name for name in OBJECTS if name != "activity_regularizer")
    return of_layer and all(getattr(gru.cell, name) is OBJECTS[name] for name in rest)


def test_conversions_take_unregistered_objects_along():
    plain, ours = layers.GRU(3, **OBJECTS), GRU(3, **OBJECTS)
    for layer in (plain, ours):
        layer.build(X.shape)
    assert has_the_objects(from_keras(plain))
    assert has_the_objects(to_keras(ours))
    assert layer_gates(plain, X).z.shape == (2, 5, 3)
    assert len(to_torch(ours)) == 4  # looks at no configuration either


def test_a_flip_takes_unregistered_objects_along():
    options = {"bias_initializer": own_initializer, "kernel_regularizer": lambda w: ops.sum(w**2)}
    for layer in (GRU(3, **options), StackedGRU(3, 2, **options)):
        layer.build(X.shape)
        flipped = flip_update_gate(layer)
        grus = [flipped] if isinstance(layer, GRU) else [gru for (gru,) in flipped.grus]
        for gru in grus:
            assert gru.cell.bias_initializer is own_initializer
            assert gru.cell.kernel_regularizer is options["kernel_regularizer"]


def test_both_directions_take_unregistered_objects_along():
    both = layers.Bidirectional(layers.GRU(3))
    for layer in (both.forward_layer, both.backward_layer):
        layer.activity_regularizer = OBJECTS["activity_regularizer"]
        for name in OBJECTS.keys() - {"activity_regularizer"}:
            setattr(layer.cell, name, OBJECTS[name])
    both.build(X.shape)
    for converted in (from_keras(both), to_keras(from_keras(both))):
        assert has_the_objects(converted.forward_layer) and has_the_objects(
            converted.backward_layer
        )


def test_the_implementation_goes_along():
    plain, ours = layers.GRU(3, implementation=1), GRU(3, implementation=1)
    for layer in (plain, ours):
        layer.build(X.shape)
    for converted in (from_keras(plain), to_keras(ours), flip_update_gate(ours)):
        assert converted.cell.implementation == 1


@pytest.mark.parametrize("name", ["kernel", "recurrent", "bias"])
@pytest.mark.parametrize("constraint", ["non_neg", Own()])
def test_a_constraint_that_would_undo_a_flip_is_refused(name, constraint):
    options = {f"{name}_constraint": constraint}
    plain, ours = layers.GRU(3, **options), GRU(3, **options)
    write = GRU(3, update_gate="write", **options)
    for layer in (plain, ours, write):
        layer.build(X.shape)
    message = f"{name}_constraint must be None, MaxNorm, .* got (NonNeg|Own)"
    for convert in (
        lambda: from_keras(plain, update_gate="write"),
        lambda: to_keras(write),
        lambda: flip_update_gate(ours),
    ):
        with pytest.raises(ValueError, match=message):
            convert()
    assert from_keras(plain).update_gate == "keep"


@pytest.mark.parametrize("constraint", ["max_norm", "min_max_norm", "unit_norm"])
def test_a_constraint_on_sizes_meets_a_flipped_weight_as_well(constraint):
    layer = GRU(3, kernel_constraint=constraint)
    layer.build(X.shape)
    flipped = flip_update_gate(layer)
    kernels = []
    for gru in (layer, flipped):
        kernels.append(ops.convert_to_numpy(gru.cell.kernel_constraint(gru.cell.kernel)))
    np.testing.assert_array_equal(kernels[0][:, :3], -kernels[1][:, :3])
    np.testing.assert_array_equal(kernels[0][:, 3:], kernels[1][:, 3:])


def test_layer_norm_leaves_the_kernels_as_they_are():
    layer = GRU(3, layer_norm=True, kernel_constraint="non_neg")
    layer.build(X.shape)
    same(flip_update_gate(layer), layer)
