"""Recurrent dropout, zoneout and layer normalization, on every kernel that has them.

The reference is given what dropout and zoneout drew; that they draw rightly is tested by itself.
"""

import keras
import numpy as np
import pytest

from gru_zoo.layers.gru import GRU, GRUCell
from tests.layers.test_gru_reference import KERNELS, compiling, judge, layer_of
from tests.reference import (
    BATCH,
    CONVENTIONS,
    FEATURES,
    MASKS,
    TIME,
    UNITS,
    Draws,
    random_case,
)


def draw(seed, rate, *shape):
    return (np.random.default_rng(seed).random(shape) >= rate).astype("float32")


INPUTS = draw(1, 0.5, 3, BATCH, FEATURES) / 0.5
STATE = draw(2, 0.25, 3, BATCH, UNITS) / 0.75
KEPT = 1.0 - draw(3, 0.4, BATCH, TIME, UNITS)

DRAWS = {
    "recurrent dropout": Draws(state=STATE),
    "dropout, one mask a gate": Draws(inputs=INPUTS, state=STATE),
    "dropout, one mask": Draws(inputs=INPUTS[:1]),
    "zoneout": Draws(kept=KEPT),
    "all": Draws(inputs=INPUTS, state=STATE, kept=KEPT),
}


def draw_these(layer, draws):
    """Make the layer's cell draw what the reference is given, in place of random numbers."""
    tensor = keras.ops.convert_to_tensor
    of_inputs = None if np.isscalar(draws.inputs) else [tensor(mask) for mask in draws.inputs]
    of_state = None if np.isscalar(draws.state) else [tensor(mask) for mask in draws.state]
    if of_inputs is not None and len(of_inputs) == 1:
        of_inputs = of_inputs[0]
    kept = None if np.isscalar(draws.kept) else tensor(draws.kept)
    layer.cell.dropout_masks = lambda *_: (of_inputs, of_state)
    layer.cell.zoneout_share = lambda *_: kept
    return layer


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", [CONVENTIONS[0], CONVENTIONS[3]], ids=str)
@pytest.mark.parametrize("drawn", DRAWS)
def test_drawn_in_training(kernel, convention, drawn):
    case, draws = random_case(dtype="float32"), DRAWS[drawn]
    layer = draw_these(layer_of(case, convention, kernel=kernel), draws)
    with compiling(convention is CONVENTIONS[0] and drawn == "all"):
        for mask in (None, MASKS["any pattern"]):
            judge(layer, case, convention, mask, draws=draws, training=True)
            assert layer.kernel_used == kernel


@pytest.mark.slow  # the compiler takes its time for each
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_everything_drawn_at_once_on_every_convention(kernel, convention, go_backwards):
    case = random_case(dtype="float32")
    layer = layer_of(case, convention, kernel=kernel, go_backwards=go_backwards)
    draw_these(layer, DRAWS["all"])
    for mask in MASKS.values():
        judge(layer, case, convention, mask, draws=DRAWS["all"], training=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_zoneout_keeps_its_rate_of_the_state_at_inference(kernel):
    case = random_case(dtype="float32")
    layer = layer_of(case, CONVENTIONS[0], kernel=kernel, zoneout=0.3)
    with compiling(False):
        judge(layer, case, CONVENTIONS[0], MASKS["any pattern"], draws=Draws(kept=0.3))


NORM_LIMITS = {"rtol": 1e-5, "atol": 3e-6}  # 1 / sqrt(variance) multiplies the rounding


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_layer_norm(kernel, convention):
    for bias in (True, False):
        case = random_case(dtype="float32", bias=bias, gain=True)
        layer = layer_of(case, convention, kernel=kernel, layer_norm=True)
        with compiling(convention is CONVENTIONS[1] and bias):
            for mask in (None, MASKS["any pattern"], MASKS["row fully masked"]):
                judge(layer, case, convention, mask, limits=NORM_LIMITS)
                assert layer.kernel_used == kernel


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_layer_norm_and_everything_drawn_together(kernel, convention, go_backwards):
    case = random_case(dtype="float32", gain=True)
    options = {"kernel": kernel, "layer_norm": True, "go_backwards": go_backwards}
    layer = draw_these(layer_of(case, convention, **options), DRAWS["all"])
    with compiling(False):
        mask, limits = MASKS["any pattern"], NORM_LIMITS
        judge(layer, case, convention, mask, draws=DRAWS["all"], training=True, limits=limits)
        assert layer.kernel_used == kernel


def test_layer_norm_makes_the_scale_of_the_weights_irrelevant():
    case = random_case(dtype="float32", gain=True)
    loud = {**case, "kernel": 50.0 * case["kernel"]}
    layers = [layer_of(one, CONVENTIONS[0], layer_norm=True) for one in (case, loud)]
    outputs = [keras.ops.convert_to_numpy(layer(case["x"])[0]) for layer in layers]
    np.testing.assert_allclose(*outputs, atol=1e-3)


def test_dropout_masks_are_drawn_once_a_sequence_and_scaled():
    cell = GRUCell(50, dropout=0.5, recurrent_dropout=0.25, seed=1)
    inputs, state = keras.ops.ones((8, 40)), keras.ops.ones((8, 50))
    of_inputs, of_state = cell.dropout_masks(inputs, state, training=True)
    for masks, rate in ((of_inputs, 0.5), (of_state, 0.25)):
        masks = np.stack([keras.ops.convert_to_numpy(mask) for mask in masks])
        np.testing.assert_allclose(np.unique(masks), [0.0, 1.0 / (1.0 - rate)], rtol=1e-6)
        assert abs((masks == 0.0).mean() - rate) < 0.05
    assert cell.dropout_masks(inputs, state, training=True)[0] is of_inputs
    assert cell.dropout_masks(inputs, state, training=False) == (None, None)


def test_zoneout_draws_anew_for_each_unit_and_step():
    cell = GRUCell(50, zoneout=0.3, seed=1)
    share = cell.zoneout_share(keras.ops.ones((8, 20, 4)), training=True)
    share = keras.ops.convert_to_numpy(share)
    assert share.shape == (8, 20, 50) and set(np.unique(share)) == {0.0, 1.0}
    assert abs(share.mean() - 0.3) < 0.02
    assert (share[:, 0] != share[:, 1]).any()
    assert cell.zoneout_share(keras.ops.ones((8, 4)), training=False) == 0.3
    assert GRUCell(50).zoneout_share(keras.ops.ones((8, 4)), training=True) is None


def test_zoneout_of_a_layer_keeps_units_in_training_and_not_at_inference():
    x = random_case(dtype="float32")["x"]
    layer = GRU(UNITS, zoneout=0.5, return_sequences=True, seed=2)
    states = keras.ops.convert_to_numpy(layer(x, training=True))
    same = (states[:, 1:] == states[:, :-1]).mean()
    assert 0.25 < same < 0.75
    states = keras.ops.convert_to_numpy(layer(x))
    assert not (states[:, 1:] == states[:, :-1]).any()


def test_they_train_in_a_model():
    x = random_case(dtype="float32")["x"]
    layer = GRU(UNITS, zoneout=0.2, layer_norm=True, dropout=0.2, recurrent_dropout=0.2)
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.compile("sgd", "mse")
    before = [np.array(weight) for weight in model.get_weights()]
    model.fit(x, np.zeros((BATCH, UNITS)), verbose=0)
    assert len(before) == 4
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.abs(old - new).max() > 0
