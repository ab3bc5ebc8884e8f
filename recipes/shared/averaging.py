"""A run that is the mean of other runs' weights (`--mean-of`): its flags, and what it notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gru_zoo.training.runs import RunFolder
from recipes.shared.publishing import is_run

# Flags of a training, which such a run is not.
_LEARNS = ("pretrained", "teachers", "words", "adversarial", "virtual_adversarial")


def check(config: Any) -> None:
    """Look at the flags of a run that has `mean_of`, before anything is read.

    Raises:
        ValueError: a flag of a training stands beside it.
        FileNotFoundError: it names something that is neither a run nor a preset.
    """
    for name in _LEARNS if config.mean_of else ():
        if given := getattr(config, name, None):
            raise ValueError(
                f"{name} must not be given with mean_of, which trains nothing; got {given}."
            )
    for place in config.mean_of:
        is_run(place)


def note(run: RunFolder, places: Sequence[str], validation: Mapping[str, float]) -> None:
    """Write the one line of such a run's history: the epochs and seconds of its parts' runs."""
    parts = [row for place in places if is_run(place) for row in RunFolder.open(place).history]
    row = {f"val_{name}": value for name, value in validation.items()}
    seconds = sum(part["seconds"] for part in parts)
    run.history.append({"epoch": len(parts), **row, "seconds": seconds})
    run.save_checkpoint({})
