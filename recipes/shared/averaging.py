"""A run that averages the weights of other runs (`--mean-of`): its flags and its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gru_zoo.training.runs import RunFolder
from recipes.shared.publishing import is_run

if TYPE_CHECKING:
    import keras

# Flags of a training, which such a run is not.
_LEARNS = (
    "pretrained",
    "teachers",
    "words",
    "adversarial",
    "virtual_adversarial",
    "word_dropout",
    "grow",
)


def check(config: Any) -> None:
    """Look at the flags of a run that has `mean_of`, before anything is read.

    Raises:
        ValueError: it is combined with a training flag, or `half` is used without it; or one of
            them reads in the other direction.
        FileNotFoundError: it names something that is neither a run nor a preset.
    """
    for name in _LEARNS if config.mean_of else ():
        if given := getattr(config, name, None):
            raise ValueError(
                f"{name} must not be used with mean_of, which does not train; got {given}."
            )
    if config.half and not config.mean_of:
        raise ValueError("half requires mean_of, which may name a single run; got none.")
    for place in config.mean_of:
        known = is_run(place) and RunFolder.open(place).config.get("backward", False)
        if known != config.backward:
            raise ValueError(f"backward must be {known}, as in {place}; got {config.backward}.")


def finish(
    run: RunFolder, config: Any, model: keras.Model, validate: Callable[[], Mapping[str, float]]
) -> None:
    """Round the average to float16 if asked, validate it, and write its row of history.

    Epochs and seconds are those of its parts, runs or presets.
    """
    from gru_zoo.models.keras_file import round_to_half

    if config.half:
        round_to_half(model)
    row = {f"val_{name}": value for name, value in validate().items()}
    epochs, seconds = map(sum, zip(*map(_effort, config.mean_of), strict=True))
    run.history.append({"epoch": epochs, **row, "seconds": seconds})
    run.save_checkpoint({})


def _effort(place: str) -> tuple[float, float]:
    """Return the epochs and seconds of a run's training, or of the seed that a preset is."""
    if is_run(place):
        run = RunFolder.open(place)
        # A language model's history has a row for each part of an epoch, a mean's one row for all.
        parts = 1 if run.config.get("mean_of") else run.config.get("parts", 1)
        return run.history[-1]["epoch"] / parts, sum(row["seconds"] for row in run.history)
    from gru_zoo.zoo import card

    about = card(place)
    shipped = next(score for score in about.scores if score.seed == about.shipped_seed)
    return shipped.epochs, shipped.train_seconds
