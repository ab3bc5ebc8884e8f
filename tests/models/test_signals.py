"""A model of signals against NumPy: what is normalised, and a label after every sample."""

import keras
import numpy as np
import pytest

from gru_zoo.models.signals import signal_model

MEAN, VARIANCE = [0.5, -2.0, 3.0], [4.0, 0.25, 9.0]


def test_samples_are_normalised_and_every_one_has_probabilities():
    keras.utils.set_random_seed(2)
    model = signal_model(MEAN, VARIANCE, labels=4, units=5)
    samples = np.random.default_rng(1).normal(size=(2, 7, 3)).astype(np.float32)
    gru, head = model.get_layer("reader_0"), model.get_layer("probabilities")
    states = gru((samples - np.float32(MEAN)) / np.sqrt(np.float32(VARIANCE)))
    logits = np.asarray(states, np.float64) @ np.asarray(head.kernel) + np.asarray(head.bias)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(model(samples), wanted, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "transformer"])
def test_no_answer_knows_a_later_sample(cell):
    keras.utils.set_random_seed(2)
    model = signal_model(MEAN, VARIANCE, labels=4, units=8, cell=cell, num_layers=2)
    samples = np.random.default_rng(1).normal(size=(1, 7, 3)).astype(np.float32)
    other = samples.copy()
    other[:, 4:] += 1
    one, two = (np.asarray(model(given)) for given in (samples, other))
    np.testing.assert_allclose(one[:, :4], two[:, :4], atol=1e-6)
    assert np.abs(one[:, 4:] - two[:, 4:]).max() > 1e-3


def test_it_is_saved_and_loaded(tmp_path):
    model = signal_model(MEAN, VARIANCE, labels=4, units=5, num_layers=2, dropout=0.3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    samples = np.ones((1, 3, 3), np.float32)
    np.testing.assert_array_equal(model(samples), again(samples))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": 1}, "labels must be at least 2; got 1"),
        ({"mean": []}, "mean must be a list of numbers, one a channel; got"),
        ({"mean": 0.5}, "mean must be a list of numbers, one a channel; got 0.5"),
        ({"mean": [np.nan, 0, 0]}, "mean must be finite; got NaN"),
        ({"variance": [1.0, 1.0]}, "variance must be 3 numbers above 0, one a channel"),
        ({"variance": [1.0, 0.0, 1.0]}, "variance must be 3 numbers above 0, one a channel"),
        ({"units": 0}, "units must be"),
        ({"num_layers": 0}, "num_layers must be"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\); got 1.0"),
        ({"cell": "gur"}, "cell must be one of .* Did you mean 'gru'"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"mean": MEAN, "variance": VARIANCE, "labels": 4, "units": 5, **change}
    with pytest.raises(ValueError, match=message):
        signal_model(**given)
