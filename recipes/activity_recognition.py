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

import json
import statistics
import sys
from typing import TYPE_CHECKING

from gru_zoo.files import write_json
from gru_zoo.training.runs import RunFolder
from recipes import activity_recognition_artifact as artifact
from recipes import activity_recognition_folds as folds_of
from recipes.activity_recognition_data import (
    Dataset,
    Recordings,
    dataset,
    read_recording,
    require_recordings,
)
from recipes.activity_recognition_flags import (
    RUNS,
    Evaluate,
    Export,
    Folds,
    Predict,
    Publish,
    Train,
    check,
)
from recipes.activity_recognition_timeline import require_smooth, stretches
from recipes.shared import cli, models, report
from recipes.shared.publishing import command, open_run, to_zoo
from recipes.shared.starting import flags_of, start_run

if TYPE_CHECKING:
    import keras

    from gru_zoo.artifacts.card import Card

# What a run's model takes and gives: the keys `predict` needs of a preset's configuration.
_FORM = "form.json"
# Where in a run's folder the second training keeps its checkpoint.
_REFIT = "refit"


def train(config: Train) -> None:
    """Train, evaluate, export; print one table."""
    check(config)
    # Data that is not there leaves no run behind.
    data = dataset(config)
    require_recordings(config, data)
    training = data.load("train", config.fold)
    with start_run(config) as run:
        _train(config, run, data, training)


def _train(config: Train, run: RunFolder, data: Dataset, training: Recordings) -> None:
    from gru_zoo.models.keras_file import save_keras_file

    source = training.source
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version}, {source.splits['train'][1]}")
    validation = data.load("validation", config.fold)
    model = _learn(config, run, data, training, config.epochs, validation)
    if config.refit:
        epochs = int(_best(run)["epoch"])
        print(f"anew for {epochs} epochs, on {', '.join(validation.people)} too")
        begun = (run.path / _REFIT / "config.json").exists()
        again = RunFolder(run.path / _REFIT, run.config, resume=begun)
        model = _learn(config, again, data, training.joined(validation), epochs)
    write_json(run.path / _FORM, artifact.form(data))
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, model, data)
    card = _export(run, model, data) if config.export and config.cell == "gru" else None
    report.print_run("activity_recognition", run, card)


def _learn(
    config: Train,
    run: RunFolder,
    data: Dataset,
    training: Recordings,
    epochs: int,
    validation: Recordings | None = None,
) -> keras.Model:
    """Train a model, which is that of its best epoch if there are people to validate it on."""
    from gru_zoo.training import signal_windows
    from gru_zoo.training.fitting import fit, seed_everything

    seed_everything(config.seed)
    batches = signal_windows.WindowBatches(
        training.signals,
        training.labels,
        config.sequence_length,
        config.batch_size,
        config.seed,
        turn=config.turn,
        pace=config.pace,
        gain=config.gain,
        mirror=config.mirror,
        angular=data.angular,
    )
    model = _model(config, data, training)
    print(f"model: {config.cell}, {model.count_params():,} parameters")
    _compile(model, config, len(batches))
    windows = validation.windows(config.sequence_length) if validation else ()
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=(lambda: signal_windows.window_figures(model, *windows)) if validation else None,
        run=run,
        epochs=epochs,
        patience=config.patience,
        monitor="loss",
    )
    return model


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run), dataset(_flags(run)))
    report.print_run("activity_recognition", run)


def folds(config: Folds) -> None:
    """Print what runs of every fold achieved."""
    folds_of.print_folds(folds_of.read(config.finished))


def predict(config: Predict) -> None:
    """Print from when to when a recording has which label."""
    from gru_zoo.training.signal_windows import answers

    require_smooth(config.smooth)
    if config.run:
        run = open_run(config.run, RUNS)
        model, form = _load(run), json.loads((run.path / _FORM).read_text("utf-8"))
    else:
        model = artifact.of_zoo("model", config.model)
        form = model.card.configuration
    recording = read_recording(config.recording, form["channels"])
    for stretch in stretches(
        answers(model, recording), form["labels"], form["rate"], config.smooth
    ):
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
        artifact.write_preset_files(config.preset, config.out, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    flags = _flags(run)
    data = dataset(flags)
    if config.out:
        artifact.require_gru(run, flags)
        given = _load(run), config.out, data, flags.sequence_length, flags.fold
        artifact.write_files(*given, config.overwrite)
        return
    report.print_run("activity_recognition", run, _export(run, _load(run), data))


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run), dataset(_flags(run)))

    def with_folds(card: Card) -> Card:
        return folds_of.in_card(card, found, config.finished, config.folds) if found else card

    found = folds_of.read_with(config.finished, config.folds) if config.folds else None
    given = config.finished, config.preset, Train(), write, with_folds
    to_zoo("activity_recognition", *given)


def _flags(run: RunFolder) -> Train:
    """Return a run's flags; from before there was a second training it has had none."""
    run.config.setdefault("refit", False)
    return flags_of(run, Train)


def _best(run: RunFolder) -> dict[str, float]:
    """Return the row of a run's history with the best validation."""
    return min(run.history, key=lambda row: row["val_loss"])


def _model(config: Train, data: Dataset, training: Recordings) -> keras.Model:
    import numpy as np

    from gru_zoo.models.budget import units_for
    from gru_zoo.models.signals import signal_model

    samples = np.concatenate(training.signals)

    def build(units: int) -> keras.Model:
        return signal_model(
            samples.mean(axis=0, dtype=np.float64),
            samples.var(axis=0, dtype=np.float64),
            len(data.labels),
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

    _flags(run)  # Every recipe's model is a Keras model: another's flags tell its runs.
    return models.of_run(run, keras.Model)


def _evaluate(run: RunFolder, model: keras.Model, data: Dataset) -> None:
    """Read the test split, and write `metrics.json`."""
    from gru_zoo.training.signal_windows import streamed_accuracy, window_figures

    config = _flags(run)
    test = data.load("test", config.fold)
    run.pin_data(test.source.as_dict())
    windows, labels = test.windows(config.sequence_length)
    figures = window_figures(model, windows, labels)
    last = RunFolder.open(run.path / _REFIT).history if config.refit else []
    seconds = [row["seconds"] for row in (*run.history, *last)]
    people = ", ".join(test.people)
    span = f"{config.sequence_length / data.rate:g} s"
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": figures["accuracy"], "split": "test"},
            "streamed_accuracy": streamed_accuracy(
                model, test.signals, test.labels, config.sequence_length
            ),
            "scored_on": f"{len(labels):,} windows of {span}, subjects {people}, never trained on",
            "validation_accuracy": _best(run)["val_accuracy"],
            "folds": data.folds,
            "parameters": model.count_params(),
            "epochs": len(last or run.history),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": test.source.as_dict(),
        }
    )


def _export(run: RunFolder, model: keras.Model, data: Dataset) -> Card:
    flags = _flags(run)
    artifact.require_gru(run, flags)
    trained = command("activity_recognition", run, Train())
    return artifact.write_artifact(run, model, data, flags, trained)


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
