"""How much faster does a recipe train? The sentiment recipe's epoch with our layer and Keras'.

    python -m benchmarks.train_speed                  # a whole epoch of each, three to ten minutes
    python -m benchmarks.train_speed --batches 40     # the first 40 batches

Data, model, batches and optimizer are the recipe's own, and equal but for the recurrent layer. The
two models take turns: each fits the same few batches before the next few come, so a machine that
grows slower slows both. The first batches of each length are fitted once before, untimed, because
they trace and compile; that time is told apart.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks import timing
from gru_zoo.arguments import positive_int
from gru_zoo.files import write_json
from recipes.shared import cli

if TYPE_CHECKING:
    import numpy as np

    Batch = tuple[np.ndarray, np.ndarray]

CELLS = {"gru": "gru_zoo.GRU", "keras_gru": "keras.layers.GRU"}


@dataclasses.dataclass(frozen=True)
class Config:
    """Time an epoch of the sentiment recipe with both layers."""

    batches: int = 0
    """Fit only so many batches of the epoch; 0 fits all."""
    turn: int = 8
    """Batches that one model fits before the other's turn."""
    source: Literal["auto", "tfds", "packaged"] = "auto"
    """Where the reviews come from, as in the recipe."""
    results: Path = Path("benchmarks/results/train_speed.json")


def measure(config: Config) -> None:
    """Fit both models in turns; report."""
    positive_int("turn", config.turn)
    if config.batches < 0:
        raise ValueError(f"batches must be 0 or more; got {config.batches}.")
    models, epoch = _prepare(config)
    firsts = list({ids.shape: (ids, labels) for ids, labels in epoch}.values())
    compiling = {name: _seconds(model, firsts) for name, model in models.items()}
    turns = [epoch[i : i + config.turn] for i in range(0, len(epoch), config.turn)]
    times: dict[str, list[float]] = {name: [] for name in models}
    for number, turn in enumerate(turns):
        for name in list(models)[:: 1 if number % 2 else -1]:
            times[name].append(_seconds(models[name], turn))
        print(f"\r{number + 1} of {len(turns)} turns", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    record = timing.machine(("gru-zoo", "tensorflow", "keras")) | {
        "batches": len(epoch),
        "whole_epoch": not config.batches,
        "batch_shapes": sorted({ids.shape for ids, _ in epoch}),
        "seconds": {CELLS[name]: sum(values) for name, values in times.items()},
        "first_batches_seconds": {CELLS[name]: value for name, value in compiling.items()},
        "times_as_fast": sum(times["keras_gru"]) / sum(times["gru"]),
        "times_as_fast_median_turn": timing.ratio(times["keras_gru"], times["gru"]),
    }
    write_json(config.results, record)
    _print(record)


def _prepare(config: Config) -> tuple[dict[str, Any], list[Batch]]:
    """Return the recipe's model with each layer, and the batches of its first epoch."""
    from gru_zoo.training.batching import BucketedBatches, quarter_lengths
    from gru_zoo.training.fitting import seed_everything
    from recipes import sentiment

    recipe = sentiment.Train(source=config.source)
    training, _ = sentiment._read("train", recipe)
    models = {}
    for cell in CELLS:
        seed_everything(recipe.seed)
        models[cell] = model = sentiment._model(dataclasses.replace(recipe, cell=cell), training)
    ids = model.tokenizer.encode(training.texts)
    lengths = quarter_lengths(recipe.sequence_length)
    batches = BucketedBatches(ids, training.labels, recipe.batch_size, lengths, recipe.seed)
    for model in models.values():
        sentiment._compile(model, recipe, len(batches))
    epoch = list(batches.epoch(0))
    return models, epoch[: config.batches or None]


def _seconds(model: Any, batches: list[Batch]) -> float:
    """Return how long the model fits these batches, with shapes as unknown as in the recipe."""
    import tensorflow as tf

    def generate() -> Iterator[Batch]:
        yield from batches

    rows, target = len(batches[0][0]), batches[0][1].dtype
    spec = tf.TensorSpec([rows, None], tf.int32), tf.TensorSpec([rows], target)
    dataset = tf.data.Dataset.from_generator(generate, output_signature=spec)
    began = time.perf_counter()
    model.fit(dataset.prefetch(2), steps_per_epoch=len(batches), shuffle=False, verbose=0)
    return time.perf_counter() - began


def _print(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("layer", f"{record['batches']} batches, s", "first batches, s")
    for name, seconds in record["seconds"].items():
        table.add_row(name, f"{seconds:.1f}", f"{record['first_batches_seconds'][name]:.1f}")
    console.print(f"{record['cpu']}, {record['cores']} cores")
    console.print(table)
    console.print(
        f"speedup {record['times_as_fast']:.2f}"
        f" (median turn {record['times_as_fast_median_turn']:.2f})"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, measure)}
    interrupted = "nothing of it is kept."
    return cli.run("python -m benchmarks.train_speed", commands, arguments, interrupted)


if __name__ == "__main__":
    sys.exit(main())
