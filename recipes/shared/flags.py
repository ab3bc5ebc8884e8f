"""Flags that several recipes have."""

from __future__ import annotations

import dataclasses
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
    """Folder of the run; the newest one if not given."""


@dataclasses.dataclass(frozen=True)
class ExportFlags(OneRun):
    """Flags of a command that writes an artifact again."""

    out: Path | None = None
    """Write the device's files into this folder, and no artifact."""
    preset: str = ""
    """A name in the zoo: its files are written anew from its own model instead."""


@dataclasses.dataclass(frozen=True)
class PublishFlags:
    """Flags of a command that makes a preset."""

    finished: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs that differ in their seed only; the best on validation data is shipped."""
