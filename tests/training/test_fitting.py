"""Which weights a training validates, keeps and goes on with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.training.fitting import _collect, _numbered, fit
from gru_zoo.training.runs import RunFolder

RATE, MOMENTUM, STEPS, EPOCHS = 0.03, 0.75, 3, 2


def _trained(path, seen, resume=False, epochs=EPOCHS, broken=None, **average):
    """Fit w of w x = 2 x, from w = 0 with x = 1, 2, 3 in turn; `seen` gets what was validated.

    The validation after epoch `broken` gives no number; with `seen` None there is no validation.
    """
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros([1, 1])])
    model.compile(keras.optimizers.SGD(RATE, **average), "mse")
    inputs = np.array([1, 2, 3], np.float32).reshape(STEPS, 1, 1)

    def batches(first_epoch, epochs):
        return tf.data.Dataset.from_tensor_slices((inputs, 2 * inputs)).repeat(epochs - first_epoch)

    def validate():
        seen.append(float(model.get_weights()[0][0, 0]))
        return {"loss": np.nan if len(seen) == broken else -len(seen)}  # better each time

    run = RunFolder(path, {}, resume)
    validate = None if seen is None else validate
    fit(model, batches, STEPS, validate, run, epochs, patience=EPOCHS, monitor="loss")
    return float(model.get_weights()[0][0, 0])


def _by_hand():
    """Return w and its moving average after each epoch, by the definitions."""
    weight, average, epochs = 0.0, None, []
    for _ in range(EPOCHS):
        for x in (1.0, 2.0, 3.0):
            weight -= RATE * 2 * (weight * x - 2 * x) * x
            average = weight if average is None else MOMENTUM * average + (1 - MOMENTUM) * weight
        epochs.append((weight, average))
    return np.array(epochs)


@pytest.mark.parametrize("averaged", [False, True])
def test_what_is_validated_and_kept(tmp_path, averaged):
    # The average of epoch 2 shows that training went on with the weights, not with their average.
    seen, average = [], {"use_ema": True, "ema_momentum": MOMENTUM} if averaged else {}
    kept = _trained(tmp_path / "run", seen, **average)
    wanted = _by_hand()[:, int(averaged)]
    np.testing.assert_allclose(seen, wanted, rtol=1e-5)
    assert kept == pytest.approx(wanted[-1], rel=1e-5)
    assert abs(np.subtract(*_by_hand()[-1])) > 0.01  # or the two could be mistaken


def test_a_moving_average_survives_an_interruption(tmp_path):
    seen, average = [], {"use_ema": True, "ema_momentum": MOMENTUM}
    _trained(tmp_path / "run", seen, epochs=1, **average)
    _trained(tmp_path / "run", seen, resume=True, **average)
    np.testing.assert_allclose(seen, _by_hand()[:, 1], rtol=1e-5)


@pytest.mark.parametrize("averaged", [False, True])
def test_without_validation_the_last_epoch_is_kept(tmp_path, averaged):
    average = {"use_ema": True, "ema_momentum": MOMENTUM} if averaged else {}
    wanted = _by_hand()[:, int(averaged)]
    first = _trained(tmp_path / "run", None, epochs=1, **average)
    second = _trained(tmp_path / "run", None, resume=True, **average)
    np.testing.assert_allclose([first, second], wanted, rtol=1e-5)
    assert set(RunFolder.open(tmp_path / "run").history[1]) == {
        *("epoch", "loss", "seconds", "cpu_seconds")
    }
    assert (tmp_path / "run" / "curves.png").exists()


def test_a_figure_that_is_not_finite_ends_a_training(tmp_path):
    with pytest.raises(FloatingPointError, match="loss must stay finite; validation after epoch 2"):
        _trained(tmp_path / "run", [], broken=2)
    seen = []  # the first epoch is in the checkpoint, and the training goes on from there
    _trained(tmp_path / "run", seen, resume=True)
    np.testing.assert_allclose(seen, _by_hand()[1:, 0], rtol=1e-5)


def test_what_is_monitored_is_one_of_the_figures_and_epochs_are_some(tmp_path):
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ones = np.ones((1, 1, 1), np.float32)

    def train(resume, **options):
        fit(
            model,
            lambda first, last: tf.data.Dataset.from_tensor_slices((ones, ones)),
            steps_per_epoch=1,
            validate=lambda: {"loss": 1.0, "f1": 0.5},
            run=RunFolder(tmp_path / "run", {}, resume),
            patience=1,
            **{"epochs": 1, **options},
        )

    with pytest.raises(ValueError, match="epochs must be an integer of at least 1; got 0"):
        train(False, epochs=0)
    message = "monitor must be one of 'loss', 'f1'; got 'accuracy'"
    with pytest.raises(ValueError, match=message):
        train(True)
    train(True, monitor="f1")
    with pytest.raises(ValueError, match=message):
        train(True, epochs=2)


def test_a_thousand_variables_come_back_in_their_order():
    numbers = list(np.arange(1203.0))
    assert _collect("best", dict(reversed(_numbered("best", numbers).items()))) == numbers
