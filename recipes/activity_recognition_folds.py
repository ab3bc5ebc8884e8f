"""Cross-validation over people: runs of every fold, each person tested once per seed."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gru_zoo.artifacts.card import Section
from gru_zoo.training.runs import RunFolder

# Flags that may differ from run to run.
_APART = ("fold", "seed", "name", "runs", "resume", "export")


class Folds(NamedTuple):
    """What runs of every fold achieved.

    Attributes:
        accuracy: seed -> test accuracy of each fold, in order.
        streamed: the same, of models that are never reset.
    """

    accuracy: dict[int, list[float]]
    streamed: dict[int, list[float]]


def read(paths: Sequence[Path]) -> Folds:
    """Read finished runs that differ in fold and seed only, all folds of each seed.

    Raises:
        FileNotFoundError: one of them is no finished run.
        ValueError: there are none, they differ in more, or a fold is there twice or not at all.
    """
    if not paths:
        raise ValueError("finished must name at least one run folder; got none.")
    runs = [RunFolder.open(path) for path in paths]
    found: dict[tuple[int, int], RunFolder] = {}
    first = runs[0]
    for run in runs:
        for key in sorted({*run.config, *first.config} - {*_APART}):
            if run.config.get(key) != first.config.get(key):
                raise ValueError(
                    f"finished must be runs that differ only in fold and seed; {key} is "
                    f"{first.config.get(key)!r} in {first.path} and {run.config.get(key)!r} in "
                    f"{run.path}."
                )
        place = run.config["seed"], run.config["fold"]
        if place in found:
            raise ValueError(
                f"finished must have each fold of a seed once; {found[place].path} and {run.path} "
                f"are both fold {place[1]} of seed {place[0]}."
            )
        found[place] = run
    metrics = {place: run.metrics() for place, run in found.items()}
    folds = next(iter(metrics.values()))["folds"]
    seeds = sorted({seed for seed, _ in found})
    for seed in seeds:
        missing = [fold for fold in range(folds) if (seed, fold) not in found]
        if missing:
            raise ValueError(
                f"finished must have all {folds} folds of each seed; of seed {seed} "
                f"{', '.join(map(str, missing))} is missing."
            )
    return Folds(
        {s: [metrics[s, f]["metric"]["value"] for f in range(folds)] for s in seeds},
        {s: [metrics[s, f]["streamed_accuracy"] for f in range(folds)] for s in seeds},
    )


def print_folds(folds: Folds) -> None:
    """Print a row per seed, and the mean over folds, whose spread is over seeds."""
    from rich.console import Console
    from rich.table import Table

    found = section(folds)
    table = Table(title=found.title, title_justify="left", caption=found.text)
    for heading in found.columns:
        table.add_column(heading, justify="right")
    for row in found.rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def section(folds: Folds) -> Section:
    """Return the cross-validation as a card shows it."""
    count = len(next(iter(folds.accuracy.values())))
    rows = []
    for seed, values in folds.accuracy.items():
        shown = (*values, statistics.mean(values), statistics.mean(folds.streamed[seed]))
        rows.append([str(seed), *(f"{100 * value:.2f} %" for value in shown)])
    return Section(
        "Cross-validation over people",
        ["seed", *(f"fold {fold}" for fold in range(count)), "mean", "never reset"],
        rows,
        f"Accuracy on the people of each fold, whom its model was not trained on; mean over folds: "
        f"{mean(folds.accuracy)}. Never reset, after every sample: {mean(folds.streamed)}.",
    )


def mean(values: dict[int, list[float]]) -> str:
    """Return the mean over folds, with its sample standard deviation over seeds.

    Example:
        >>> mean({0: [0.5, 1.0], 1: [0.75, 0.75]})
        '75.00 ± 0.00 % (2 seeds)'
    """
    each = [100 * statistics.mean(folds) for folds in values.values()]
    if len(each) == 1:
        return f"{each[0]:.2f} % (one seed)"
    return f"{statistics.mean(each):.2f} ± {statistics.stdev(each):.2f} % ({len(each)} seeds)"
