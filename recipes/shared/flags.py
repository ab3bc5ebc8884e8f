"""Flags that several recipes have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import tyro

from recipes.shared.starting import RunFlags


@dataclasses.dataclass(frozen=True)
class ReviewFlags(RunFlags):
    """Flags of a training on IMDB's reviews."""

    source: Literal["auto", "tfds", "packaged"] = "auto"
    """Where the reviews come from; auto prefers TFDS, and the package has no unlabelled ones."""
    limit: int = 0
    """Use only so many reviews of each split, for a smoke test; 0 uses all of them."""


@dataclasses.dataclass(frozen=True)
class OneRun:
    """Flags of a command on a finished run."""

    run: Path | None = None
    """Folder of the run; the one started or resumed last if not given."""


@dataclasses.dataclass(frozen=True)
class OutFlags(OneRun):
    """Flags of a command that writes a run's artifact again, or its files alone."""

    out: Path | None = None
    """Write the device's files into this folder, and no artifact."""
    overwrite: bool = False
    """Replace files that are in it already."""


@dataclasses.dataclass(frozen=True)
class ExportFlags(OutFlags):
    """Flags of a command that writes an artifact again, of a run or of a preset."""

    preset: str = ""
    """A name in the zoo, in place of a run; without --out its own files are written anew."""

    def __post_init__(self) -> None:
        if self.run and self.preset:
            raise ValueError(f"run and preset exclude each other; got {self.run}, {self.preset}.")


@dataclasses.dataclass(frozen=True)
class PublishFlags:
    """Flags of a command that makes a preset."""

    finished: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs that differ in their seed only; the best on validation data is shipped."""


def check_left_alone(config: RunFlags, names: Iterable[str], why: str) -> None:
    """Raise ValueError if one of some flags is not what it is by default.

    Args:
        config: flags of a training.
        names: of those that have no use in it.
        why: with what, or where; it follows on "must be left alone".
    """
    usual = type(config)()
    for name in names:
        value = getattr(config, name)
        if value != getattr(usual, name):
            raise ValueError(f"{name} must be left alone {why}; got {value!r}.")
