"""The loop of a long training: which weights are tested, on what, and why it ends."""

import dataclasses
import json
import math
import types

import pytest

from recipes.comparison import long_run

CONFIG = long_run.LongRun(
    problem="adding",
    steps=9,
    cell="rnn",
    parameters=100,
    learning_rate=0.01,
    seed=0,
    updates=1000,
    every=5,
    patience=2,
    cpu_seconds=1e9,
)


class Counter:
    """A model whose one weight is the number of its updates."""

    def __init__(self):
        self.updates = 0

    def compile(self, optimizer, loss):
        self.optimizer = optimizer

    def count_params(self):
        return 99

    def get_weights(self):
        return [self.updates]

    def set_weights(self, weights):
        (self.updates,) = weights

    def train_on_batch(self, number):
        assert number == self.updates  # each batch once, in order
        self.updates += 1
        return 1.0


@pytest.fixture
def model(monkeypatch, tmp_path):
    """The model that `run` trains, tests and saves."""
    made, saved = Counter(), []
    made.saved = saved
    data = types.SimpleNamespace(validation="held out", test="test", batch=lambda n: (n,))
    monkeypatch.setattr(long_run, "Data", lambda config: data)
    monkeypatch.setattr(long_run, "build", lambda config, units: made)
    monkeypatch.setattr("gru_zoo.models.budget.units_for", lambda build, parameters: 3)
    monkeypatch.setattr(
        "gru_zoo.models.keras_file.save_keras_file", lambda m, path: saved.append(m.updates)
    )
    return made


def validated(monkeypatch, losses):
    """Let validations give these losses, and the test what its weights would."""
    left = iter(losses)

    def score(training, examples):
        if examples == "test":
            return {"loss": 0.5 + training.model.updates, "accuracy": 0.25}
        assert examples == "held out"
        return {"loss": next(left), "accuracy": 0.75}

    monkeypatch.setattr(long_run._Training, "score", score)


def test_the_weights_that_validate_best_are_tested_and_saved(model, monkeypatch, tmp_path):
    validated(monkeypatch, [3.0, 1.0, 2.0, 2.0])
    long_run.run(CONFIG, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    # After ten updates; twenty were made.
    assert model.saved == [10] and metrics["loss"] == 10.5
    assert metrics["metric"] == {"name": "accuracy", "value": 0.25, "split": "test"}
    assert (metrics["validation_loss"], metrics["validation_accuracy"]) == (1.0, 0.75)
    assert (metrics["stopped"], metrics["updates"], metrics["units"]) == ("patience", 20, 3)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0].startswith("updates,loss,val_loss") and len(lines) == 5
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert model.optimizer.clipnorm == 1.0


def test_what_was_good_before_it_diverged_counts(model, monkeypatch, tmp_path):
    validated(monkeypatch, [3.0, 2.0, math.nan])
    long_run.run(CONFIG, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["stopped"] == "diverged" and metrics["updates"] == 10
    assert model.saved == [10] and metrics["validation_loss"] == 2.0


def test_a_training_that_diverges_at_once_has_nothing(model, monkeypatch, tmp_path):
    validated(monkeypatch, [math.inf])
    with pytest.raises(FloatingPointError, match="loss must stay finite"):
        long_run.run(CONFIG, tmp_path)
    assert not model.saved


@pytest.mark.parametrize(
    ("losses", "last", "limits", "reason"),
    [
        ([3, 2, 1], {}, {}, ""),
        ([1, 2], {}, {}, ""),
        ([1, 2, 2], {}, {}, "patience"),
        ([1, 1, 1], {}, {}, "patience"),  # an equal one is no better
        ([3, 1, 2, 0.5, 2], {}, {}, ""),
        ([3, 2], {"val_accuracy": 0.99}, {}, "solved"),
        ([3, 2], {"val_accuracy": 0.98}, {}, ""),
        ([3, 2], {}, {"updates": 10}, "updates"),
        ([3, 2], {}, {"updates": 11}, ""),
        ([3, 2], {}, {"cpu_seconds": 8.0}, "time"),  # of both together
        ([3, 2], {}, {"cpu_seconds": 8.1}, ""),
    ],
)
def test_why_it_ends(losses, last, limits, reason):
    config = dataclasses.replace(CONFIG, **limits)
    training = long_run._Training(config, Counter(), None)
    training.history = [
        {"updates": 5 * n, "val_loss": loss, "val_accuracy": 0.5, "cpu_seconds": 4.0}
        for n, loss in enumerate(losses, 1)
    ]
    training.history[-1] |= last
    assert training._reason() == reason
