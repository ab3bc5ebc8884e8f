"""Which cell is better, and whether the difference is significant.

With few seeds their variance is uncertain, so a difference is judged by its 95 % confidence
interval after Welch (1947): three seeds per cell need 2.8 to 4.3 standard errors, not two. There
is no correction for multiple comparisons: of twenty between equals one is expected to be
significant.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

from gru_zoo.artifacts.scores import METRICS
from recipes.comparison.stored import Figures

# Points of a metric as it is shown: cells within it are equal unless significantly worse.
LEVEL = 1.0


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One cell against another.

    Attributes:
        difference: of the first's mean from the second's.
        error: half of its 95 % confidence interval; None where a cell has one seed only.
    """

    difference: float
    error: float | None

    @property
    def decided(self) -> bool:
        """Whether the difference is significant: the interval excludes 0."""
        return self.error is not None and abs(self.difference) > self.error


def against(one: Figures, other: Figures) -> Verdict:
    """Compare two cells of one subject and length by their test metric."""
    difference = one.mean - other.mean
    if one.spread is None or other.spread is None:
        return Verdict(difference, None)
    parts = [each.spread**2 / len(each.values) for each in (one, other)]
    variance = sum(parts)
    if not variance:
        return Verdict(difference, 0.0)
    less = (len(each.values) - 1 for each in (one, other))
    freedom = variance**2 / sum(part**2 / count for part, count in zip(parts, less, strict=True))
    return Verdict(difference, quantile(freedom) * math.sqrt(variance))


@functools.cache
def quantile(freedom: float) -> float:
    """Return what Student's t of so many degrees of freedom exceeds, in size, once in 20.

    The density of atan(t / sqrt(freedom)) is proportional to cos**(freedom - 1).

    Example:
        >>> round(quantile(4), 2)
        2.78
    """
    step = math.pi / 2 / 10_000
    angles = [(i + 0.5) * step for i in range(10_000)]
    shares = list(itertools.accumulate(math.cos(angle) ** (freedom - 1) for angle in angles))
    found = next(i for i, share in enumerate(shares) if share >= 0.95 * shares[-1])
    return math.sqrt(freedom) * math.tan(angles[found])


def ranked(every: Sequence[Figures]) -> list[Figures]:
    """Return cells of one subject and length, the best mean first."""
    return sorted(every, key=lambda each: -each.mean)


def level_with_best(every: Sequence[Figures]) -> list[Figures]:
    """Return the best cell and those at most a point and not significantly behind, in order.

    With one seed there is no spread, and the best cell stands alone.
    """
    best, *others = ranked(every)
    verdicts = [(each, against(best, each)) for each in others]
    level = [each for each, one in verdicts if one.error is not None and not one.decided]
    behind = [scaled(best.metric, best.mean - each.mean) for each in level]
    return [best, *(each for each, points in zip(level, behind, strict=True) if points <= LEVEL)]


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
