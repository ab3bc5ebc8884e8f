"""Which cell to choose for a budget of latency, parameters and length, from stored results.

For each subject the cells within the budget are compared. Those at most one point behind the best
one, and not significantly worse, count as equal to it; of these the one with the lowest latency is
chosen. A cell at chance level is never chosen, however fast it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from recipes.comparison import judging, stored
from recipes.comparison.stored import Figures, Results
from recipes.comparison.subjects import Problem, Task

NOT_YET = "not measured yet."


@dataclasses.dataclass(frozen=True)
class Choice:
    """The recommendation for one subject.

    Attributes:
        where: subject and length.
        cell: the one to choose.
        figures: the cells within the budget, the best first.
        latencies: cell -> milliseconds at the length asked for.
        outside: cells over the budget, each with the reason.
        note: a remark, or an empty string.
    """

    where: str
    cell: str
    figures: tuple[Figures, ...]
    latencies: Mapping[str, float | None]
    outside: tuple[str, ...] = ()
    note: str = ""

    def text(self) -> str:
        """Return it as a line."""
        best = self.figures[0]
        parts = []
        for each in self.figures:
            latency = self.latencies[each.cell]
            speed = "latency not measured" if latency is None else f"{latency:.2f} ms"
            parts.append(f"{each.cell} {judging.shown(each)}, {speed}")
        chosen = next(each for each in self.figures if each.cell == self.cell)
        margin = ""
        if len(self.figures) > 1:
            rival = next(each for each in self.figures if each.cell != self.cell)
            verdict = judging.against(chosen, rival)
            points = judging.scaled(best.metric, verdict.difference)
            sure = "significant" if verdict.decided else "not significant"
            margin = f" ({points:+.2f} vs. {rival.cell}, {sure})"
        lines = f"{self.where}: {self.cell}{margin}. " + "; ".join(parts) + "."
        beyond = f" Over budget: {'; '.join(self.outside)}." if self.outside else ""
        return lines + beyond + (f" {self.note}" if self.note else "")


def choose(
    where: str,
    every: Sequence[Figures],
    latencies: Mapping[str, float | None],
    max_latency_ms: float = 0.0,
    note: str = "",
) -> Choice | None:
    """Return the choice among the cells within the latency; None if there is none."""
    inside, outside = [], []
    for each in every:
        latency = latencies[each.cell]
        if max_latency_ms and latency is None:
            outside.append(f"{each.cell} (latency not measured)")
        elif max_latency_ms and latency > max_latency_ms:
            outside.append(f"{each.cell} ({latency:.2f} ms)")
        else:
            inside.append(each)
    if not inside:
        return None
    level = judging.level_with_best(inside)
    taken = min(level, key=lambda each: (latencies[each.cell] or math.inf, -each.mean))
    return Choice(where, taken.cell, tuple(judging.ranked(inside)), latencies, tuple(outside), note)


def choices(
    results: Results,
    subjects: Sequence[Task | Problem],
    cells: Sequence[str],
    length: int = 0,
    max_latency_ms: float = 0.0,
    max_parameters: int = 0,
) -> tuple[list[Choice], list[str]]:
    """Return the choice of each subject for a budget, and why there is none for others."""
    found, silent = [], []
    for each in subjects:
        if max_parameters and each.parameters > max_parameters:
            silent.append(f"{each.title}: measured only at {each.parameters:,} parameters.")
            continue
        if isinstance(each, Task) and length > each.device_steps:
            silent.append(f"{each.title}: measured only up to {each.device_steps} steps.")
            continue
        for steps in [_nearest(each, length)] if length else each.lengths:
            where = f"{each.title}{f', {steps} steps' if steps else ''}"
            known = [stored.figures(results, each, cell, steps) for cell in cells]
            known = [figures for figures in known if figures is not None]
            if not known:
                silent.append(f"{where}: {NOT_YET}")
                continue
            guessing = [one for one in known if not judging.learnt(one, each.chance)]
            if guessing == known:
                best = judging.shown(judging.ranked(known)[0])
                silent.append(f"{where}: no cell is above chance (best {best}).")
                continue
            latencies = {
                one.cell: latency_at(results, each, one.cell, length or steps) for one in known
            }
            lacking = [cell for cell in cells if cell not in latencies]
            notes = [f"{one.cell} is at chance ({judging.shown(one)})." for one in guessing]
            notes += [f"Not measured yet: {', '.join(lacking)}."] if lacking else []
            notes += _of_other_lengths(each, length)
            learning = [one for one in known if one not in guessing]
            choice = choose(where, learning, latencies, max_latency_ms, " ".join(notes))
            if choice is None:
                silent.append(f"{where}: no cell above chance is within {max_latency_ms:g} ms.")
            else:
                found.append(choice)
    return found, silent


def _nearest(each: Task | Problem, length: int) -> int:
    """Return the shortest measured length that is not below the one asked for, or the longest."""
    return next((steps for steps in each.lengths if steps >= length), each.lengths[-1])


def _of_other_lengths(each: Task | Problem, length: int) -> list[str]:
    """Say so if the latencies shown were not measured at this length."""
    measured = (each.device_steps,) if isinstance(each, Task) else each.lengths
    if not length or length in measured:
        return []
    if isinstance(each, Task):
        return [f"Latencies are for {each.device_steps} steps."]
    known = ", ".join(map(str, measured))
    return [f"Latencies at {length} steps are estimated from those at {known}."]


def latency_at(results: Results, each: Task | Problem, cell: str, length: int) -> float | None:
    """Return a cell's latency at a length: a power law between the two nearest measured ones.

    A task has one length, whose latency it is.
    """
    known = []
    for steps in each.lengths:
        figures = stored.figures(results, each, cell, steps)
        if figures is not None and figures.latency_ms is not None:
            known.append((steps, figures.latency_ms))
    if isinstance(each, Task) or len(known) < 2:
        exact = dict(known)
        return exact.get(0 if isinstance(each, Task) else length)
    pairs = list(zip(known, known[1:], strict=False))
    (t0, ms0), (t1, ms1) = next((pair for pair in pairs if length <= pair[1][0]), pairs[-1])
    slope = math.log(ms1 / ms0) / math.log(t1 / t0)
    return ms0 * (length / t0) ** slope


def advise(
    results: Results,
    subjects: Sequence[Task | Problem],
    cells: Sequence[str],
    length: int = 0,
    max_latency_ms: float = 0.0,
    max_parameters: int = 0,
) -> list[str]:
    """Return lines of advice, the answer first."""
    found, silent = choices(results, subjects, cells, length, max_latency_ms, max_parameters)
    lines = [_answer(found)]
    lines += [f"- {choice.text()}" for choice in found]
    if silent:
        lines += ["No recommendation:", *(f"- {line}" for line in silent)]
    return lines


def _answer(found: Sequence[Choice]) -> str:
    if not found:
        return "No recommendation: no measured cell is within this budget."
    votes = Counter(choice.cell for choice in found)
    ((cell, count), *rest) = votes.most_common()
    others = ", ".join(f"{other} in {number}" for other, number in rest)
    return f"Recommended: {cell}, chosen in {count} of {len(found)} comparisons" + (
        f" ({others})." if others else "."
    )
