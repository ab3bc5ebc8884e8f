"""Activity recognition: which exercise a smartwatch's wearer does, sample by sample.

Task:     human activity recognition from an accelerometer and a gyroscope, people held out.
Data:     seven shoulder exercises of ten people, 140 recordings (Burns et al. 2018).
Model:    one causal GRU over samples, a label after each of them.
Command:  python -m recipes.activity_recognition        (pip install -e ".[sensors]")
Measured: docs/activity_recognition.md.
Papers:   accuracy on unseen people: random forest 87.3 % (ten people), convolutional recurrent
          network 88.9 % (twenty; Burns et al. 2018, first and second version).
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from gru_zoo.data import watch_exercises
from gru_zoo.training.runs import RunFolder
from recipes import activity_recognition_artifact as artifact
from recipes import activity_recognition_folds
from recipes.activity_recognition_timeline import read_recording, stretches
from recipes.shared import cli, models, report
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags
from recipes.shared.publishing import command, open_run, to_zoo
from recipes.shared.starting import RunFlags, check_flags, flags_of, start_run

if TYPE_CHECKING:
    import keras

    from gru_zoo.artifacts.card import Card

RUNS = Path("runs/activity_recognition")
PRESET = "activity_watch_gru_small"


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a classifier of a watch's signals and evaluate it on people it has never met."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    fold: Literal[0, 1, 2, 3, 4] = 0
    """Which two of the ten people are tested; the next two are for validation."""
    sequence_length: int = 200
    """Window length in samples, 50 of which are a second."""
    turn: float = 15.0
    """Turn training windows in space by an angle of this standard deviation, in degrees."""
    pace: float = 0.1
    """Change the speed of training windows by a factor whose logarithm has this deviation."""
    gain: float = 0.1
    """Change the strength of training windows by a factor whose logarithm has this deviation."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """Recurrent cell, or a causal Transformer."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    units: int = 64
    """Hidden size of each layer."""
    num_layers: int = 1
    """Number of stacked layers."""
    dropout: float = 0.3
    """Dropout rate of each layer's outputs, 0 to below 1."""
    recurrent_dropout: float = 0.0
    """Dropout rate of the recurrent state, with the same mask at every step; 0 to below 1."""

    # Training.
    epochs: int = 60
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 60
    """Stop after this many epochs without a better validation loss; 0 behaves like 1."""
    batch_size: int = 32
    """Batch size in windows."""
    learning_rate: float = 3e-3
    """Initial learning rate (Adam)."""

    # Export.
    export: bool = True
    """Export the artifact (GRU only): SavedModel, TFLite files and card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained model on the test split."""


@dataclasses.dataclass(frozen=True)
class Folds:
    """Print the cross-validation over people: the mean over finished runs of all five folds."""

    finished: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs that differ only in fold and seed, all folds of each seed."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Name what is done in a recording of your own, stretch by stretch."""

    recording: tyro.conf.Positional[Path]
    """CSV file: a column for each channel (ax, ay, az, wx, wy, wz), 50 rows a second."""
    smooth: float = 1.0
    """Average the probabilities over this many past seconds."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    json: bool = False
    """Print one JSON object per stretch."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Export an artifact again: every format, checked against the model, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = PRESET
    """Name of the preset in the zoo."""


def train(config: Train) -> None:
    """Train, evaluate, export; print one table."""
    check_flags(config)
    # Data that is not there leaves no run behind.
    training = artifact.recordings("train", config.fold)
    with start_run(config) as run:
        _train(config, run, training)


def _train(config: Train, run: RunFolder, training: artifact.Recordings) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.fitting import fit, seed_everything
    from gru_zoo.training.signal_windows import WindowBatches, window_figures

    seed_everything(config.seed)
    source = training.source
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version}, {source.splits['train'][1]}")
    batches = WindowBatches(
        training.signals,
        training.labels,
        config.sequence_length,
        config.batch_size,
        config.seed,
        turn=config.turn,
        pace=config.pace,
        gain=config.gain,
        rates=watch_exercises.RATES,
    )
    validation = artifact.recordings("validation", config.fold).windows(config.sequence_length)
    model = _model(config, training)
    print(f"model: {config.cell}, {model.count_params():,} parameters")
    _compile(model, config, len(batches))
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: window_figures(model, *validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
        monitor="loss",
    )
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, model)
    card = _export(run, model) if config.export and config.cell == "gru" else None
    report.print_run("activity_recognition", run, card)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    report.print_run("activity_recognition", run)


def folds(config: Folds) -> None:
    """Print what runs of every fold achieved."""
    activity_recognition_folds.print_folds(activity_recognition_folds.read(config.finished))


def predict(config: Predict) -> None:
    """Print from when to when a recording has which exercise."""
    recording = read_recording(config.recording, watch_exercises.CHANNELS)
    if config.run:
        model = _load(open_run(config.run, RUNS))
    else:
        model = artifact.of_zoo("model", config.model)
    said = model.predict_on_batch(recording[None])[0]
    names, rate = watch_exercises.EXERCISES, watch_exercises.RATE
    for stretch in stretches(said, names, rate, config.smooth):
        if config.json:
            print(json.dumps(stretch._asdict()))
        else:
            start, end, label, probability = stretch
            print(f"{start:8.2f} s to {end:8.2f} s  {label} ({100 * probability:.0f} %)")


def export(config: Export) -> None:
    """Export the artifact again from a run's trained model, or a preset's from its own."""
    if config.preset and not config.out:
        card = artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model = artifact.of_zoo("preset", config.preset)
        known = model.card.configuration
        length, fold = known["sequence_length"], known["fold"]
        artifact.write_files(model, config.out, length, fold, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        flags = flags_of(run, Train)
        given = _load(run), config.out, flags.sequence_length, flags.fold
        artifact.write_files(*given, config.overwrite)
        return
    report.print_run("activity_recognition", run, _export(run, _load(run)))


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run))

    to_zoo("activity_recognition", config.finished, config.preset, Train(), write)


def _model(config: Train, training: artifact.Recordings) -> keras.Model:
    import numpy as np

    from gru_zoo.models.budget import units_for
    from gru_zoo.models.signals import signal_model

    samples = np.concatenate(training.signals)

    def build(units: int) -> keras.Model:
        return signal_model(
            samples.mean(axis=0),
            samples.var(axis=0),
            len(watch_exercises.EXERCISES),
            units,
            config.cell,
            config.num_layers,
            config.dropout,
            config.recurrent_dropout,
        )

    return build(units_for(build, config.parameters) if config.parameters else config.units)


def _compile(model: keras.Model, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")


def _load(run: RunFolder) -> keras.Model:
    """Return what a run of this recipe has trained."""
    import keras

    flags_of(run, Train)  # Every recipe's model is a Keras model: another's flags tell its runs.
    return models.of_run(run, keras.Model)


def _evaluate(run: RunFolder, model: keras.Model) -> None:
    """Read the test split, and write `metrics.json`."""
    from gru_zoo.training.signal_windows import streamed_accuracy, window_figures

    config = flags_of(run, Train)
    test = artifact.recordings("test", config.fold)
    run.pin_data(test.source.as_dict())
    windows, labels = test.windows(config.sequence_length)
    figures = window_figures(model, windows, labels)
    best = min(run.history, key=lambda row: row["val_loss"])
    seconds = [row["seconds"] for row in run.history]
    people = ", ".join(map(str, watch_exercises.subjects("test", config.fold)))
    span = f"{config.sequence_length / watch_exercises.RATE:g} s"
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": figures["accuracy"], "split": "test"},
            "streamed_accuracy": streamed_accuracy(
                model, test.signals, test.labels, config.sequence_length
            ),
            "scored_on": f"{len(labels):,} windows of {span}, subjects {people}, never trained on",
            "validation_accuracy": best["val_accuracy"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": test.source.as_dict(),
        }
    )


def _export(run: RunFolder, model: keras.Model) -> Card:
    config = flags_of(run, Train)
    trained = command("activity_recognition", run, Train())
    return artifact.write_artifact(run, model, config, trained)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "folds": (Folds, folds),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.activity_recognition", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
