"""Parity with keras.layers.GRU: outputs, states and gradients to 1e-5, on every feature of it."""

import inspect
import itertools

import keras
import numpy as np
import pytest

from gru_zoo.layers.gru import GRU, GRUCell
from tests.gradients import outputs_and_gradients
from tests.layers.test_gru_reference import compiling
from tests.reference import BATCH, FEATURES, MASKS, TIME, UNITS

# Keras on JAX shows the initial state before the first unmasked step, on the others zeros, as we do
# on all; so there the masks begin and end unmasked.
if keras.backend.backend() == "jax":
    ends = np.isin(np.arange(TIME), (0, TIME - 1))
    MASKS = {name: None if mask is None else mask | ends for name, mask in MASKS.items()}

LIMITS = {"rtol": 1e-5, "atol": 1e-5}
KERNELS = ["loop", *(["fused"] if keras.backend.backend() == "tensorflow" else [])]


def pair(ours_options=None, batch=BATCH, **options):
    """Return keras.layers.GRU and ours, built, with the same random weights."""
    layers = [keras.layers.GRU(UNITS, use_cudnn=False, **options)]
    layers.append(GRU(UNITS, **options, **(ours_options or {})))
    return same_weights(*layers, shape=(batch, TIME, FEATURES))


def same_weights(theirs, ours, shape):
    rng = np.random.default_rng(3)
    theirs.build(shape)
    ours.build(shape)
    weights = [0.5 * rng.standard_normal(w.shape) for w in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def draw(*shape):
    return np.random.default_rng(4).standard_normal(shape).astype("float32")


def assert_same(theirs, ours):
    for wanted, given in zip(keras.tree.flatten(theirs), keras.tree.flatten(ours), strict=True):
        to_numpy = keras.ops.convert_to_numpy
        np.testing.assert_allclose(to_numpy(given), to_numpy(wanted), **LIMITS)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_outputs_states_and_gradients(kernel, reset_after, go_backwards):
    options = {"reset_after": reset_after, "go_backwards": go_backwards}
    options |= {"return_sequences": True, "return_state": True}
    layers = pair({"kernel": kernel}, **options)
    x, h0 = draw(BATCH, TIME, FEATURES), draw(BATCH, UNITS)
    for mask, state in [(None, None), *((mask, h0) for mask in MASKS.values())]:
        d = draw(BATCH, TIME, UNITS), draw(BATCH, UNITS)
        with compiling(reset_after):
            assert_same(*(outputs_and_gradients(layer, x, state, mask, *d) for layer in layers))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "zero_output_for_mask", [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_every_form_of_result(kernel, zero_output_for_mask):
    x, h0 = draw(BATCH, TIME, FEATURES), draw(BATCH, UNITS)
    for sequences, state, backwards in itertools.product((False, True), repeat=3):
        options = {"return_sequences": sequences, "return_state": state}
        options |= {"go_backwards": backwards, "zero_output_for_mask": zero_output_for_mask}
        theirs, ours = pair({"kernel": kernel}, **options)
        for mask in (MASKS["any pattern"], MASKS["row fully masked"]):
            arguments = {"initial_state": h0, "mask": mask}
            with compiling(False):
                assert_same(theirs(x, **arguments), ours(x, **arguments))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", None])
def test_bidirectional(kernel, merge_mode):
    options = {"return_sequences": True, "return_state": True, "reset_after": merge_mode != "sum"}
    theirs = keras.layers.Bidirectional(keras.layers.GRU(UNITS, **options), merge_mode=merge_mode)
    ours = keras.layers.Bidirectional(GRU(UNITS, kernel=kernel, **options), merge_mode=merge_mode)
    same_weights(theirs, ours, (BATCH, TIME, FEATURES))
    x, states = draw(BATCH, TIME, FEATURES), [draw(BATCH, UNITS), -draw(BATCH, UNITS)]
    for mask, start in [(None, None), *((mask, states) for mask in MASKS.values())]:
        arguments = {"initial_state": start, "mask": mask}
        with compiling(merge_mode == "concat"):
            assert_same(theirs(x, **arguments), ours(x, **arguments))


@pytest.mark.parametrize("kernel", KERNELS)
def test_stateful(kernel):
    theirs, ours = pair({"kernel": kernel}, stateful=True, return_sequences=True)
    x = draw(BATCH, TIME, FEATURES)
    for _ in range(3):
        assert_same(theirs(x), ours(x))
    theirs.reset_state()
    ours.reset_state()
    assert_same(theirs(x), ours(x))
    ours.reset_state()
    fresh = GRU(UNITS, return_sequences=True, kernel=kernel)
    fresh.build(x.shape)
    fresh.set_weights(ours.get_weights()[:3])
    assert_same(fresh(x), ours(x))


@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.4, 0.3)])
@pytest.mark.parametrize("reset_after", [True, False])
def test_dropout_with_the_same_seed(rates, reset_after):
    dropout, recurrent_dropout = rates
    options = {"dropout": dropout, "recurrent_dropout": recurrent_dropout, "seed": 5}
    theirs, ours = pair(reset_after=reset_after, return_sequences=True, **options)
    x = draw(BATCH, TIME, FEATURES)
    for training in (True, True, False):
        for mask in (None, MASKS["any pattern"]):
            arguments = {"mask": mask, "training": training}
            with compiling(False):
                assert_same(theirs(x, **arguments), ours(x, **arguments))


def test_training_ends_with_the_same_weights():
    x, y = draw(6, TIME, FEATURES), draw(6, UNITS)
    x[1, 3:] = 0.0
    ends = []
    for layer in pair(
        dropout=0.25, seed=7, kernel_regularizer="l2", recurrent_constraint="unit_norm"
    ):
        inputs = keras.Input((None, FEATURES))
        model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert_same(*ends)


def test_frozen_and_regularized_weights_are_known_to_keras():
    theirs, ours = pair(
        kernel_regularizer="l1", activity_regularizer="l2", bias_constraint="non_neg"
    )
    x = draw(BATCH, TIME, FEATURES)
    theirs(x), ours(x)
    assert_same(theirs.losses, ours.losses)
    ours.trainable = False
    assert not ours.trainable_weights and len(ours.non_trainable_weights) == 3


def test_the_cell_inside_keras_rnn():
    x = draw(BATCH, TIME, FEATURES)
    theirs = keras.layers.RNN([keras.layers.GRUCell(UNITS), keras.layers.GRUCell(UNITS + 1)])
    ours = keras.layers.RNN([GRUCell(UNITS), GRUCell(UNITS + 1)])
    same_weights(theirs, ours, x.shape)
    assert_same(theirs(x), ours(x))


def test_every_argument_of_keras_is_taken():
    theirs = inspect.signature(keras.layers.GRU.__init__).parameters
    ours = inspect.signature(GRU.__init__).parameters
    positional = [
        name for name in ours if ours[name].kind == inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert positional == [name for name in theirs if name != "kwargs"]
    assert all(ours[name].default == theirs[name].default for name in positional)
    config = keras.layers.GRU(UNITS).get_config()
    assert set(config) <= set(GRU(UNITS).get_config())
    assert GRU.from_config(config).units == UNITS
    for name in config:
        assert hasattr(GRU(UNITS), name) or name == "dtype"
