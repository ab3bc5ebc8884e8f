"""Train one network on one long-sequence problem, in its own process.

Command:  python -m recipes.comparison.long_run SETTINGS FOLDER   (`recipes.compare` runs it)
SETTINGS: JSON of `LongRun`; FOLDER gets `metrics.json`, `history.csv` and `model.keras`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.files import atomic_write, write_json
from recipes.shared.cli import DIVERGED

if TYPE_CHECKING:
    import keras
    import numpy as np

    Arrays = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class LongRun:
    """What one training does; the same for every cell but the cell."""

    problem: str
    """adding, copy or digits."""
    steps: int
    """Length: steps of the adding problem, delay of the copy problem, pixels of a digit."""
    cell: str
    """One of `encoders.CELLS`."""
    parameters: int
    """Parameter count of the whole model."""
    learning_rate: float
    """Learning rate (Adam), constant."""
    seed: int
    """Random seed for weights and examples."""
    updates: int
    """Maximum number of updates."""
    every: int
    """Updates between validations."""
    patience: int
    """Validations without improvement before training stops."""
    cpu_seconds: float
    """CPU time after which training stops, the same for every cell."""
    batch_size: int = 16
    """Batch size."""
    held_out: int = 256
    """Number of validation examples, and of test examples."""
    solved: float = 0.99
    """Validation accuracy at which training stops."""


def run(config: LongRun, folder: Path) -> None:
    """Train, choose the weights that validate best, test them, write the files."""
    import keras

    from gru_zoo.models.budget import units_for
    from gru_zoo.models.keras_file import save_keras_file

    keras.utils.set_random_seed(config.seed)
    data = Data(config)
    units = units_for(lambda size: build(config, size), config.parameters)
    model = build(config, units)
    loss = "mse" if config.problem == "adding" else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(config.learning_rate, clipnorm=1.0), loss)
    training = _Training(config, model, data)
    training.go()
    test = training.score(data.test)
    parameters = model.count_params()
    write_json(
        folder / "metrics.json",
        {
            "metric": {"name": "accuracy", "value": test["accuracy"], "split": "test"},
            "loss": test["loss"],
            # It tells more than the share of sums that lie within the tolerance.
            "watched": "loss",
            "validation_accuracy": training.best["val_accuracy"],
            "validation_loss": training.best["val_loss"],
            "parameters": parameters,
            "units": units,
            "stopped": training.stopped,
            "updates": training.history[-1]["updates"],
            "gates": training.gates,
        },
    )
    with atomic_write(folder / "history.csv") as partial, open(partial, "w") as file:
        rows = csv.DictWriter(file, list(training.history[0]))
        rows.writeheader()
        rows.writerows(training.history)
    save_keras_file(model, folder / "model.keras")


class Data:
    """Batches by number, validation and test: the same for every cell."""

    def __init__(self, config: LongRun) -> None:
        self.config = config
        if config.problem == "digits":
            from gru_zoo.data import digits

            scale = math.isqrt(config.steps // 64)
            self.train = digits.load("train", scale)
            self.validation = digits.load("validation", scale)
            self.test = digits.load("test", scale)
        else:
            # Held out from training by other seeds, and alike for every seed of the training.
            self.validation = self._made(config.held_out, seed=1_000_001)
            self.test = self._made(config.held_out, seed=1_000_002)

    def _made(self, examples: int, seed: int, number: int = 0) -> Arrays:
        from gru_zoo.data import long_sequences

        make = {"adding": long_sequences.adding, "copy": long_sequences.copy_memory}
        return make[self.config.problem](examples, self.config.steps, seed, number)

    def batch(self, number: int) -> Arrays:
        """Return the training batch of this number, from 0."""
        import numpy as np

        size, seed = self.config.batch_size, self.config.seed
        if self.config.problem != "digits":
            return self._made(size, seed, number)
        pixels, labels = self.train
        epoch, place = divmod(number, len(labels) // size)
        order = np.random.default_rng([seed, epoch]).permutation(len(labels))
        rows = order[place * size : (place + 1) * size]
        return pixels[rows], labels[rows]


def build(config: LongRun, units: int) -> keras.Model:
    """Return the model: inputs, one encoder, its last step or last ten, an answer."""
    import keras
    from keras import layers

    from gru_zoo.data import long_sequences
    from gru_zoo.layers.encoders import encoder

    reader = encoder(config.cell, units, causal=True, name="reader")
    if config.problem == "copy":
        symbols, recalled = long_sequences.SYMBOLS, long_sequences.RECALLED
        inputs = keras.Input((None,), dtype="int32")
        states = reader(layers.Embedding(symbols + 2, 8, name="symbols")(inputs))
        # One answer for each of the last steps.
        outputs = layers.Dense(symbols, "softmax", name="head")(states[:, -recalled:])
        return keras.Model(inputs, outputs)
    inputs = keras.Input((None, 2 if config.problem == "adding" else 1))
    last = reader(inputs)[:, -1]
    head = layers.Dense(1) if config.problem == "adding" else layers.Dense(10, "softmax")
    return keras.Model(inputs, head(last))


class _Training:
    """The loop: validation now and then, the best weights, and when to stop."""

    def __init__(self, config: LongRun, model: keras.Model, data: Data) -> None:
        self.config, self.model, self.data = config, model, data
        self.history: list[dict[str, float]] = []
        self.gates: list[dict[str, float]] = []
        self.stopped = ""
        self.weights: list[np.ndarray] = []

    @property
    def best(self) -> dict[str, float]:
        """The validation with the lowest loss, the first of equals."""
        return min(self.history, key=lambda row: row["val_loss"])

    def go(self) -> None:
        """Train until a reason to stop; leave the best weights in the model."""
        self._measure_gates(0)
        done = 0
        while not self.stopped:
            started, cpu_started = time.perf_counter(), time.process_time()
            losses = [self._update(done + i) for i in range(self.config.every)]
            done += self.config.every
            seconds = time.perf_counter() - started
            cpu_seconds = time.process_time() - cpu_started
            scores = self.score(self.data.validation)
            if not math.isfinite(scores["loss"] + losses[-1]):
                if not self.history:
                    raise FloatingPointError(f"loss must stay finite; got {losses[-1]}.")
                self.stopped = "diverged"  # What was good before counts.
                break
            self.history.append(
                {
                    "updates": done,
                    "loss": sum(losses) / len(losses),
                    "val_loss": scores["loss"],
                    "val_accuracy": scores["accuracy"],
                    "seconds": round(seconds, 3),
                    "cpu_seconds": round(cpu_seconds, 3),
                }
            )
            print(json.dumps(self.history[-1]), flush=True)
            if self.best is self.history[-1] or not self.weights:
                self.weights = self.model.get_weights()
            self._measure_gates(done)
            self.stopped = self._reason()
        self.model.set_weights(self.weights)

    def _update(self, number: int) -> float:
        return float(self.model.train_on_batch(*self.data.batch(number)))

    def _reason(self) -> str:
        """Return why training ends here; an empty string if it goes on."""
        config, last = self.config, self.history[-1]
        since = len(self.history) - 1 - self.history.index(self.best)
        if last["val_accuracy"] >= config.solved:
            return "solved"
        if last["updates"] >= config.updates:
            return "updates"
        if since >= config.patience:
            return "patience"
        used = sum(row["cpu_seconds"] for row in self.history)
        return "time" if used >= config.cpu_seconds else ""

    def score(self, examples: Arrays) -> dict[str, float]:
        """Return loss and accuracy; a sum is right within the problem's tolerance."""
        import numpy as np

        from gru_zoo.data import long_sequences

        inputs, truth = examples
        given = self.model.predict(inputs, batch_size=self.config.batch_size, verbose=0)
        if self.config.problem == "adding":
            errors = np.abs(given - truth)
            right = errors < long_sequences.TOLERANCE
            return {"loss": float(np.mean(errors**2)), "accuracy": float(right.mean())}
        of_truth = np.take_along_axis(given, truth[..., None], axis=-1)
        loss = -np.log(np.maximum(of_truth, 1e-7)).mean()
        return {"loss": float(loss), "accuracy": float((given.argmax(-1) == truth).mean())}

    def _measure_gates(self, updates: int) -> None:
        """Note how often the gates of a GRU are shut or open, on eight examples."""
        if self.config.cell == "gru":
            shares = saturation_of(self.model, self.data.validation[0][:8])
            self.gates.append({"updates": updates, **shares})


def saturation_of(model: keras.Model, inputs: Any, layer: str | None = None) -> dict[str, float]:
    """Return mean shares of saturated gates, and the share of units stuck at either end."""
    import numpy as np

    from gru_zoo.gates import model_gates, saturation

    shares = saturation(model_gates(model, inputs, layer))
    # Stuck: beyond the same end at 99 of 100 steps.
    stuck = np.maximum(shares.z_low, shares.z_high) > 0.99
    names = ("z_low", "z_high", "r_low", "r_high")
    means = {name: float(getattr(shares, name).mean()) for name in names}
    return {**means, "z_stuck_units": float(stuck.mean())}


def main(arguments: list[str]) -> int:
    """Read the settings, run, and return the exit status, as a recipe's."""
    settings, folder = arguments
    try:
        run(LongRun(**json.loads(settings)), Path(folder))
    except FloatingPointError as error:
        print(f"error: {error}", file=sys.stderr)
        return DIVERGED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
