"""convert: to and from keras.layers.GRU; the change of update convention."""

import keras
import numpy as np
import pytest
from keras import ops

from gru_zoo.convert import (
    flip_update_gate,
    from_keras,
    to_convention,
    to_keras,
    to_onnx_tensors,
    to_torch,
)
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

B, T, D, U = 3, 5, 4, 7
MASK = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomized(layer, features=D, seed=1, batch=None):
    layer.build((batch, None, features))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(scale=0.4, size=w.shape) for w in layer.weights])
    return layer


def assert_same_bits(layer, other):
    for mine, theirs in zip(layer.get_weights(), other.get_weights(), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_keras_gru_there_and_back(reset_after, use_bias, update_gate, go_backwards):
    theirs = randomized(
        keras.layers.GRU(
            U,
            reset_after=reset_after,
            use_bias=use_bias,
            go_backwards=go_backwards,
            return_sequences=True,
            return_state=True,
            name="mine",
        )
    )
    ours = from_keras(theirs, update_gate=update_gate, kernel="loop")
    assert (ours.name, ours.cell.update_gate, ours.kernel) == ("mine", update_gate, "loop")
    x, h0 = draw(B, T, D), draw(B, U, seed=3)
    for got, wanted in zip(
        ours(x, initial_state=h0, mask=MASK), theirs(x, initial_state=h0, mask=MASK), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    back = to_keras(ours)
    assert type(back) is keras.layers.GRU
    assert back.get_config() == theirs.get_config()
    assert_same_bits(back, theirs)


def test_configuration_survives():
    options = {
        "activation": "relu",
        "recurrent_activation": "hard_sigmoid",
        "kernel_initializer": "he_normal",
        "recurrent_regularizer": keras.regularizers.L2(0.1),
        "bias_constraint": "max_norm",
        "dropout": 0.2,
        "recurrent_dropout": 0.1,
        "zero_output_for_mask": True,
        "dtype": "float64",
        "trainable": False,
        "seed": 4,
        "use_cudnn": False,
    }
    theirs = randomized(keras.layers.GRU(U, **options))
    ours = from_keras(theirs, update_gate="write")
    assert ours.dtype == "float64"
    assert not ours.trainable
    back = to_keras(ours)
    assert back.get_config() == theirs.get_config()
    assert back.use_cudnn is False
    assert_same_bits(back, theirs)


def test_stateful_layer_brings_its_state():
    theirs = randomized(keras.layers.GRU(U, stateful=True), batch=B)
    theirs(draw(B, T, D))
    ours = from_keras(theirs, kernel="loop")
    back = to_keras(ours)
    wanted = theirs(draw(B, T, D, seed=2))
    for layer in (ours, back):
        np.testing.assert_allclose(layer(draw(B, T, D, seed=2)), wanted, atol=1e-5)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", None])
def test_bidirectional_there_and_back(merge_mode):
    theirs = randomized(
        keras.layers.Bidirectional(
            keras.layers.GRU(U, return_sequences=True), merge_mode=merge_mode, name="both"
        )
    )
    ours = from_keras(theirs, kernel="loop", update_gate="write")
    assert type(ours.backward_layer) is GRU
    for got, wanted in zip(
        ops.stack(ours(draw(B, T, D), mask=MASK)),
        ops.stack(theirs(draw(B, T, D), mask=MASK)),
        strict=True,
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    back = to_keras(ours)
    assert back.name == "both"
    assert back.merge_mode == merge_mode
    assert_same_bits(back, theirs)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_flip_is_exact_and_computes_the_same(reset_after, use_bias):
    layer = randomized(GRU(U, reset_after=reset_after, use_bias=use_bias, kernel="loop"))
    flipped = flip_update_gate(layer)
    assert (layer.cell.update_gate, flipped.cell.update_gate) == ("keep", "write")
    assert flipped.name == layer.name
    np.testing.assert_allclose(flipped(draw(B, T, D)), layer(draw(B, T, D)), atol=1e-6)
    for before, after in zip(layer.get_weights(), flipped.get_weights(), strict=True):
        np.testing.assert_array_equal(after[..., :U], -before[..., :U])
        np.testing.assert_array_equal(after[..., U:], before[..., U:])
    assert_same_bits(flip_update_gate(flipped), layer)


@pytest.mark.parametrize("use_bias", [False, True])
def test_flip_with_zoneout_and_layer_norm(use_bias):
    options = {"zoneout": 0.2, "layer_norm": True, "use_bias": use_bias}
    layer = randomized(GRU(U, kernel="loop", **options))
    flipped = flip_update_gate(layer)
    np.testing.assert_allclose(flipped(draw(B, T, D)), layer(draw(B, T, D)), atol=1e-6)
    assert_same_bits(flip_update_gate(flipped), layer)


def test_flip_of_a_stack():
    layer = randomized(StackedGRU(U, num_layers=2, bidirectional=True, kernel="loop"))
    flipped = to_convention(layer, update_gate="write")
    assert {gru.cell.update_gate for grus in flipped.grus for gru in grus} == {"write"}
    for got, wanted in zip(flipped(draw(B, T, D)), layer(draw(B, T, D)), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert_same_bits(to_convention(flipped, update_gate="keep"), layer)
    assert to_convention(layer, update_gate="keep", reset_after=True) is layer


@pytest.mark.parametrize("reset_after", [False, True])
def test_reset_conventions_are_not_converted(reset_after):
    layer = randomized(GRU(U, reset_after=reset_after))
    message = (
        rf"reset_after must be {reset_after}, as the layer's; got {not reset_after}\. "
        r".*no weights make the two equal"
    )
    with pytest.raises(ValueError, match=message):
        to_convention(layer, reset_after=not reset_after)


@pytest.mark.parametrize("value", ["after", 3])
def test_a_reset_convention_is_yes_or_no(value):
    with pytest.raises(ValueError, match="reset_after must be one of None, False, True; got"):
        to_convention(randomized(GRU(U)), reset_after=value)


class Renamed(keras.layers.GRU):
    pass


@pytest.mark.parametrize(
    "convert, make, message",
    [
        (from_keras, lambda: keras.layers.GRU(U), "must be built.*not built yet"),
        (from_keras, lambda: randomized(Renamed(U)), r"must be keras GRU; got .*Renamed"),
        (from_keras, lambda: keras.layers.LSTM(U), "must be keras GRU; got .*LSTM"),
        (
            from_keras,
            lambda: keras.layers.Bidirectional(keras.layers.LSTM(U)),
            "must be keras GRU; got .*LSTM",
        ),
        (to_keras, lambda: keras.layers.GRU(U), "must be gru_zoo GRU; got keras"),
        (to_keras, lambda: StackedGRU(U), "must be gru_zoo GRU; got .*StackedGRU"),
        (flip_update_gate, lambda: GRU(U), "must be built"),
        (
            flip_update_gate,
            lambda: randomized(GRU(U, recurrent_activation="relu")),
            "recurrent_activation must be one of 'sigmoid', 'hard_sigmoid'; got 'relu'",
        ),
        (
            lambda layer: from_keras(layer, update_gate="write"),
            lambda: randomized(keras.layers.GRU(U, recurrent_activation="tanh")),
            "recurrent_activation must be one of 'sigmoid', 'hard_sigmoid'; got 'tanh'",
        ),
        (
            to_keras,
            lambda: randomized(GRU(U, recurrent_activation="relu", update_gate="write")),
            "recurrent_activation must be one of 'sigmoid', 'hard_sigmoid'; got 'relu'",
        ),
    ],
)
def test_refusals(convert, make, message):
    with pytest.raises(ValueError, match=message):
        convert(make())


@pytest.mark.parametrize("convert", [to_keras, to_torch, to_onnx_tensors])
@pytest.mark.parametrize("option", [{"zoneout": 0.1}, {"layer_norm": True}])
def test_an_option_only_ours_has_is_refused(convert, option):
    ((name, value),) = option.items()
    with pytest.raises(ValueError, match=f"{name} must be .*no such option; got {value}"):
        convert(randomized(GRU(U, **option)))


def test_wrong_update_gate():
    with pytest.raises(ValueError, match="update_gate must be one of 'keep', 'write'; got 'z'"):
        from_keras(keras.layers.GRU(U), update_gate="z")


def test_flip_leaves_frozen_what_was():
    layer = StackedGRU(U, 2)
    layer.build((None, None, D))
    layer.grus[0][0].trainable = False
    flipped = flip_update_gate(layer)
    assert [len(gru.trainable_weights) for (gru,) in flipped.grus] == [0, 3]


def test_functions_that_are_only_called_like_keras_have_no_counterpart():
    def sigmoid(x):
        return keras.ops.relu(x)

    layer = GRU(U, recurrent_activation=sigmoid)
    layer.build((None, None, D))
    with pytest.raises(ValueError, match=r"recurrent_activation must be one of .*sigmoid'"):
        flip_update_gate(layer)
    with pytest.raises(ValueError, match="recurrent_activation must be 'sigmoid' for"):
        to_torch(layer)
