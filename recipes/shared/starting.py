"""Starting a recipe's training: the flags that every run has, and its folder."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from gru_zoo.arguments import fraction, positive_int
from gru_zoo.training.runs import RunFolder, newest_run

# Flags that say where a run is and how it is reached, not what it computes.
PLACE = ("name", "runs", "resume", "export", "opinions")
# A resumed run may end sooner or later than was meant, or otherwise; what it computed until then
# stays.
_MAY_CHANGE = ("half", "stop_after")
# What `check_flags` asks of the flags of these names, whichever recipe they are of.
_POSITIVE = frozenset(
    "affix_dim batch_size beams dim embedding_dim epochs heads hops longest max_tokens num_layers "
    "parts repeat sequence_length steps streams unlabelled_per_labelled units vocabulary_size "
    "word_dim".split()
)
_COUNTS = frozenset("excerpts limit parameters patience sampled stop_after".split())
_SHARES = frozenset("dropout ema_momentum held_out recurrent_dropout smoothing".split())
_RATES = frozenset("learning_rate strength temperature".split())
_AT_LEAST_0 = frozenset("alpha supports word_dropout".split())


@dataclasses.dataclass(frozen=True)
class RunFlags:
    """Flags of every training; a recipe's own `Train` adds its flags and its folder."""

    # Run: where the files go.
    name: str = ""
    """Name of the run; if empty, date and time, with a number appended if that is taken."""
    runs: Path = Path("runs")
    """Parent folder of the run's own folder."""
    resume: bool = False
    """Resume the run given by --name, or the most recent one."""
    seed: int = 0
    """Random seed for weights, data order and dropout."""


Flags = TypeVar("Flags", bound=RunFlags)


def check_flags(config: RunFlags) -> None:
    """Raise ValueError if a flag that several trainings have is out of its range."""
    for name in (field.name for field in dataclasses.fields(config)):
        value = getattr(config, name)
        if name in _POSITIVE:
            positive_int(name, value)
        elif name in _COUNTS and value < 0:
            raise ValueError(f"{name} must be 0 or more; got {value}.")
        elif name in _SHARES:
            fraction(name, value)
        elif name in _RATES and not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number above 0; got {value}.")
        elif name in _AT_LEAST_0 and not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a number of at least 0; got {value}.")


def require_folder_name(flag: str, name: str, parent: Path) -> None:
    """Raise ValueError if a flag's value is no name that a folder in `parent` can have."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"{flag} must be a plain folder name, created in {parent}; got {name!r}.")


def flags_of(run: RunFolder, kind: type[Flags]) -> Flags:
    """Return the flags that a run was trained with.

    Args:
        run: a recipe's.
        kind: the recipe's `Train`.

    Raises:
        ValueError: it is another recipe's run.
    """
    try:
        return kind(**run.config)
    except TypeError as error:
        recipe = next(field.default for field in dataclasses.fields(kind) if field.name == "runs")
        raise ValueError(
            f"run must be a run of recipes.{recipe.name}; the flags of {run.path} differ ({error})."
        ) from error


@contextlib.contextmanager
def start_run(config: RunFlags) -> Iterator[RunFolder]:
    """Make or reopen the folder of a run, and say where it is.

    A new run that ends with an error before it has left anything leaves no folder either, which
    would stand in the way of the command with the mistake put right. A resumed one may still be
    trained by another process.

    Raises:
        FileExistsError: the run exists, and is not to be resumed.
        FileNotFoundError: it is to be resumed, and there is none.
        ValueError: it is to be resumed, and was started with other flags, or has done more.
    """
    if config.name:
        require_folder_name("name", config.name, config.runs)
    fixed = {key: value for key, value in dataclasses.asdict(config).items() if key not in PLACE}
    if config.resume:
        run = _resumed(config, fixed)
    elif config.name:
        run = RunFolder(config.runs / config.name, fixed)
    else:
        run = _of_this_second(config.runs, fixed)
    print(f"run: {run.path}")
    try:
        yield run
    except Exception:
        if not config.resume:
            run.discard_unless_begun()
        raise


def _resumed(config: RunFlags, fixed: dict[str, Any]) -> RunFolder:
    """Return the run that the flags name, or the one started or resumed last."""
    path = config.runs / config.name if config.name else newest_run(config.runs)
    if (path / "config.json").exists():
        before = RunFolder.open(path)
        _require_no_more_done(config, before)
        fixed = _without_newer(fixed, config, before.config)
    return RunFolder(path, fixed, True, _MAY_CHANGE)


def _of_this_second(runs: Path, fixed: dict[str, Any]) -> RunFolder:
    """Return a new run with date and time for a name, and a number if another one has it."""
    runs.mkdir(parents=True, exist_ok=True)  # What is wrong with it is no name that is taken.
    name = now = time.strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(2):
        try:
            return RunFolder(runs / name, fixed)
        except FileExistsError:
            name = f"{now}-{number}"


def _require_no_more_done(config: RunFlags, before: RunFolder) -> None:
    """Raise ValueError if a run is to stop before what it has done: that is not taken back."""
    stop_after, done = getattr(config, "stop_after", 0), len(before.history)
    if 0 < stop_after < done:
        raise ValueError(
            f"stop_after must be 0 or at least {done}, which the run in {before.path} has already "
            f"completed; got {stop_after}."
        )


def _without_newer(
    fixed: dict[str, Any], config: RunFlags, before: dict[str, Any]
) -> dict[str, Any]:
    """Return a run's flags without those that are newer than the run and at their default."""
    usual = {field.name: field.default for field in dataclasses.fields(config)}
    return {key: v for key, v in fixed.items() if key in before or v != usual[key]}
