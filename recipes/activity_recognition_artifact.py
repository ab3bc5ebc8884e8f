"""The artifact and card of a model of a watch's signals, its device files, a preset rewritten."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.data import watch_exercises
from recipes.shared import models
from recipes.shared.device_files import write_checked
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of

if TYPE_CHECKING:
    import keras

    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.data.source import Source
    from gru_zoo.training.runs import RunFolder

USES = (
    "A small example of always-on sensing: samples of an accelerometer and a gyroscope at the "
    "wrist in, the exercise out, on a phone, a watch or a microcontroller. It tells seven "
    "exercises apart; not whether one is done well, nor that none is. It is no medical device."
)
PUBLISHED = (
    ("random forest, their best", "87.3 %", "Burns et al. 2018, first version, ten people"),
    ("convolutional recurrent network", "88.9 %", "Burns et al. 2018, twenty people"),
)
LIMITS = (
    "Ten healthy adults were recorded with one watch: other people, another way to wear it or "
    "another device can be beyond what it has learnt.",
    "It always names one of the seven exercises, also where something else is done or nothing.",
    "It expects 50 samples a second in the units of the recordings, which their authors do not "
    "name; other units need the factors.",
)
# Training windows that integers are calibrated on, test windows that are kept as goldens.
REPRESENTATIVE, GOLDENS = 40, 8


@dataclasses.dataclass(frozen=True)
class Recordings:
    """A split's recordings: signals `[samples, 6]`, the exercise of each, and their source."""

    signals: list[np.ndarray]
    labels: list[int]
    source: Source

    def windows(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return every window, the next one from the middle of the last, and the labels."""
        from gru_zoo.training.signal_windows import windows

        return windows(self.signals, self.labels, length)


def recordings(split: str, fold: int) -> Recordings:
    """Load a split's recordings."""
    found, source = watch_exercises.load(split, fold)
    return Recordings([each.signal for each in found], [each.exercise for each in found], source)


def write_artifact(run: RunFolder, model: keras.Model, config: Any, command: str) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        config: the run's flags.
        command: that trained it.
    """
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.signals import signal_goldens

    test = recordings("test", config.fold)
    run.pin_data(test.source.as_dict())
    windows = test.windows(config.sequence_length)[0]
    return publish(
        run.path / "artifact",
        _about(run, model, config, command),
        model,
        **_parts(model, config.sequence_length, config.fold),
        goldens=signal_goldens(model, _spread(windows, GOLDENS)),
    )


def write_files(model: keras.Model, out: Path, length: int, fold: int, overwrite: bool) -> None:
    """Write the device's files into a folder, each compared with the model.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    from gru_zoo.artifacts.signals import signal_files

    write_checked(out, signal_files(model, _representative(length, fold)), overwrite)


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is not what can be read
            here.
    """
    from gru_zoo.artifacts.folder import publish_again

    folder = folder_to_rewrite(name)
    model = of_zoo("preset", name)
    known = model.card.configuration
    require_same_data(model.card, recordings("test", known["fold"]).source)
    return publish_again(folder, model, **_parts(model, known["sequence_length"], known["fold"]))


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


def _parts(model: keras.Model, length: int, fold: int) -> dict[str, Any]:
    from gru_zoo.artifacts.signals import signal_parts

    windows, targets = recordings("test", fold).windows(length)
    representative = _representative(length, fold)
    return signal_parts(model, windows, targets, representative, watch_exercises.EXERCISES)


def _representative(length: int, fold: int) -> list[np.ndarray]:
    return list(_spread(recordings("train", fold).windows(length)[0], REPRESENTATIVE))


def _spread(windows: np.ndarray, count: int) -> np.ndarray:
    """Return some windows, as far from each other as they are: of several recordings."""
    return windows[np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(int)]


def _about(run: RunFolder, model: keras.Model, config: Any, command: str) -> About:
    from gru_zoo.artifacts.card import About

    metrics = run.metrics()
    published = [
        {"system": system, "value": value, "source": source} for system, value, source in PUBLISHED
    ]
    return About(
        name=run.path.name,
        # Hugging Face has no task of its own for the classification of time series.
        task="tabular-classification",
        language=["zxx"],  # no words
        summary="Names the shoulder exercise that a smartwatch's wearer does, after every sample.",
        uses=USES,
        metric="accuracy",
        dataset="watch_exercises",
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=config.seed,
        commands=[command],
        configuration={
            "fold": config.fold,
            "sequence_length": config.sequence_length,
            "rate": watch_exercises.RATE,
            "channels": list(watch_exercises.CHANNELS),
            "labels": list(watch_exercises.EXERCISES),
            "cell": config.cell,
            "units": model.get_layer("reader_0").units,
            "num_layers": config.num_layers,
            "streamed_accuracy": round(metrics["streamed_accuracy"], 4),
        },
        published=published,
        measured=[],
        limits=LIMITS,
    )
