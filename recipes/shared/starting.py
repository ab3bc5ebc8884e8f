"""How a recipe's training starts: the flags that every run has, and its folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_zoo.arguments import positive_int
from gru_zoo.training.runs import RunFolder, newest_run

# Flags that say where a run is and how it is reached, not what it computes.
PLACE = ("name", "runs", "resume", "export", "opinions")
# A resumed run may end sooner or later than was meant; what it computed until then stays.
_MAY_CHANGE = ("stop_after",)


@dataclasses.dataclass(frozen=True)
class RunFlags:
    """Flags of every training; a recipe's own `Train` adds its flags and its folder."""

    # Run: where the files go.
    name: str = ""
    """Name of the run; date and time if empty."""
    runs: Path = Path("runs")
    """Folder of the runs."""
    resume: bool = False
    """Go on with the run called NAME, or with the newest one."""
    seed: int = 0
    """Of weights, order and dropout."""


def check_sizes(config: RunFlags, names: Sequence[str]) -> None:
    """Raise ValueError unless each of these flags is a positive integer."""
    for name in names:
        positive_int(name, getattr(config, name))


def start_run(config: RunFlags) -> RunFolder:
    """Make or reopen the folder of a run, and say where it is.

    Raises:
        FileExistsError: the run exists, and is not to be resumed.
        FileNotFoundError: it is to be resumed, and there is none.
        ValueError: it is to be resumed, and was started with other flags.
    """
    name = config.name or time.strftime("%Y%m%d-%H%M%S")
    if config.resume and not config.name:
        name = newest_run(config.runs).name
    fixed = {key: value for key, value in dataclasses.asdict(config).items() if key not in PLACE}
    if config.resume and (config.runs / name / "config.json").exists():
        fixed = _without_newer(fixed, config, config.runs / name)
    run = RunFolder(config.runs / name, fixed, config.resume, _MAY_CHANGE)
    print(f"run: {run.path}")
    return run


def _without_newer(fixed: dict[str, Any], config: RunFlags, path: Path) -> dict[str, Any]:
    """Return a run's flags without those that are newer than the run and at their default."""
    before = RunFolder.open(path).config
    usual = {field.name: field.default for field in dataclasses.fields(config)}
    return {key: v for key, v in fixed.items() if key in before or v != usual[key]}
