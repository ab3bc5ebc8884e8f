"""GRU, LSTM, plain RNN and Transformer, on four tasks and long sequences, at equal effort.

Command:  python -m recipes.compare                 (everything; --plan says how long it takes)
          python -m recipes.compare --quick         (a smaller, marked table in 12 minutes)
          python -m recipes.compare --advise --max-latency-ms 2 --length 300
Measured: results/compare/report.md.

Every training is a process of its own: this module runs the recipes and reads what they leave.
Every finished cell of the table is a file in `results/compare`; a killed run goes on with the
next start.
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
    """Measure cells against each other, and write the report; or give advice from what is known."""

    # What is compared.
    task: tuple[str, ...] = ()
    """Tasks and problems; all of them if not given."""
    cells: tuple[str, ...] = CELLS
    """Cells."""
    seeds: int = 0
    """Seeds of every cell; 0 takes 3, or 1 with --quick."""
    quick: bool = False
    """A smaller table, marked as one, in 12 minutes on two cores."""

    # Where.
    results: Path | None = None
    """Folder of the finished cells and the report; results/compare, or results/compare_quick."""
    runs: Path | None = None
    """Folder of the trainings; runs/compare, or runs/compare_quick."""
    minutes: float = 0.0
    """Begin no further training after so many minutes; 0 for no limit."""
    cores: int = 2
    """Trainings at a time, each on a core of its own where the system can do that."""

    # Instead of measuring.
    plan: bool = False
    """Print what is to be run and how long it should take, and do nothing."""
    report: bool = False
    """Write the report of what is finished, and measure nothing."""
    advise: bool = False
    """Say which cell to take, from the finished cells."""

    # For --advise.
    max_latency_ms: float = 0.0
    """What one sequence may take on the device, of one thread; 0 for no limit."""
    max_parameters: int = 0
    """How large the model may be; 0 for no limit."""
    length: int = 0
    """Steps of the sequences; 0 if they are not long."""


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
            raise ValueError("every job must succeed; " + "; ".join(failures))


def _called(config: Compare) -> str:
    """Return what the folders are called; the quick trainings are no beginning of the full ones."""
    return "compare_quick" if config.quick else "compare"


def _check(config: Compare) -> list[Task | Problem]:
    """Raise for what cannot be; return the tasks and problems that are asked for."""
    for name in ("task", "cells"):
        names = getattr(config, name)
        if len(set(names)) < len(names):
            raise ValueError(f"{name} must be different names; got {' '.join(names)}.")
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
            raise ValueError(f"{name} must be a number from 0; got {getattr(config, name)}.")
    if config.plan + config.report + config.advise > 1:
        raise ValueError("plan, report and advise exclude each other; got more than one of them.")
    known = every_subject(config.quick)
    return [subject(name, config.quick) for name in config.task] or list(known)


def _run(config: Compare, make_plan: object, folder: Path) -> list[str]:
    if importlib.util.find_spec("fcntl") is None:
        raise ImportError(
            "recipes.compare needs a POSIX system to measure on, for its locks and the end of its "
            "children; this one has no fcntl. --plan, --report and --advise do without."
        )
    from recipes.comparison.runner import run_all

    # So that an ordinary end takes the child along, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated; the next start goes on."))
    minutes = config.minutes or math.inf
    here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = here[: config.cores] if here else [None] * config.cores
    runs = config.runs or Path("runs", _called(config))
    return run_all(make_plan, folder, runs, config.quick, print, minutes, cores)


def _print_plan(jobs: list[Job], results: stored.Results, cores: int) -> None:
    left = missing(jobs, results)
    keys = {job.key for job in left}
    for job in jobs:
        state = f"{job.minutes:6.1f} min" if job.key in keys else "  finished"
        print(f"{state}  {job.key}")
    hours = sum(job.minutes for job in left) / 60 / cores
    done = len(jobs) - len(left)
    print(f"{done} of {len(jobs)} finished; {hours:.1f} h left on {cores} cores.")


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
        raise ValueError(f"results must be a folder with finished cells; {folder} holds none.")
    limits = {name: getattr(config, name) for name in ("max_latency_ms", "max_parameters")}
    print("\n".join(advise(results, subjects, config.cells, config.length, **limits)))


COMMANDS = {"run": (Compare, compare)}


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments name and return the exit status."""
    going_on = "the next start goes on."
    return cli.run("python -m recipes.compare", COMMANDS, arguments, going_on)


if __name__ == "__main__":
    sys.exit(main())
