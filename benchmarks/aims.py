"""A table of targets: what was required, what was measured, met or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gru_zoo.markdown import table

# What is measured, the figure required, the figure found.
Aim = tuple[str, float, float]
# Of a record: the figures to be reached, and those not to be passed.
Targets = tuple[Iterable[Aim], Iterable[Aim]]


def aims_table(at_least: Iterable[Aim], at_most: Iterable[Aim]) -> str:
    """Return a Markdown table of targets: figures to be reached, then figures not to be passed."""
    rows = [
        (said, limit, f"{value:.2f}", "yes" if met else "**no**")
        for said, limit, value, met in _judged((at_least, at_most))
    ]
    return table(("target", "required", "measured", "met"), rows)


def elsewhere(
    others: Sequence[Mapping[str, Any]], targets: Callable[[Mapping[str, Any]], Targets]
) -> str:
    """Return a Markdown table of the targets, one column for each other processor's record."""
    columns = [
        {said: f"{value:.2f}{'' if met else ', **not met**'}" for said, _, value, met in judged}
        for judged in (_judged(targets(record)) for record in others)
    ]
    names = dict.fromkeys(said for column in columns for said in column)
    rows = [(said, *(column.get(said, "") for column in columns)) for said in names]
    heads = [f"{record['cpu']}, {record['date']}" for record in others]
    return table(("target", *heads), rows)


def _judged(targets: Targets) -> list[tuple[str, str, float, bool]]:
    judged = []
    for found, most in zip(targets, (False, True), strict=True):
        for said, required, value in found:
            limit = f"{'at most' if most else 'at least'} {required:g}"
            judged.append((said, limit, value, value <= required if most else value >= required))
    return judged
