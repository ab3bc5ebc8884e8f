"""The flags of `recipes.activity_recognition`, in the order in which `--help` shows them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Literal

import tyro

from gru_zoo.data import watch_exercises
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags, check_left_alone
from recipes.shared.starting import RunFlags, check_flags

RUNS = Path("runs/activity_recognition")
PRESET = "activity_watch_gru_small"
# By default; with other channels it names none.
_ANGULAR = ("wx", "wy", "wz")
_OF_A_TABLE = ("person_column", "label_column", "recording_column", "channels", "angular", "rate")


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a classifier of a watch's signals and evaluate it on people it has never met."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    fold: Literal[0, 1, 2, 3, 4] = 0
    """Which fifth of the people is tested; the next one is for validation."""
    csv: str = ""
    """Your own recordings instead: a UTF-8 CSV file with a sample, a person and a label per row."""
    person_column: str = "person"
    """Name of the column of --csv that says who was recorded."""
    label_column: str = "label"
    """Name of the column of --csv that says what was done."""
    recording_column: str = ""
    """Name of a column of --csv whose change begins another recording."""
    channels: tuple[str, ...] = watch_exercises.CHANNELS
    """Names of the columns of --csv with the signals: x, y and z of each sensor."""
    angular: tuple[str, ...] = _ANGULAR
    """Which of --channels are angular velocities: a faster movement has higher ones."""
    rate: float = watch_exercises.RATE
    """Samples per second of --csv."""
    sequence_length: int = 200
    """Window length in samples; the watch's recordings have 50 a second."""
    mirror: float = 0.5
    """Share of training windows that are mirrored, x against -x, as worn on the other arm."""
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
    refit: bool = True
    """Once the best epoch is known, train anew until it on the people of validation as well."""

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
    """CSV file: a column for each of the model's channels (by default ax, ay, az, wx, wy, wz)."""
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
    folds: tuple[Path, ...] = ()
    """Runs of every fold, whose cross-validation goes into the card."""


def check(config: Train) -> None:
    """Raise ValueError for a flag out of its range, or flags that cannot be combined."""
    check_flags(config)
    if not config.csv:
        check_left_alone(config, _OF_A_TABLE, "without --csv, whose columns it is about")
        return
    if not 0 < config.rate < math.inf:
        raise ValueError(f"rate must be a number above 0; got {config.rate}.")
    if not config.channels:
        raise ValueError("channels must name at least one column; got none.")
    columns = (config.person_column, config.label_column, config.recording_column, *config.channels)
    for name in columns:
        if name and columns.count(name) > 1:
            raise ValueError(f"csv must have a column of its own for each use; {name!r} has two.")
    others = [name for name in config.angular if name not in config.channels]
    if others and config.angular != _ANGULAR:
        raise ValueError(f"angular must be some of the channels; got {others[0]!r}.")
