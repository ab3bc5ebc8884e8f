"""Flags that several recipes share."""

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
    """Source of the reviews; auto prefers TFDS, packaged has no unlabelled reviews."""
    limit: int = 0
    """Use only this many reviews of each split, for a smoke test; 0 uses all."""


@dataclasses.dataclass(frozen=True)
class OneRun:
    """Flags of a command on a finished run."""

    run: Path | None = None
    """Folder of the run; by default the most recent one."""


@dataclasses.dataclass(frozen=True)
class OutFlags(OneRun):
    """Flags of a command that exports a run's artifact again, or only its device files."""

    out: Path | None = None
    """Write only the device files, into this folder, instead of the whole artifact."""
    overwrite: bool = False
    """Overwrite existing files in --out."""


@dataclasses.dataclass(frozen=True)
class ExportFlags(OutFlags):
    """Flags of a command that exports the artifact of a run or of a preset again."""

    preset: str = ""
    """Preset of the zoo to export instead of a run; without --out its own files are rewritten."""

    def __post_init__(self) -> None:
        if self.run and self.preset:
            raise ValueError(
                f"run and preset are mutually exclusive; got {self.run}, {self.preset}."
            )


@dataclasses.dataclass(frozen=True)
class PublishFlags:
    """Flags of a command that makes a preset."""

    finished: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs that differ only in their seed; the best on validation data is shipped."""


def check_left_alone(config: RunFlags, names: Iterable[str], why: str) -> None:
    """Raise ValueError if one of some flags is not what it is by default.

    Args:
        config: flags of a training.
        names: of those that have no use in it.
        why: with what, or where; it follows on "must keep its default".
    """
    usual = type(config)()
    for name in names:
        value = getattr(config, name)
        if value != getattr(usual, name):
            raise ValueError(f"{name} must keep its default {why}; got {value!r}.")
