"""Stored results: one JSON file per training, and their summaries."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_zoo.files import write_json

# Key -> record; see `record_of` in `runner.py` for what a record holds.
Results = Mapping[str, Mapping[str, Any]]

_NEEDED = (
    "quick subject cell steps learning_rate seed settings metric watched validation parameters "
    "history usage device made"
).split()


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every finished training in a folder, by key.

    Raises:
        ValueError: a file there is no result, or is cut short; it is named.
    """
    results = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            lacking = [name for name in _NEEDED if name not in record]
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
            raise ValueError(
                f"results must be complete JSON files; {path} is not: {error}"
            ) from error
        if lacking:
            raise ValueError(f"results must have {', '.join(lacking)}; {path} does not.")
        results[path.stem] = record
    return results


def keep(folder: Path, key: str, record: Mapping[str, Any]) -> None:
    """Write one finished cell, whole or not at all."""
    write_json(folder / f"{key}.json", record)


def best_rate(results: Results, each: Any, cell: str) -> float | None:
    """Return the learning rate of a task or problem that validates best; None until all tried."""
    tried = trials(results, each, cell)
    finite = {rate: value for rate, value in tried.items() if value is not None}
    return max(finite, key=finite.get) if finite and set(tried) == set(each.rates) else None


def trials(results: Results, each: Any, cell: str) -> dict[float, float | None]:
    """Return learning rate -> validation, on seed 0 and the shortest length; None: it diverged."""
    place = (each.name, cell, 0, each.lengths[0])
    return {
        record["learning_rate"]: record["validation"]
        for record in results.values()
        if (record["subject"], record["cell"], record["seed"], record["steps"]) == place
        and record["learning_rate"] in each.rates
    }


@dataclasses.dataclass(frozen=True)
class Figures:
    """What the seeds of one subject, cell and length gave together.

    Attributes:
        subject: the task or problem.
        cell: one of `CELLS`.
        steps: the length; 0 for a task.
        metric: its name.
        values: the metric on the test split, a seed each.
        rate: the learning rate.
        runs: the records.
        diverged: how many other seeds came to no end.
        device: {"bytes", "latency_ms", ...} of the int8 file, {"error"}, or None.
    """

    subject: str
    cell: str
    steps: int
    metric: str
    values: tuple[float, ...]
    rate: float
    runs: tuple[Mapping[str, Any], ...]
    diverged: int
    device: Mapping[str, Any] | None

    @property
    def mean(self) -> float:
        """Mean of the metric over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; None of one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def latency_ms(self) -> float | None:
        """The device's latency, if it was measured."""
        return None if self.device is None else self.device.get("latency_ms")

    def used(self, name: str) -> float:
        """Return the mean over the runs of a figure of their usage."""
        return statistics.fmean(run["usage"][name] for run in self.runs)

    def a_pass(self) -> float:
        """Return the CPU seconds between two validations, the median over all runs.

        The first of a run is left out where there are others: programs are compiled in it.
        """
        passes = [row["cpu_seconds"] for run in self.runs for row in _but_first(run["history"])]
        return statistics.median(passes)

    def time_to(self, level: float | None, clock: str) -> float:
        """Return the runs' mean training time until validation first reaches a level.

        Args:
            level: which every run reaches; None for each run's own best.
            clock: "seconds" or "cpu_seconds".
        """
        times = []
        for run in self.runs:
            times.append(time_to(run, best_validation(run) if level is None else level, clock))
        return statistics.fmean(times)


def figures(results: Results, each: Any, cell: str, steps: int) -> Figures | None:
    """Return what is known of one task or problem, cell and length; None while it is nothing.

    Before every learning rate was tried there is no choice among them, and nothing is known.
    """
    rate = best_rate(results, each, cell)
    of_cell = [
        record
        for record in results.values()
        if (record["subject"], record["cell"], record["steps"]) == (each.name, cell, steps)
    ]
    begun = [record for record in of_cell if record["learning_rate"] == rate]
    runs = [record for record in begun if record["metric"] is not None]
    if not runs:
        return None
    runs.sort(key=lambda record: record["seed"])
    devices = [record["device"] for record in of_cell if record["device"] is not None]
    return Figures(
        *(each.name, cell, steps, runs[0]["metric"]["name"]),
        tuple(run["metric"]["value"] for run in runs),
        rate,
        tuple(runs),
        len(begun) - len(runs),
        devices[0] if devices else None,
    )


def _but_first(history: Sequence[Mapping[str, float]]) -> Sequence[Mapping[str, float]]:
    return history[1:] or history


def best_validation(run: Mapping[str, Any]) -> float:
    """Return the best validation of a run's history, whose larger figures are better."""
    return max(row["validation"] for row in run["history"])


def time_to(run: Mapping[str, Any], level: float, clock: str) -> float:
    """Return the training time until validation first reaches a level.

    Args:
        run: a record.
        level: which the run reaches.
        clock: "seconds" or "cpu_seconds".

    Raises:
        ValueError: the run never reaches the level.
    """
    total = 0.0
    for row in run["history"]:
        total += row[clock]
        if row["validation"] >= level:
            return total
    raise ValueError(f"level must be one that the run reaches; got {level}.")


def common_level(every: Sequence[Figures]) -> float:
    """Return the highest validation that every run of every cell reaches."""
    return min(best_validation(run) for each in every for run in each.runs)
