"""The artifact and card of a model of a watch's signals, its device files, a preset rewritten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.activity_recognition_data import Dataset, watch
from recipes.shared import models
from recipes.shared.device_files import write_checked
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of

if TYPE_CHECKING:
    import keras

    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.training.runs import RunFolder
    from recipes.activity_recognition_flags import Train

DATASET = "watch_exercises"
SUMMARY = "Names the shoulder exercise that a smartwatch's wearer does, after every sample."
SUMMARY_OF_A_TABLE = "Names what is done, after every sample of a sensor."
USES_OF_A_TABLE = "Samples of a sensor in, what is done out, one after the other, on a device."
# Of a model that was trained with `refit`.
REFIT = (
    "Its validation figures are those of a first training, which chose the number of epochs; then "
    "it was trained anew for as many, on the people of validation too."
)
LIMITS_OF_A_TABLE = (
    "It always names one of its labels, also where something else is done or nothing.",
    "It expects samples as often, and in the units, as in the table it was trained on.",
)
USES = (
    "A small example of always-on sensing: samples of an accelerometer and a gyroscope at the "
    "wrist in, the exercise out, on a phone, a watch or a microcontroller. It tells seven "
    "exercises apart; not whether one is done well, nor that none is. It is no medical device."
)
PUBLISHED = (
    (
        "random forest, mean of five folds",
        "87.3 %",
        "ten people; Burns et al. 2018, first version",
    ),
    (
        "convolutional recurrent network, mean of five folds",
        "88.9 %",
        "twenty people; Burns et al. 2018",
    ),
)
LIMITS = (
    "Ten healthy adults were recorded with one watch: other people, another way to wear it or "
    "another device can be beyond what it has learnt.",
    "It always names one of the seven exercises, also where something else is done or nothing.",
    "It expects 50 samples a second in the units of the recordings. Their authors name none; by "
    "what they read, they are g and radians per second.",
    "Settings, unlike weights, were chosen on people whom other folds test, these two among them, "
    "and the test people were read three times (docs/activity_recognition.md).",
)
# Training windows that integers are calibrated on, test windows that are kept as goldens.
REPRESENTATIVE, GOLDENS = 40, 8


def form(data: Dataset) -> dict[str, Any]:
    """Return what a model takes and gives, in types JSON has."""
    return {"rate": data.rate, "channels": list(data.channels), "labels": list(data.labels)}


def write_artifact(
    run: RunFolder, model: keras.Model, data: Dataset, config: Train, command: str
) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        data: what it was trained on.
        config: the run's flags.
        command: that trained it.
    """
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.signals import signal_goldens

    test = data.load("test", config.fold)
    run.pin_data(test.source.as_dict())
    windows = test.windows(config.sequence_length)[0]
    return publish(
        run.path / "artifact",
        _about(run, model, data, config, command),
        model,
        **_parts(model, data, config.sequence_length, config.fold),
        goldens=signal_goldens(model, _spread(windows, GOLDENS)),
    )


def require_gru(run: RunFolder, config: Train) -> None:
    """Raise ValueError unless a run's model has an artifact: another cell cannot stream."""
    if config.cell != "gru":
        raise ValueError(
            f"run must be of cell 'gru' to be exported; {run.path} has {config.cell!r}."
        )


def write_files(
    model: keras.Model, out: Path, data: Dataset, length: int, fold: int, overwrite: bool
) -> None:
    """Write the device's files into a folder, each compared with the model.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    from gru_zoo.artifacts.signals import signal_files

    write_checked(out, signal_files(model, _representative(data, length, fold)), overwrite)


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is not what can be read
            here.
    """
    from gru_zoo.artifacts.folder import publish_again

    folder = folder_to_rewrite(name)
    model, given = _preset(name)
    return publish_again(folder, model, **_parts(model, *given))


def write_preset_files(name: str, out: Path, overwrite: bool) -> None:
    """Write a preset's device files into a folder; raises as `write_files` and `rewrite_preset`."""
    model, given = _preset(name)
    write_files(model, out, *given, overwrite)


def of_zoo(flag: str, name: str) -> keras.Model:
    """Return a preset that classifies a watch's signals; `flag` named it, for the error's message.

    Raises:
        ValueError: no such preset, or a model of another kind.
    """
    import keras

    model = models.of_zoo(flag, name, keras.Model)
    if "fold" not in model.card.configuration:
        raise ValueError(f"{flag} must name a model of signals; {name} is for {model.card.task}.")
    return model


def _preset(name: str) -> tuple[keras.Model, tuple[Dataset, int, int]]:
    """Return a preset, with its data, the length of its windows, and its fold."""
    model, data = of_zoo("preset", name), watch()
    known = model.card.configuration
    if model.card.dataset != DATASET:
        raise ValueError(
            f"preset must be trained on the watch's exercises; {name} was on "
            f"{model.card.data['name']}: export --run its run, which knows the columns."
        )
    require_same_data(model.card, data.load("test", known["fold"]).source)
    return model, (data, known["sequence_length"], known["fold"])


def _parts(model: keras.Model, data: Dataset, length: int, fold: int) -> dict[str, Any]:
    from gru_zoo.artifacts.signals import signal_parts

    windows, targets = data.load("test", fold).windows(length)
    representative = _representative(data, length, fold)
    return signal_parts(model, windows, targets, representative, data.labels)


def _representative(data: Dataset, length: int, fold: int) -> list[np.ndarray]:
    return list(_spread(data.load("train", fold).windows(length)[0], REPRESENTATIVE))


def _spread(windows: np.ndarray, count: int) -> np.ndarray:
    """Return some windows, as far from each other as they are: of several recordings."""
    return windows[np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(int)]


def _about(run: RunFolder, model: keras.Model, data: Dataset, config: Train, command: str) -> About:
    from gru_zoo.artifacts.card import About

    metrics = run.metrics()
    published = [
        {"system": system, "value": value, "source": source} for system, value, source in PUBLISHED
    ]
    of_watch = not config.csv
    return About(
        name=run.path.name,
        # Hugging Face has no task of its own for the classification of time series.
        task="tabular-classification",
        language=["zxx"],  # no words
        summary=SUMMARY if of_watch else SUMMARY_OF_A_TABLE,
        uses=USES if of_watch else USES_OF_A_TABLE,
        metric="accuracy",
        dataset=DATASET if of_watch else Path(config.csv).name,
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=config.seed,
        commands=[command],
        configuration={
            "fold": config.fold,
            "sequence_length": config.sequence_length,
            **form(data),
            "cell": config.cell,
            "units": model.get_layer("reader_0").units,
            "num_layers": config.num_layers,
            "streamed_accuracy": round(metrics["streamed_accuracy"], 4),
        },
        published=published if of_watch else [],
        measured=[],
        limits=[
            *(LIMITS if of_watch else LIMITS_OF_A_TABLE),
            *([REFIT] if config.refit else []),
        ],
    )
