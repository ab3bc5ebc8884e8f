"""Cross-validation over people: runs of every fold, each person tested once per seed."""

from __future__ import annotations

import dataclasses
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gru_zoo.artifacts.card import Card, Section
from gru_zoo.training.runs import RunFolder
from recipes.activity_recognition_flags import Train
from recipes.shared.publishing import command
from recipes.shared.starting import flags_of

_RECIPE = "activity_recognition"
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
        ValueError: there are none, one is another recipe's, they differ in more, or a fold is there
            twice or not at all.
    """
    if not paths:
        raise ValueError("finished must name at least one run folder; got none.")
    runs = [RunFolder.open(path) for path in paths]
    found: dict[tuple[int, int], RunFolder] = {}
    first, usual = runs[0], flags_of(runs[0], Train)
    for run in runs:
        flags = flags_of(run, Train)
        for key in (field.name for field in dataclasses.fields(Train)):
            one, other = getattr(usual, key), getattr(flags, key)
            if key not in _APART and one != other:
                raise ValueError(
                    f"finished must be runs that differ only in fold and seed; {key} is {one!r} "
                    f"in {first.path} and {other!r} in {run.path}."
                )
        if run.data()["sha256"] != first.data()["sha256"]:
            raise ValueError(
                f"finished must be runs on the same data; {first.path} and {run.path} are not."
            )
        place = flags.seed, flags.fold
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


def read_with(finished: Sequence[Path], folds: Sequence[Path]) -> Folds:
    """Read the folds of runs that are to be published.

    Raises:
        ValueError, FileNotFoundError: as `read`; or `folds` lacks one of `finished`.
    """
    there = {path.resolve() for path in folds}
    for path in finished:
        if path.resolve() not in there:
            raise ValueError(f"folds must have the runs that are published; {path} is not there.")
    return read(folds)


def in_card(card: Card, found: Folds, finished: Sequence[Path], folds: Sequence[Path]) -> Card:
    """Return a card with the cross-validation, and the commands that made it.

    Args:
        card: of a preset, whose last command publishes it.
        found: what `read_with` gave for `finished` and `folds`.
        finished: the runs it was made from.
        folds: those runs and the other folds'.
    """
    own = {path.resolve() for path in finished}
    others = [RunFolder.open(path) for path in folds if path.resolve() not in own]
    trained = [f"{command(_RECIPE, run, Train())} --no-export" for run in others]
    where = shlex.join(f"runs/{_RECIPE}/{path.name}" for path in folds)
    *before, publish = card.commands
    commands = [*before, *trained, f"{publish} --folds {where}"]
    return dataclasses.replace(card, measured=[section(found)], commands=commands)


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
