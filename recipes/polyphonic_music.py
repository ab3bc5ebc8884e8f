"""Music modelling: the next frame of a piece, which of 88 keys sound.

Task:     polyphonic music modelling, on which Chung et al. (2014) compared GRU and LSTM.
Data:     Bach's chorales (229 / 76 / 77 pieces); or the Nottingham folk tunes, MuseData or
          Piano-midi by `--dataset` (Boulanger-Lewandowski et al. 2012); official splits.
Model:    one causal GRU over frames, 88 independent probabilities.
Command:  python -m recipes.polyphonic_music
Measured: README.md and saved_models/music_jsb_gru_small/README.md.
Papers:   negative log-likelihood per frame of a GRU: chorales 8.54, Nottingham 3.23, MuseData 5.99,
          Piano-midi 8.82 (Chung et al. 2014, quoted from memory); 8.43 and 3.46 (Bai et al. 2018).
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gru_zoo.data import polyphonic_music
from gru_zoo.training.runs import RunFolder
from recipes import polyphonic_music_artifact as artifact
from recipes.shared import cli, models, report
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags
from recipes.shared.publishing import command, open_run, to_zoo
from recipes.shared.starting import RunFlags, check_flags, flags_of, start_run

if TYPE_CHECKING:
    import keras
    import numpy as np

    from gru_zoo.artifacts.card import Card
    from gru_zoo.data.source import Source

RUNS = Path("runs/polyphonic_music")
PRESET = "music_jsb_gru_small"


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a music model and evaluate it on the test split."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    dataset: Literal["jsb_chorales", "nottingham", "musedata", "piano_midi"] = "jsb_chorales"
    """Data set of music pieces."""
    limit: int = 0
    """Use only this many pieces of each split, for a smoke test; 0 uses all."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """Recurrent cell, or a causal Transformer."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    units: int = 512
    """Hidden size of each layer."""
    num_layers: int = 1
    """Number of stacked layers."""
    dropout: float = 0.5
    """Dropout rate of each layer's outputs, 0 to below 1."""
    recurrent_dropout: float = 0.5
    """Dropout rate of the recurrent state, with the same mask at every step; 0 to below 1."""

    # Training.
    steps: int = 256
    """Maximum training sequence length in frames; longer pieces are split."""
    epochs: int = 60
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 6
    """Stop after this many epochs without a better validation loss; 0 behaves like 1."""
    batch_size: int = 16
    """Batch size in sequences."""
    learning_rate: float = 2e-3
    """Initial learning rate (Adam)."""

    # Export.
    export: bool = True
    """Export the artifact (GRU only): SavedModel, TFLite files and card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained model on the test split."""


@dataclasses.dataclass(frozen=True)
class Generate:
    """Continue the opening of a test piece; write a MIDI file and a piano-roll figure."""

    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    tflite: Path | None = None
    """TFLite file to generate with, via its step signature, instead of a Keras model."""
    dataset: Literal["jsb_chorales", "nottingham", "musedata", "piano_midi"] = "jsb_chorales"
    """Data set of the test piece to continue."""
    piece: int = 0
    """Index of the test piece, from 0."""
    begin: int = 16
    """Number of frames of the piece to start from."""
    length: int = 64
    """Number of frames to generate."""
    temperature: float = 1.0
    """Sampling temperature, which divides the log-odds; below 1 gives fewer notes, 0 plays the
    keys with probability above 0.5."""
    seed: int = 0
    """Random seed for sampling."""
    tempo: float = 120.0
    """Tempo in frames per minute, 4 to 6,000."""
    out: Path = Path("music.mid")
    """MIDI file to write; the figure (.png) is saved next to it."""
    overwrite: bool = False
    """Overwrite existing files."""


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
    training, source = _read("train", config)  # Data that is not there leaves no run behind.
    with start_run(config) as run:
        _train(config, run, training, source)


def _train(config: Train, run: RunFolder, training: list[np.ndarray], source: Source) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.fitting import fit, seed_everything
    from gru_zoo.training.frame_batches import FrameBatches

    seed_everything(config.seed)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})")
    validation, _ = _read("validation", config)
    batches = FrameBatches(training, config.steps, config.batch_size, config.seed)
    model = _model(config)
    print(f"model: {config.cell}, {model.count_params():,} parameters")
    _compile(model, config, len(batches))
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: _figures(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
        monitor="loss",
    )
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, model)
    card = _export(run, model) if config.export and config.cell == "gru" else None
    report.print_run("polyphonic_music", run, card)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    report.print_run("polyphonic_music", run)


def generate(config: Generate) -> None:
    """Write a test piece's opening and the model's continuation."""
    from recipes import polyphonic_music_writing as writing

    writing.check(config)
    if config.tflite is not None:
        read = writing.lite_reader(config.tflite)
    elif config.run is not None:
        read = writing.keras_reader(_load(RunFolder.open(config.run)))
    else:
        read = writing.keras_reader(artifact.of_zoo("model", config.model))
    writing.write(config, read)


def export(config: Export) -> None:
    """Export the artifact again from a run's trained model, or a preset's from its own."""
    if config.preset and not config.out:
        card = artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model = artifact.of_zoo("preset", config.preset)
        dataset = model.card.configuration["dataset"]
        artifact.write_files(model, config.out, dataset, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        dataset = flags_of(run, Train).dataset
        artifact.write_files(_load(run), config.out, dataset, config.overwrite)
        return
    report.print_run("polyphonic_music", run, _export(run, _load(run)))


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run))

    to_zoo("polyphonic_music", config.finished, config.preset, Train(), write)


def _read(split: str, config: Train) -> tuple[list[np.ndarray], Source]:
    pieces, source = polyphonic_music.load(split, config.dataset)
    return pieces[: config.limit or None], source


def _model(config: Train) -> keras.Model:
    from gru_zoo.models.budget import units_for
    from gru_zoo.models.frames import frame_model

    def build(units: int) -> keras.Model:
        return frame_model(
            polyphonic_music.KEYS,
            units,
            config.cell,
            config.num_layers,
            config.dropout,
            config.recurrent_dropout,
        )

    return build(units_for(build, config.parameters) if config.parameters else config.units)


def _compile(model: keras.Model, config: Train, steps_per_epoch: int) -> None:
    import keras

    from gru_zoo.training.frame_batches import frame_loss

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=frame_loss)


def _figures(model: keras.Model, pieces: list[np.ndarray]) -> dict[str, float]:
    """Return the loss, under its own name too, and frame accuracy."""
    from gru_zoo.training.frame_batches import frame_figures

    figures = frame_figures(model, pieces)
    return {**figures, "nll": figures["loss"]}


def _load(run: RunFolder) -> keras.Model:
    """Return what a run of this recipe has trained."""
    import keras

    flags_of(run, Train)  # Every recipe's model is a Keras model: another's flags tell its runs.
    return models.of_run(run, keras.Model)


def _evaluate(run: RunFolder, model: keras.Model) -> None:
    """Read the test split, and write `metrics.json`."""
    config = flags_of(run, Train)
    test, source = _read("test", config)
    run.pin_data(source.as_dict())
    figures = _figures(model, test)
    best = min(run.history, key=lambda row: row["val_loss"])
    seconds = [row["seconds"] for row in run.history]
    run.write_metrics(
        {
            "metric": {"name": "nll", "value": figures["nll"], "split": "test"},
            "accuracy": figures["accuracy"],
            "scored_on": f"{len(test):,} pieces, {sum(map(len, test)) - len(test):,} frames: "
            f"{config.dataset}, official test split",
            "validation_nll": best["val_nll"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )


def _export(run: RunFolder, model: keras.Model) -> Card:
    config = flags_of(run, Train)
    trained = command("polyphonic_music", run, Train())
    return artifact.write_artifact(run, model, config, trained)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "generate": (Generate, generate),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.polyphonic_music", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
