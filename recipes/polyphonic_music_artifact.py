"""A music model's artifact and card, its device files alone, and a preset's rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.data import polyphonic_music
from recipes.shared import models
from recipes.shared.device_files import write_checked
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of

if TYPE_CHECKING:
    import keras

    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.training.runs import RunFolder

NAMES = {
    "jsb_chorales": "Bach's chorales",
    "nottingham": "British and American folk tunes",
    "musedata": "orchestral and piano classics",
    "piano_midi": "classical piano",
}
USES = (
    "A small example of streaming on a device: one frame in, the probability of each of 88 keys "
    "out. It can accompany or continue a piece of the kind that it was trained on; its output is "
    "not meant to be taken for a composer's work."
)
# Mean negative log-likelihood per frame, in nats, of gated recurrent units on the test split.
PUBLISHED = {
    "jsb_chorales": (
        ("8.43", "Bai et al. 2018"),
        ("8.54 (quoted from memory)", "Chung et al. 2014"),
    ),
    "nottingham": (("3.46", "Bai et al. 2018"), ("3.23 (quoted from memory)", "Chung et al. 2014")),
    "musedata": (("5.99 (quoted from memory)", "Chung et al. 2014"),),
    "piano_midi": (("8.82 (quoted from memory)", "Chung et al. 2014"),),
}
LIMITS = (
    "Given the previous frames, it predicts keys independently of each other: a chord is sampled "
    "key by key, and can have a wrong one.",
    "It has no notion of time signature, loudness or tempo: all frames are equally long.",
)
# Training pieces that integers are calibrated on, test pieces that are kept as goldens.
REPRESENTATIVE, GOLDENS = 40, 4


def write_artifact(run: RunFolder, model: keras.Model, config: Any, command: str) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        config: the run's flags.
        command: that trained it.
    """
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.frames import frame_goldens

    test, source = polyphonic_music.load("test", config.dataset)
    run.pin_data(source.as_dict())
    return publish(
        run.path / "artifact",
        _about(run, model, config, command),
        model,
        **_parts(model, config.dataset, config.limit),
        goldens=frame_goldens(model, _beginnings(test)),
    )


def write_files(model: keras.Model, out: Path, dataset: str, overwrite: bool) -> None:
    """Write the device's files into a folder, each compared with the model.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    from gru_zoo.artifacts.frames import frame_files

    write_checked(out, frame_files(model, _representative(dataset)), overwrite)


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
    require_same_data(model.card, polyphonic_music.load("test", known["dataset"])[1])
    parts = _parts(model, known["dataset"], known.get("limit", 0))
    return publish_again(folder, model, **parts)


def of_zoo(flag: str, name: str) -> keras.Model:
    """Return a preset that models music; `flag` named it, for the error's message.

    Raises:
        ValueError: no such preset, or a model of another kind.
    """
    import keras

    model = models.of_zoo(flag, name, keras.Model)
    if model.card.metric != "nll":
        raise ValueError(f"{flag} must name a music model; {name} is for {model.card.task}.")
    return model


def _parts(model: keras.Model, dataset: str, limit: int = 0) -> dict[str, Any]:
    """Return the parts of an artifact; files are scored on `limit` test pieces, 0 takes all."""
    from gru_zoo.artifacts.frames import frame_parts

    test, _ = polyphonic_music.load("test", dataset)
    return frame_parts(model, test[: limit or None], _representative(dataset))


def _representative(dataset: str) -> list[np.ndarray]:
    return polyphonic_music.load("train", dataset)[0][:REPRESENTATIVE]


def _beginnings(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Return as many frames of each of the first pieces as the shortest of them has, or 60."""
    some = pieces[:GOLDENS]
    return np.stack([piece[: min(60, *map(len, some))] for piece in some])


def _about(run: RunFolder, model: keras.Model, config: Any, command: str) -> About:
    from gru_zoo.artifacts.card import About

    metrics = run.metrics()
    published = [
        {"system": "GRU", "value": value, "source": source}
        for value, source in PUBLISHED[config.dataset]
    ]
    return About(
        name=run.path.name,
        # Hugging Face has no task of its own for music as notes.
        task="time-series-forecasting",
        language=["zxx"],  # no words
        summary=f"Predicts the next frame of piano rolls: {NAMES[config.dataset]}.",
        uses=USES,
        metric="nll",
        dataset=config.dataset,
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=config.seed,
        commands=[command],
        configuration={
            "dataset": config.dataset,
            "cell": config.cell,
            "units": model.get_layer("reader_0").units,
            "num_layers": config.num_layers,
            "accuracy": round(metrics["accuracy"], 4),
            **({"limit": config.limit} if config.limit else {}),
        },
        published=published,
        measured=[],
        limits=LIMITS,
    )
