"""When a training ends, and with which weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.training.fitting import fit
from gru_zoo.training.runs import RunFolder


def trained(path, figures, seen, resume=False, monitor="accuracy", inputs=1.0, patience=2, **more):
    """Train one weight for as many epochs as there are figures; `seen` gets it after each."""
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    given = np.full((1, 1, 1), inputs, np.float32)

    def batches(first, epochs):
        return tf.data.Dataset.from_tensor_slices((given, 2 * given)).repeat(epochs - first)

    def validate():
        seen.append(float(model.get_weights()[0][0, 0]))
        return {monitor: figures[len(seen) - 1], **more}

    run = RunFolder(path, {}, resume)
    fit(model, batches, 1, validate, run, len(figures), patience=patience, monitor=monitor)
    return float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize("monitor", ["accuracy", "loss"])
def test_training_ends_after_so_many_epochs_without_a_better_one(tmp_path, monitor):
    sign, seen = 1 if monitor == "accuracy" else -1, []
    figures = [sign * figure for figure in (0.8, 0.9, 0.5, 0.9, 0.95, 0.99)]
    kept = trained(tmp_path / "run", figures, seen, monitor=monitor)
    assert len(seen) == 4 and kept == seen[1] and len(set(seen)) == 4
    # What has ended stays so.
    assert trained(tmp_path / "run", figures, seen, resume=True, monitor=monitor) == kept
    assert len(seen) == 4


@pytest.mark.parametrize("patience", [0, 1])
def test_without_patience_the_first_epoch_that_is_not_better_is_the_last(tmp_path, patience):
    seen = []
    kept = trained(tmp_path / "run", [0.7, 0.8, 0.9, 0.9, 0.95], seen, patience=patience)
    assert len(seen) == 4 and kept == seen[2]


def test_a_loss_that_is_not_finite_ends_a_training(tmp_path):
    seen = []
    with pytest.raises(FloatingPointError, match="loss must stay finite; epoch 1 gave"):
        trained(tmp_path / "run", [0.5, 0.5], seen, inputs=np.nan)
    assert seen == [] and not (tmp_path / "run" / "checkpoint.npz").exists()


def test_a_figure_that_is_only_told_ends_a_training_too(tmp_path):
    with pytest.raises(FloatingPointError, match="perplexity must stay finite; validation after"):
        trained(tmp_path / "run", [0.5], [], perplexity=np.inf)
