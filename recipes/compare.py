"""GRU, LSTM, plain RNN and Transformer on four tasks and on long sequences, at equal budgets.

Command:  python -m recipes.compare                 (everything; --plan estimates the time)
          python -m recipes.compare --quick         (a smaller comparison, about 12 minutes)
          python -m recipes.compare --advise --max-latency-ms 2 --length 300
Measured: results/compare/report.md.

Every training runs in its own process: this module starts the recipes and reads their results.
Every finished training is a file in `results/compare`; a comparison that was stopped resumes when
it is started again.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.arguments import one_of, positive_int
from recipes.comparison import stored
from recipes.comparison.plan import Job, check_configuration, missing, plan
from recipes.comparison.subjects import CELLS, QUICK_SEEDS, SEEDS, every_subject, subject
from recipes.shared import cli

if TYPE_CHECKING:
    from recipes.comparison.subjects import Problem, Task


@dataclasses.dataclass(frozen=True)
class Compare:
    """Compare recurrent cells and a Transformer and write a report, or recommend a cell."""

    # What is compared.
    task: tuple[str, ...] = ()
    """Tasks and long-sequence problems to compare; all by default."""
    cells: tuple[str, ...] = CELLS
    """Cells to compare."""
    seeds: int = 0
    """Number of random seeds per cell; 0 uses 3, or 1 with --quick."""
    quick: bool = False
    """Run a smaller comparison, marked as such, in about 12 minutes on two cores."""

    # Where.
    results: Path | None = None
    """Folder for results and report; by default results/compare or results/compare_quick."""
    runs: Path | None = None
    """Folder for training runs; by default runs/compare or runs/compare_quick, in the folder of
    --results if that is given."""
    minutes: float = 0.0
    """Start no new training after this many minutes; 0 means no limit."""
    cores: int = 2
    """Number of parallel trainings, each pinned to its own core where the system allows it."""

    # Instead of measuring.
    plan: bool = False
    """Only print the planned trainings and the estimated time."""
    report: bool = False
    """Only write the report, from the results so far."""
    advise: bool = False
    """Only recommend a cell, from the results so far."""

    # For --advise.
    max_latency_ms: float = 0.0
    """Latency limit per sequence in ms (int8, one thread); 0 means no limit."""
    max_parameters: int = 0
    """Limit on the number of model parameters; 0 means no limit."""
    length: int = 0
    """Sequence length in steps; 0 uses all measured lengths."""


def compare(config: Compare) -> None:
    """Do what the flags say."""
    subjects = _check(config)
    folder = config.results or Path("results", _called(config))
    results = stored.read(folder)
    seeds = config.seeds or (QUICK_SEEDS if config.quick else SEEDS)

    def make_plan(finished: stored.Results) -> list[Job]:
        return plan(subjects, config.cells, seeds, finished)

    check_configuration(every_subject(config.quick), results, config.quick, folder)
    if config.advise:
        _advise(config, results, subjects, folder)
    elif config.plan:
        _print_plan(make_plan(results), results, config.cores)
    elif config.report:
        _report(seeds, folder, config.quick)
    else:
        failures = _run(config, make_plan, folder)
        _report(seeds, folder, config.quick)
        if failures:
            raise ValueError("all trainings must succeed; " + "; ".join(failures))


def _called(config: Compare) -> str:
    """Return what the folders are called; the quick trainings are no beginning of the full ones."""
    return "compare_quick" if config.quick else "compare"


def _check(config: Compare) -> list[Task | Problem]:
    """Check the flags; return the tasks and problems that are asked for."""
    for name in ("task", "cells"):
        names = getattr(config, name)
        if len(set(names)) < len(names):
            raise ValueError(f"{name} must not name anything twice; got {' '.join(names)}.")
    for cell in config.cells:
        one_of("cells", cell, CELLS)
    if not config.cells:
        raise ValueError(f"cells must be one or more of {', '.join(CELLS)}; got none.")
    if config.advise and len(config.cells) < 2:
        raise ValueError(f"cells must be two or more to choose from; got {config.cells[0]}.")
    if config.seeds:
        positive_int("seeds", config.seeds)
    positive_int("cores", config.cores)
    if config.results and config.results.exists() and not config.results.is_dir():
        raise ValueError(f"results must be a folder, or new; {config.results} is a file.")
    for name in ("minutes", "max_latency_ms", "max_parameters", "length"):
        if not 0 <= getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be a number of at least 0; got {getattr(config, name)}.")
    if not config.advise:
        for name in ("max_latency_ms", "max_parameters", "length"):
            if limit := getattr(config, name):
                raise ValueError(f"{name} must be 0 without --advise; got {limit}.")
    if config.plan + config.report + config.advise > 1:
        raise ValueError("plan, report and advise are mutually exclusive; got more than one.")
    known = every_subject(config.quick)
    return [subject(name, config.quick) for name in config.task] or list(known)


def _run(config: Compare, make_plan: object, folder: Path) -> list[str]:
    if importlib.util.find_spec("fcntl") is None:
        raise ImportError(
            "recipes.compare needs a POSIX system (fcntl) to run trainings; --plan, --report and "
            "--advise work without it."
        )
    from recipes.comparison.runner import run_all

    # So that an ordinary end takes the child along, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated; start it again to resume."))
    minutes = config.minutes or math.inf
    here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = here[: config.cores] if here else [None] * config.cores
    # Other results are of other trainings, not of those that have been made for these.
    runs = config.runs or (config.results or Path()) / "runs" / _called(config)
    return run_all(make_plan, folder, runs, config.quick, print, minutes, cores)


def _print_plan(jobs: list[Job], results: stored.Results, cores: int) -> None:
    left = missing(jobs, results)
    keys = {job.key for job in left}
    for job in jobs:
        state = f"{job.minutes:6.1f} min" if job.key in keys else "  finished"
        print(f"{state}  {job.key}")
    hours = sum(job.minutes for job in left) / 60 / cores
    done = len(jobs) - len(left)
    print(f"{done} of {len(jobs)} finished; about {hours:.1f} h left on {cores} cores.")


def _report(seeds: int, folder: Path, quick: bool) -> None:
    from recipes.comparison.report import write

    results = stored.read(folder)
    # Of all that is compared, whatever part of it is asked for now; planned by what is finished,
    # which decides the learning rates.
    jobs = plan(every_subject(quick), CELLS, seeds, results)
    path = write(jobs, results, folder, quick)
    print(f"report: {path}")


def _advise(
    config: Compare, results: stored.Results, subjects: list[Task | Problem], folder: Path
) -> None:
    from recipes.comparison.advice import advise

    if not results:
        raise ValueError(f"results must be a folder with finished trainings; {folder} has none.")
    limits = {name: getattr(config, name) for name in ("max_latency_ms", "max_parameters")}
    print("\n".join(advise(results, subjects, config.cells, config.length, **limits)))


COMMANDS = {"run": (Compare, compare)}


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments name and return the exit status."""
    going_on = "start it again to resume."
    return cli.run("python -m recipes.compare", COMMANDS, arguments, going_on)


if __name__ == "__main__":
    sys.exit(main())
