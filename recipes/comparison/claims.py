"""The claims of the original project, each checked against the measurements.

The verdict on a claim is computed: "holds", "does not hold", "undecided" where the confidence
interval of the difference has room for both (`judging`), "not measured" where a cell of the table
is missing.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence

from recipes.comparison import judging, stored
from recipes.comparison.stored import Figures, Results
from recipes.comparison.subjects import CELLS, Problem, Task

HOLDS, FAILS, UNDECIDED, NOT_MEASURED = "holds", "does not hold", "undecided", "not measured"

# Task -> its name and percentages in the original table, which named no data sets or metrics.
TABLE = {
    "translation": ("Machine Translation", {"gru": 95.0, "lstm": 96.0}),
    "sentiment": ("Sentiment Analysis", {"gru": 92.0, "lstm": 92.0}),
    "pos_tagging": ("POS Tagging", {"gru": 97.0, "lstm": 97.5}),
    "comprehension": ("Machine Comprehension", {"gru": 91.0, "lstm": 92.0}),
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of the original project.

    Attributes:
        said: the claim.
        verdict: one of the four.
        evidence: figures.
    """

    said: str
    verdict: str
    evidence: str


def judge(results: Results, subjects: Sequence[Task | Problem]) -> list[Claim]:
    """Return every claim with its verdict."""
    tasks = [each for each in subjects if isinstance(each, Task)]
    problems = [each for each in subjects if isinstance(each, Problem)]
    claims = [table_row(results, each) for each in tasks]
    claims.append(weights())
    claims += [speed(results, subjects), plain_is_fast(results, subjects)]
    claims += [plain_is_poor(results, subjects), transformer_is_best(results, tasks)]
    claims.append(transformer_is_slowest(results, subjects))
    claims += [at_length(results, problems, long) for long in (False, True)]
    claims.append(gates(results))
    return claims


def table_row(results: Results, task: Task) -> Claim:
    """GRU against LSTM on one task, as in the original table."""
    name, (given) = TABLE[task.name]
    winner = {True: "LSTM", False: "Tie"}[given["lstm"] > given["gru"]]
    said = f"{name}: GRU {given['gru']:g} %, LSTM {given['lstm']:g} % ({winner})"
    pair = _pair(results, task, 0)
    if pair is None:
        return Claim(said, NOT_MEASURED, "")
    gru, lstm = pair
    verdict = judging.against(lstm, gru)
    points = judging.scaled(gru.metric, verdict.difference)
    evidence = f"gru {judging.shown(gru)}, lstm {judging.shown(lstm)}: {points:+.2f} for lstm"
    if verdict.error is None:
        return Claim(said, UNDECIDED, evidence)
    error = judging.scaled(gru.metric, verdict.error)
    evidence += f" (± {error:.2f})"
    # Not to have seen a difference is no proof of a tie: the whole interval must be level.
    if winner == "Tie" and abs(points) + error <= judging.LEVEL:
        return Claim(said, HOLDS, evidence)
    if not verdict.decided:
        return Claim(said, UNDECIDED, evidence)
    if winner == "Tie":
        return Claim(said, FAILS, evidence)
    return Claim(said, HOLDS if verdict.difference > 0 else FAILS, evidence)


def weights() -> Claim:
    """The weights of one layer, by their shapes: gru_zoo.GRU has two biases a gate."""
    units, features = 128, 64
    gru, lstm = 3 * units * (units + features + 2), 4 * units * (units + features + 1)
    evidence = (
        f"{units} units and {features} features: {gru:,} against {lstm:,}, {gru / lstm:.2f}; in "
        "this comparison all models have the same parameter budget, so the GRU has more units"
    )
    near = abs(gru / lstm - 0.75) < 0.01
    return Claim("A GRU has 3/4 of an LSTM's parameters", HOLDS if near else FAILS, evidence)


def speed(results: Results, subjects: Sequence[Task | Problem]) -> Claim:
    """CPU time of an epoch, GRU against LSTM."""
    claim = _faster(results, subjects, "gru", "lstm", "GRU trains faster than LSTM")
    note = "; the GRU uses this project's kernel, the LSTM that of Keras"
    return dataclasses.replace(claim, evidence=claim.evidence + note) if claim.evidence else claim


def plain_is_fast(results: Results, subjects: Sequence[Task | Problem]) -> Claim:
    """CPU time of an epoch, plain RNN against GRU."""
    return _faster(results, subjects, "rnn", "gru", "A vanilla RNN is fast (faster than a GRU)")


def transformer_is_slowest(results: Results, subjects: Sequence[Task | Problem]) -> Claim:
    """CPU time of an epoch, LSTM against Transformer."""
    said = "A Transformer is slowest (slower than an LSTM)"
    return _faster(results, subjects, "lstm", "transformer", said)


def _faster(
    results: Results, subjects: Sequence[Task | Problem], one: str, other: str, said: str
) -> Claim:
    ratios = {}
    for each, steps in _places(subjects):
        pair = [stored.figures(results, each, cell, steps) for cell in (one, other)]
        if None not in pair:
            ratios[_where(each, steps)] = pair[1].a_pass() / pair[0].a_pass()
    if not ratios:
        return Claim(said, NOT_MEASURED, "")
    faster = sum(ratio > 1 for ratio in ratios.values())
    middle = statistics.median(ratios.values())
    least, most = min(ratios, key=ratios.get), max(ratios, key=ratios.get)
    evidence = (
        f"{other} takes {middle:.2f} times the CPU time of {one} per epoch or validation "
        f"interval (median; "
        f"{ratios[least]:.2f} in {least} to {ratios[most]:.2f} in {most}); {one} is faster in "
        f"{faster} of {len(ratios)}"
    )
    return Claim(said, _share(faster, len(ratios)), evidence)


def plain_is_poor(results: Results, subjects: Sequence[Task | Problem]) -> Claim:
    """Whether the plain RNN is the worst cell."""
    lost = lambda every, rnn: all(  # noqa: E731
        judging.against(each, rnn).difference > 0 for each in every if each is not rnn
    )
    return _ranks(results, subjects, "rnn", lost, "A vanilla RNN is poor", "worst")


def transformer_is_best(results: Results, tasks: Sequence[Task]) -> Claim:
    """Whether the Transformer is the best cell on the tasks."""
    won = lambda every, one: judging.ranked(every)[0] is one  # noqa: E731
    return _ranks(results, tasks, "transformer", won, "A Transformer is best", "best")


def _ranks(
    results: Results,
    subjects: Sequence[Task | Problem],
    cell: str,
    test: Callable[[list[Figures], Figures], bool],
    said: str,
    word: str,
) -> Claim:
    places = {}
    for each, steps in _places(subjects):
        every = [stored.figures(results, each, one, steps) for one in CELLS]
        if None not in every:
            places[_where(each, steps)] = test(every, every[CELLS.index(cell)])
    if not places:
        return Claim(said, NOT_MEASURED, "")
    so, other = (
        [name for name, is_so in places.items() if is_so is want] for want in (True, False)
    )
    evidence = f"{word} mean in {len(so)} of {len(places)}"
    evidence += f"; not in {', '.join(other)}" if other and so else ""
    return Claim(said, _share(len(so), len(places)), evidence)


def at_length(results: Results, problems: Sequence[Problem], long: bool) -> Claim:
    """GRU against LSTM on sequences above 1,000 or below 500 steps."""
    said = (
        "Sequences over 1,000 steps favour LSTM"
        if long
        else "On sequences below 500 steps a GRU is enough (no worse than LSTM)"
    )
    better: dict[str, list[str]] = {"lstm": [], "gru": [], "neither": []}
    told = False  # whether any pair could have decided it
    for each, steps in _places(problems):
        pair = _pair(results, each, steps) if (steps > 1000 if long else steps < 500) else None
        if pair is None:
            continue
        verdict = judging.against(*pair)
        side, learnt = "neither", any(judging.learnt(one, each.chance) for one in pair)
        told = told or (learnt and verdict.error is not None)
        if verdict.decided and learnt:
            side = "gru" if verdict.difference > 0 else "lstm"
        figures = ", ".join(f"{one.cell} {judging.shown(one)}" for one in pair)
        better[side].append(f"{_where(each, steps)} ({figures})")
    count = sum(map(len, better.values()))
    if not count:
        return Claim(said, NOT_MEASURED, "")
    evidence = "; ".join(
        f"{side}{' significantly' * (side != 'neither')} better in {', '.join(where)}"
        for side, where in better.items()
        if where
    )
    if long:
        verdict = (
            HOLDS if len(better["lstm"]) * 2 > count else FAILS if better["gru"] else UNDECIDED
        )
    else:
        verdict = FAILS if len(better["lstm"]) * 2 > count else HOLDS if told else UNDECIDED
    return Claim(said, verdict, evidence)


def gates(results: Results) -> Claim:
    """How many update gates are saturated at the end of training."""
    said = "Update gates saturate (get stuck)"
    ends = [record["gates"][-1] for record in results.values() if record["gates"]]
    starts = [record["gates"][0] for record in results.values() if record["gates"]]
    if not ends:
        return Claim(said, NOT_MEASURED, "")
    shut = [end["z_low"] + end["z_high"] for end in ends]
    before = statistics.fmean(start["z_low"] + start["z_high"] for start in starts)
    stuck = statistics.fmean(end["z_stuck_units"] for end in ends)
    evidence = (
        f"over {len(ends)} trainings, {before:.1%} of the update gates are below 0.05 or above "
        f"0.95 before training and {statistics.fmean(shut):.1%} after it (max. {max(shut):.1%}); "
        f"{stuck:.1%} of the units are saturated at the same end for over 99 % of the steps"
    )
    return Claim(said, HOLDS if stuck > 0.01 else FAILS, evidence)


def _pair(results: Results, each: Task | Problem, steps: int) -> tuple[Figures, Figures] | None:
    """Return the figures of GRU and LSTM, if both are known."""
    gru, lstm = (stored.figures(results, each, cell, steps) for cell in ("gru", "lstm"))
    return None if gru is None or lstm is None else (gru, lstm)


def _places(subjects: Sequence[Task | Problem]) -> list[tuple[Task | Problem, int]]:
    return [(each, steps) for each in subjects for steps in each.lengths]


def _where(each: Task | Problem, steps: int) -> str:
    return f"{each.name} T={steps}" if steps else each.name


def _share(times: int, of: int) -> str:
    """Return a verdict on something that is so several times of many."""
    if times == of:
        return HOLDS
    return HOLDS if times / of >= 0.75 else FAILS if times / of <= 0.5 else UNDECIDED
