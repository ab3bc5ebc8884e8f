"""Which cell is better, and whether the difference is more than the seeds' own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from gru_zoo.artifacts.scores import METRICS
from recipes.comparison.stored import Figures


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One cell against another.

    Attributes:
        difference: of the first's mean from the second's.
        error: two standard errors of it; None where a cell has one seed only.
    """

    difference: float
    error: float | None

    @property
    def decided(self) -> bool:
        """Whether the difference is larger than two standard errors."""
        return self.error is not None and abs(self.difference) > self.error


def against(one: Figures, other: Figures) -> Verdict:
    """Compare two cells of one subject and length by their test metric."""
    difference = one.mean - other.mean
    if one.spread is None or other.spread is None:
        return Verdict(difference, None)
    variance = sum(each.spread**2 / len(each.values) for each in (one, other))
    return Verdict(difference, 2 * math.sqrt(variance))


def ranked(every: Sequence[Figures]) -> list[Figures]:
    """Return cells of one subject and length, the best mean first."""
    return sorted(every, key=lambda each: -each.mean)


def level_with_best(every: Sequence[Figures]) -> list[Figures]:
    """Return the best cell and those within the seeds' spread of it, the best first.

    With one seed there is no spread, and the best is alone.
    """
    best, *others = ranked(every)
    verdicts = [(each, against(best, each)) for each in others]
    level = [each for each, one in verdicts if one.error is not None and not one.decided]
    return [best, *level]


def learnt(each: Figures, chance: float) -> bool:
    """Return whether a cell has an accuracy that is worth comparing: five points above chance."""
    return each.mean > chance + 0.05


def shown(each: Figures) -> str:
    """Return a cell's metric as text: mean and spread, and how many seeds."""
    metric = METRICS[each.metric]
    if each.spread is None:
        return f"{metric.show(each.mean)} (one seed)"
    return f"{metric.show(each.mean)} ± {scaled(each.metric, each.spread):.2f}"


def scaled(metric: str, value: float) -> float:
    """Return a difference of a metric in the unit that it is shown in."""
    return 100 * value if METRICS[metric].percent else value
