"""Training that can be repeated, interrupted and resumed."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gru_zoo.arguments import one_of, positive_int
from gru_zoo.training.runs import RunFolder


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and let TensorFlow use repeatable kernels only.

    For the whole process and for good: TensorFlow cannot take the second back, and Keras compiles
    no model with `jit_compile=True` from then on (our fused kernel is compiled all the same).

    Example:
        >>> seed_everything(7)  # doctest: +SKIP
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    train: Callable[[int, int], tf.data.Dataset],
    steps_per_epoch: int,
    validate: Callable[[], dict[str, float]] | None,
    run: RunFolder,
    epochs: int,
    patience: int,
    monitor: str = "accuracy",
) -> None:
    """Train until `epochs`, or until validation has not improved for `patience` epochs.

    After every epoch the run folder gets one checkpoint with everything the next epoch depends
    on (weights, optimizer, random states, best weights, history), so a killed run that is
    started again ends with the same weights as one that was left alone. Ends with the weights
    of the best epoch in the model.

    Of an optimizer with `use_ema=True` the weights that are validated and kept are their moving
    average (Polyak and Juditsky 1992); training goes on with the weights themselves.

    Args:
        model: compiled.
        train: `train(first_epoch, epochs)` gives the batches of those epochs, in order.
        steps_per_epoch: batches of one epoch.
        validate: gives {"loss": ..., and others} on validation data, after each epoch. None
            where everything is trained on: then the last epoch counts as the best.
        run: where checkpoints go and come from.
        epochs: at most so many.
        patience: epochs in a row without a better validation that end training; 0 is as 1.
        monitor: which of `validate`'s figures is to rise, or "loss", which is to fall.

    Raises:
        FloatingPointError: the loss, or one of `validate`'s figures, is no longer finite.
        ValueError: `monitor` is none of `validate`'s figures; `epochs` is no positive integer; or
            the checkpoint is corrupt or belongs to another model.
    """
    positive_int("epochs", epochs)
    keeper = _Keeper(run, validate, patience, monitor)
    model.optimizer.build(model.trainable_variables)
    first_epoch = keeper.restore(model)
    if first_epoch < epochs and not keeper.exhausted:
        board = keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False)
        model.fit(
            train(first_epoch, epochs),
            steps_per_epoch=steps_per_epoch,
            initial_epoch=first_epoch,
            epochs=epochs,
            callbacks=[keeper, board],
            shuffle=False,  # the order is the data set's own
            verbose=1 if sys.stdout.isatty() else 2,
        )
    _assign(model.weights, keeper.best)


class _Keeper(keras.callbacks.Callback):
    """Validates, keeps the best weights, writes the checkpoint, stops early."""

    def __init__(
        self,
        run: RunFolder,
        validate: Callable[[], dict[str, float]] | None,
        patience: int,
        monitor: str,
    ) -> None:
        super().__init__()
        self.run, self.validate, self.patience, self.monitor = run, validate, patience, monitor
        self.best: list[np.ndarray] = []
        self.started = 0.0, 0.0

    @property
    def best_epoch(self) -> int:
        """Index of the epoch with the best validation, the first one of equals."""
        if self.validate is None:
            return len(self.run.history) - 1
        figures = np.array([row[f"val_{self.monitor}"] for row in self.run.history])
        return int(np.argmax(-figures if self.monitor == "loss" else figures))

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs, or one for 0, have passed since the best one."""
        done = len(self.run.history)
        return done > 0 and done - 1 - self.best_epoch >= max(self.patience, 1)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds = time.perf_counter() - self.started[0]
        # Of all threads: it says the same on a busy machine, where seconds do not.
        cpu_seconds = time.process_time() - self.started[1]
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(f"loss must stay finite; epoch {epoch + 1} gave {logs}.")
        with _averaged(self.model):
            validation = self._figures(epoch)
            weights = [np.array(weight) for weight in self.model.weights]
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        took = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}
        self.run.history.append({**row, **validation, **took})
        logs.update(validation)  # for the progress line and TensorBoard
        if self.best_epoch == epoch:
            self.best = weights
        self.run.save_checkpoint(
            {
                **_numbered("variable", _variables(self.model)),
                **_numbered("best", self.best),
            }
        )
        self.model.stop_training = self.exhausted

    def _figures(self, epoch: int) -> dict[str, float]:
        """Validate, if there is something to validate on."""
        if self.validate is None:
            return {}
        figures = self.validate()
        one_of("monitor", self.monitor, figures)
        for name, value in figures.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} must stay finite; validation after epoch {epoch + 1} gave {figures}."
                )
        return {f"val_{name}": value for name, value in figures.items()}

    def restore(self, model: keras.Model) -> int:
        """Load the last checkpoint, if any; return the number of epochs it has seen."""
        arrays = self.run.load_checkpoint()
        if arrays is None:
            return 0
        if self.validate is not None:
            figures = [name[4:] for name in self.run.history[-1] if name.startswith("val_")]
            one_of("monitor", self.monitor, figures)
        _assign(_variables(model), _collect("variable", arrays))
        self.best = _collect("best", arrays)
        return len(self.run.history)


@contextlib.contextmanager
def _averaged(model: keras.Model) -> Iterator[None]:
    """Give the model the moving average that its optimizer keeps of its weights, for a while."""
    weights = model.trainable_variables
    own = [np.array(weight) for weight in weights]
    model.optimizer.finalize_variable_values(weights)
    try:
        yield
    finally:
        _assign(weights, own)


def _variables(model: keras.Model) -> list[keras.Variable]:
    # `variables` has what `weights` lacks: the states of dropout's random generators.
    return [*model.variables, *model.optimizer.variables]


def _numbered(name: str, values: list) -> dict[str, np.ndarray]:
    return {f"{name}_{index:03}": np.array(value) for index, value in enumerate(values)}


def _collect(name: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{index:03}"] for index in range(count)]


def _assign(variables: list[keras.Variable], values: list[np.ndarray]) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise ValueError(
            f"checkpoint must hold arrays of the model's shapes {shapes}; "
            f"it holds {[value.shape for value in values]}."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
