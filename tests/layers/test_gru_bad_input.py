"""Wrong arguments, shapes and types: one line names the argument, what is allowed and given."""

import inspect

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU, GRUCell
from tests.reference import BATCH, FEATURES, TIME, UNITS

X = np.ones((BATCH, TIME, FEATURES), "float32")

ARGUMENTS = [
    ({"units": 0}, r"units must be an integer of at least 1; got 0\."),
    ({"units": -7}, r"units must be an integer of at least 1; got -7\."),
    ({"units": 7.5}, r"units must be an integer of at least 1; got 7\.5\."),
    ({"update_gate": "kept"}, r"update_gate must be one of 'keep', 'write'; got 'kept'\..*'keep'"),
    ({"dropout": 1.5}, r"dropout must be a number in \[0, 1\); got 1\.5\."),
    ({"reset_after": "after"}, r"reset_after must be one of False, True; got 'after'\."),
    ({"use_bias": "no"}, r"use_bias must be one of False, True; got 'no'\."),
    ({"recurrent_dropout": -0.1}, r"recurrent_dropout must be a number in \[0, 1\); got -0\.1\."),
]
LAYER_ARGUMENTS = [
    ({"kernel": "fusd"}, r"kernel must be one of 'auto', 'loop', .*; got 'fusd'\..*'fused'"),
    ({"use_cudnn": "yes"}, r"use_cudnn must be one of 'auto', True, False; got 'yes'\."),
    ({"go_backwards": "false"}, r"go_backwards must be one of False, True; got 'false'\."),
    ({"return_state": None}, r"return_state must be one of False, True; got None\."),
    ({"stateful": "no"}, r"stateful must be one of False, True; got 'no'\."),
    ({"unroll": 2}, r"unroll must be one of False, True; got 2\."),
    ({"return_sequences": []}, r"return_sequences must be one of False, True; got \[\]\."),
    ({"unroll": True, "kernel": "loop"}, r"unroll must be False with kernel='loop'; got True\."),
    ({"activation": "tanhh"}, r"tanhh"),
]
CALLS = [
    ({"sequences": X.astype("int32")}, r"inputs must be of a float type .*; got int32\."),
    ({"sequences": X[:, :0]}, r"inputs must have at least one step; got \(3, 0, 4\)\."),
    ({"sequences": X[0]}, r"expected ndim=3, found ndim=2"),
    ({"sequences": X[None]}, r"expected ndim=3, found ndim=4"),
    (
        {"mask": np.ones((BATCH, TIME + 1), bool)},
        r"mask must .*\(batch 3, time 5\); got \(3, 6\)\.",
    ),
    ({"mask": np.ones((BATCH, TIME, 1), bool)}, r"mask must .*time 5\); got \(3, 5, 1\)\."),
    ({"initial_state": np.ones((BATCH, UNITS + 1))}, r"initial_state .*units 7\); got \(3, 8\)\."),
    ({"initial_state": np.ones((BATCH + 1, UNITS))}, r"initial_state .*batch 3, .*got \(4, 7\)\."),
    ({"initial_state": np.ones(UNITS)}, r"initial_state must .*got \(7,\)\."),
    ({"initial_state": [np.ones((BATCH, UNITS))] * 2}, r"initial_state must be one state; got 2\."),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
@pytest.mark.parametrize("kind", [GRU, GRUCell])
def test_arguments(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**{"units": UNITS, **arguments})


@pytest.mark.parametrize(("arguments", "message"), LAYER_ARGUMENTS)
def test_layer_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GRU(UNITS, **arguments)


@pytest.mark.parametrize(("arguments", "message"), CALLS)
def test_calls(arguments, message):
    arguments = {"sequences": X, **arguments}
    with pytest.raises(ValueError, match=message):
        GRU(UNITS)(arguments.pop("sequences"), **arguments)


def test_features_other_than_built_with():
    layer = GRU(UNITS)
    layer(X)
    with pytest.raises(ValueError, match=r"expected axis -1 of input shape to have value 4"):
        layer(X[:, :, :3])


def test_features_that_are_not_known():
    with pytest.raises(ValueError, match=r"features of inputs must be known.*None"):
        GRU(UNITS)(keras.Input((TIME, None)))


def test_a_stateful_layer_and_another_batch_size():
    layer = GRU(UNITS, stateful=True)
    layer(X)
    with pytest.raises(ValueError, match="batch size"):
        layer(X[:2])


def test_integer_input_to_the_cell():
    with pytest.raises(ValueError, match=r"inputs must be of a float type"):
        GRUCell(UNITS)(X[:, 0].astype("int32"), np.zeros((BATCH, UNITS), "float32"))


def test_the_name_of_a_forced_kernel():
    with pytest.raises(ValueError, match=r"name must be one of .*; got 'lop'\..*'loop'"):
        with kernels.forced("lop"):
            pass


def test_a_mask_that_is_too_long_inside_a_model():
    inputs = [keras.Input((TIME, FEATURES)), keras.Input((TIME + 1,), dtype="bool")]
    model = keras.Model(inputs, GRU(UNITS)(inputs[0], mask=inputs[1]))
    with pytest.raises(ValueError, match=r"mask must have shape"):
        model([X, np.ones((BATCH, TIME + 1), bool)])


@pytest.mark.parametrize(("rate", "place"), [("dropout", 14), ("recurrent_dropout", 15)])
def test_rates_of_a_cell_by_their_place(rate, place):
    arguments = list(inspect.signature(keras.layers.GRUCell).parameters.values())[1:place]
    assert arguments[-1].name == rate
    with pytest.raises(ValueError, match=rf"{rate} must be a number in \[0, 1\); got 1\.5\."):
        GRUCell(UNITS, *[argument.default for argument in arguments[:-1]], 1.5)
