"""Every cell keeps the promise of `encoder`; the Transformer against one in NumPy float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope

from gru_zoo.layers.encoders import CELLS, Transformer, both_directions, encoder

B, T, D, U = 3, 5, 4, 7
LENGTHS = np.array([5, 2, 4])
MASK = np.arange(T) < LENGTHS[:, None]
X = np.random.default_rng(0).normal(size=(B, T, D)).astype("float32")
FORMS = [(cell, directions, layers) for cell in CELLS for directions in (1, 2) for layers in (1, 2)]


def randomized(layer, seed=1):
    if not layer.built:
        layer.build((None, None, D))
    random = np.random.default_rng(seed)
    layer.set_weights([random.normal(0.1, 0.4, weight.shape) for weight in layer.weights])
    return layer


@pytest.mark.parametrize("cell, directions, layers", FORMS)
def test_shape_mask_and_padding(cell, directions, layers):
    layer = randomized(encoder(cell, U, bidirectional=directions == 2, num_layers=layers))
    outputs = layer(X, mask=MASK).numpy()
    assert outputs.shape == (B, T, U * directions) == layer.compute_output_shape((B, T, D))
    np.testing.assert_array_equal(layer.compute_mask(X, MASK), MASK)
    other = np.where(MASK[:, :, None], X, 9.0)
    changed = layer(other, mask=MASK).numpy()
    np.testing.assert_allclose(changed[MASK], outputs[MASK], atol=1e-6)
    alone = layer(X[1:2, :2]).numpy()
    np.testing.assert_allclose(outputs[1:2, :2], alone, atol=1e-5)


@pytest.mark.parametrize("cell, directions, layers", FORMS)
def test_who_sees_whom(cell, directions, layers):
    both, later = directions == 2, X + np.float32([0, 0, 0, 1, 0])[:, None]
    layer = randomized(encoder(cell, U, bidirectional=both, causal=not both, num_layers=layers))
    moved = np.abs(layer(later) - layer(X)).max(axis=(0, 2))
    assert (moved[:3] > 1e-4).tolist() == [both] * 3
    assert (moved[3:] > 1e-4).all()


@pytest.mark.parametrize("cell", CELLS)
def test_saved_loaded_and_every_weight_gets_a_gradient(cell, tmp_path):
    inputs = keras.Input((None, D))
    layer = encoder(cell, U, bidirectional=True, num_layers=2, dropout=0.2)
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    randomized(layer)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.where(MASK[:, :, None], X, 0.0)
    np.testing.assert_array_equal(again(x), model(x))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 3)
    for weight, gradient in zip(
        model.trainable_weights,
        tape.gradient(loss, [weight.value for weight in model.trainable_weights]),
        strict=True,
    ):
        # The same number added to every score: a softmax does not see the keys' bias.
        idle = weight.path.endswith("key/bias")
        assert idle or np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, weight.path


def test_the_transformers_mask_reaches_it_through_a_model():
    layer = randomized(encoder("transformer", U))
    inputs = keras.Input((None, D))
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    x = np.where(MASK[:, :, None], X, 0.0)
    np.testing.assert_allclose(model(x), layer(x, mask=MASK), atol=1e-6)
    assert np.abs(model(x) - layer(x)).max() > 1e-3


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("units, layers, steps", [(8, 1, 5), (9, 2, 5), (5, 1, 4)])
def test_the_transformer_equals_numpy(units, layers, steps, causal):
    layer = randomized(Transformer(units, layers, causal=causal))
    values = {weight.path.split("/", 1)[-1]: np.float64(weight) for weight in layer.weights}
    x, mask = X[:, :steps], MASK[:, :steps]
    expected = transformer(values, np.float64(x), mask, units, layers, causal)
    np.testing.assert_allclose(layer(x, mask=mask), expected, rtol=1e-4, atol=1e-5)


def transformer(weights, x, mask, units, layers, causal):
    """Vaswani et al. 2017 with the norms before the branches, written for one row at a time."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
        return weights[f"{name}/gamma"] * scaled + weights[f"{name}/beta"]

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    def attend(x, name, seen):
        out = np.zeros_like(x)
        for head in range(4):
            part = {}
            for kind in ("query", "key", "value"):
                kernel, bias = (weights[f"{name}/{kind}/{w}"] for w in ("kernel", "bias"))
                part[kind] = x @ kernel[:, head] + bias[head]
            scores = part["query"] @ part["key"].T / np.sqrt(max(2, units // 4))
            scores = np.where(seen, np.exp(scores - scores.max()), 0.0)
            shares = scores / scores.sum(-1, keepdims=True)
            out += shares @ part["value"] @ weights[f"{name}/attention_output/kernel"][head]
        return out + weights[f"{name}/attention_output/bias"]

    rows = []
    for steps, real in zip(x, mask, strict=True):
        time, feature = np.arange(len(steps))[:, None], np.arange(units)
        angle = time / 10_000 ** ((feature - feature % 2) / units)
        y = dense(steps, "project") + np.where(feature % 2, np.cos(angle), np.sin(angle))
        seen = real[None, :] & ((np.arange(len(steps)) <= time) | (not causal))
        for block in (f"block_{number}" for number in range(layers)):
            y = y + attend(norm(y, f"{block}/attention_norm"), f"{block}/attention", seen)
            wide = np.maximum(dense(norm(y, f"{block}/forward_norm"), f"{block}/widen"), 0.0)
            y = y + dense(wide, f"{block}/narrow")
        rows.append(norm(y, "norm"))
    return np.stack(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "grru"}, "cell must be one of 'gru', .*; got 'grru'. Did you mean 'gru'"),
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"num_layers": 1.5}, "num_layers must be an integer of at least 1; got 1.5"),
        ({"dropout": 1}, r"dropout must be a number in \[0, 1\); got 1"),
        (
            {"cell": "transformer", "recurrent_dropout": 0.1},
            "recurrent_dropout must be 0 for 'transformer'; got 0.1",
        ),
        ({"bidirectional": True, "causal": True}, "causal must be False with bidirectional=True"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        encoder(**{"cell": "gru", "units": U, **options})


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_layers_made_while_a_file_is_loaded_are_different_ones(cell):
    """Keras takes an object for another one at the same address, also if that one is gone."""
    with ObjectSharingScope():
        made = [encoder(cell, 3, bidirectional=True) for _ in range(50)]
    halves = [half for both in made for half in (both.forward_layer, both.backward_layer)]
    assert len(set(map(id, halves))) == 100
    assert [half.go_backwards for half in halves] == [False, True] * 50


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_an_address_that_keras_met_before_makes_no_difference(cell):
    class EveryAddress(dict):
        def __contains__(self, number):
            return True

        def __missing__(self, number):
            return {}

    met = EveryAddress()
    with ObjectSharingScope():
        global_state.set_global_attribute("shared_objects/id_to_config_map", met)
        both = encoder(cell, 3, bidirectional=True)
        # What Keras knew, it knows again.
        assert global_state.get_global_attribute("shared_objects/id_to_config_map") is met
        assert global_state.get_global_attribute("shared_objects/id_to_obj_map") == {}
    assert [both.forward_layer.go_backwards, both.backward_layer.go_backwards] == [False, True]


@pytest.mark.parametrize("flag", ["bidirectional", "causal"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(flag):
    with pytest.raises(ValueError, match=f"{flag} must be one of False, True; got 'no'"):
        encoder("gru", 5, **{flag: "no"})


def test_both_directions_have_the_policy_of_their_layer():
    layer = both_directions(keras.layers.SimpleRNN(U, return_sequences=True, dtype="float64"))
    assert layer.compute_dtype == "float64"
    given = np.float64(X)
    assert np.abs(layer(given + 1e-12) - layer(given)).max() > 0  # float32 is the same
