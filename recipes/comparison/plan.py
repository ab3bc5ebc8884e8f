"""Which trainings make up the comparison, in which order, and how long they should take.

Every training is a `Job` with one result file. For each subject and cell the learning rates are
tried first, on seed 0 and the shortest length; the best one on validation data is then used for
the other lengths and seeds. So every cell gets the same tuning budget.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from recipes.comparison.stored import Results, best_rate
from recipes.comparison.subjects import Problem, Task


@dataclasses.dataclass(frozen=True)
class Job:
    """One training of the table.

    Attributes:
        subject: the task or problem.
        cell: one of `CELLS`.
        steps: the length of a problem; 0 for a task.
        learning_rate: None as long as the trials that choose it are not finished.
        seed: of weights, order and dropout.
        device: whether the device's file is made and measured too.
        minutes: what it should take.
    """

    subject: Task | Problem
    cell: str
    steps: int
    learning_rate: float | None
    seed: int
    device: bool
    minutes: float

    @property
    def key(self) -> str:
        """Name of the result file, without its ending."""
        length = f"-T{self.steps}" if self.steps else ""
        rate = "?" if self.learning_rate is None else f"{self.learning_rate:g}"
        return f"{self.subject.name}{length}-{self.cell}-lr{rate}-seed{self.seed}"


def settings(each: Task | Problem) -> dict[str, Any]:
    """Return what must be the same for two results to stand in one table."""
    return {"parameters": each.parameters, **each.flags}


def plan(
    subjects: Sequence[Task | Problem], cells: Sequence[str], seeds: int, results: Results
) -> list[Job]:
    """Return every job of the table, in the order in which they are to be run.

    Args:
        subjects: tasks and problems.
        cells: some of `CELLS`.
        seeds: how many.
        results: what is finished already; it decides the learning rates.
    """
    jobs = []
    for seed in range(seeds):
        for each in subjects:
            for steps in each.lengths:
                for cell in cells:
                    jobs += _jobs(each, cell, steps, seed, results)
    return jobs


def _jobs(each: Task | Problem, cell: str, steps: int, seed: int, results: Results) -> list[Job]:
    """Return the trials of the learning rates, or the one job with the chosen rate."""
    minutes = _minutes(each, cell, steps, results)
    if steps == each.lengths[0] and seed == 0:
        rates: Sequence[float | None] = each.rates
    else:
        rates = [best_rate(results, each, cell)]
    return [
        # Weights do not change a file's size and speed: one measurement a cell and length.
        Job(each, cell, steps, rate, seed, seed == 0 and index == 0, minutes)
        for index, rate in enumerate(rates)
    ]


def _minutes(each: Task | Problem, cell: str, steps: int, results: Results) -> float:
    """Return the mean of what such runs took, or what is expected where there are none yet.

    On a busy machine the clock counts others' work too; then a core of its own is assumed.
    """
    took = [
        min(record["usage"]["wall_seconds"], record["usage"]["cpu_seconds"]) / 60
        for record in results.values()
        if (record["subject"], record["cell"], record["steps"]) == (each.name, cell, steps)
    ]
    return statistics.fmean(took) if took else each.expected(cell, steps)


def missing(jobs: Sequence[Job], results: Results) -> list[Job]:
    """Return the jobs without a result."""
    return [job for job in jobs if job.key not in results]


def check_configuration(
    subjects: Sequence[Task | Problem], results: Results, quick: bool, folder: Any
) -> None:
    """Reject a folder that holds results of another configuration.

    Raises:
        ValueError: a result there was made with other settings; it names file and setting.
    """
    by_name = {each.name: each for each in subjects}
    for key, record in results.items():
        path = f"{folder}/{key}.json"
        if record["quick"] != quick:
            raise ValueError(
                f"results must be a folder of {_kind(quick)} results; {path} is a "
                f"{_kind(record['quick'])} one."
            )
        each = by_name.get(record["subject"])
        if each is not None:
            _compare(record["settings"], settings(each), path)
            for name, allowed in (("learning_rate", each.rates), ("steps", each.lengths)):
                if record[name] not in allowed:
                    _refuse(name, " or ".join(map(str, allowed)), record[name], path)


def _kind(quick: bool) -> str:
    return "--quick" if quick else "full"


def _compare(known: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> None:
    for name in sorted({*known, *wanted}):
        if known.get(name) != wanted.get(name):
            _refuse(name, repr(wanted.get(name)), known.get(name), path)


def _refuse(name: str, wanted: str, known: Any, path: str) -> None:
    raise ValueError(
        f"results must have this configuration, with {name} {wanted}; {path} was made "
        f"with {known!r}. Move it away, or choose another folder."
    )
