"""The next frame of a piece of music: which of 88 keys sound.

Task:     polyphonic music modelling, what gated recurrent units were first measured by.
Data:     Bach's chorales (229 / 76 / 77 pieces); or Nottingham's folk tunes, MuseData, Piano-midi
          by `--dataset` (Boulanger-Lewandowski et al. 2012), the official splits.
Model:    one causal GRU over frames, 88 independent probabilities.
Command:  python -m recipes.polyphonic_music
Measured: README.md and saved_models/music_jsb_gru_small/README.md.
Papers:   negative log-likelihood a frame of a GRU: chorales 8.54, Nottingham 3.23, MuseData 5.99,
          Piano-midi 8.82 (Chung et al. 2014, from memory); 8.43 and 3.46 (Bai et al. 2018).
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gru_zoo.data import polyphonic_music
from gru_zoo.training.runs import RunFolder
from recipes import polyphonic_music_files as files
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
    """Train a model of music and evaluate it on the test split."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    dataset: Literal["jsb_chorales", "nottingham", "musedata", "piano_midi"] = "jsb_chorales"
    """Which pieces."""
    limit: int = 0
    """Use only so many pieces of each split, for a smoke test; 0 uses all of them."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """What reads the frames."""
    parameters: int = 0
    """Choose units so that the whole model has so many parameters; 0 leaves `units`."""
    units: int = 512
    """Size of the recurrent state."""
    num_layers: int = 1
    """Layers above each other."""
    dropout: float = 0.5
    """Share of each layer's features dropped in training."""
    recurrent_dropout: float = 0.5
    """Share of the state dropped before its product in training, the same at every step."""

    # Training.
    steps: int = 256
    """Frames of a piece that are learnt at once; gradients reach no further back."""
    epochs: int = 60
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 6
    """Epochs in a row without a better validation loss that end training; 0 is as 1."""
    batch_size: int = 16
    """Pieces of one training step."""
    learning_rate: float = 2e-3
    """Adam's, at the start."""

    # Export.
    export: bool = True
    """Write the artifact of a GRU: SavedModel and TFLite files, card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Measure a trained model on the test split."""


@dataclasses.dataclass(frozen=True)
class Generate:
    """Continue the beginning of a test piece: a MIDI file and a picture of it."""

    run: Path | None = None
    """Folder of a run, in place of the zoo's model."""
    model: str = PRESET
    """A name in the zoo."""
    tflite: Path | None = None
    """Stream through this file's step signature, in place of a Keras model."""
    dataset: Literal["jsb_chorales", "nottingham", "musedata", "piano_midi"] = "jsb_chorales"
    """Whose test piece begins it."""
    piece: int = 0
    """Number of the piece, from 0."""
    begin: int = 16
    """Frames that are the piece's own."""
    length: int = 64
    """Frames that follow."""
    temperature: float = 1.0
    """Log-odds are divided by it; below 1 there are fewer notes, as most keys are improbable, and 0
    takes what is more probable than not."""
    seed: int = 0
    """Of what is drawn."""
    tempo: float = 120.0
    """Frames a minute, 4 to 6,000."""
    out: Path = Path("music.mid")
    """The MIDI file; the picture goes beside it."""
    overwrite: bool = False
    """Replace files that are there already."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Write an artifact again: every format, checked, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Make the zoo's preset of several finished runs that differ in their seed only."""

    preset: str = PRESET
    """Name in the zoo."""


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
    """Measure the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    report.print_run("polyphonic_music", run)


def generate(config: Generate) -> None:
    """Write a piece that goes on as the model would."""
    from recipes import polyphonic_music_writing as writing

    writing.check(config)
    if config.tflite is not None:
        read = writing.lite_reader(config.tflite)
    else:
        model = _load(RunFolder.open(config.run)) if config.run else _of_zoo("model", config.model)
        read = writing.keras_reader(model)
    writing.write(config, read)


def export(config: Export) -> None:
    """Write the artifact again from the run's trained model, or a preset's from its own."""
    if config.preset and not config.out:
        card = files.write_again(_of_zoo("preset", config.preset))
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model = _of_zoo("preset", config.preset)
        files.write_files(config.out, model, model.card.configuration["dataset"], config.overwrite)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        dataset = flags_of(run, Train).dataset
        files.write_files(config.out, _load(run), dataset, config.overwrite)
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


def _of_zoo(flag: str, name: str) -> keras.Model:
    """Return a preset that tells frames of music."""
    import keras

    model = models.of_zoo(flag, name, keras.Model)
    if model.card.metric != "nll":
        raise ValueError(f"{flag} must name a model of music; {name} is for {model.card.task}.")
    return model


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
    return files.write_artifact(run, model, config, trained)


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
