"""The report: the original project's table with measured figures, costs and recommendations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gru_zoo.files import atomic_write
from recipes.comparison import advice, claims, figures, judging, stored
from recipes.comparison.plan import Job, missing
from recipes.comparison.stored import Figures, Results
from recipes.comparison.subjects import CELLS, TOLERANCE, Problem, Task


def write(jobs: Sequence[Job], results: Results, folder: Path, quick: bool) -> Path:
    """Write `report.md` and its pictures into a folder; return the report's path.

    Args:
        jobs: of the whole table, so that the report knows what is missing.
        results: what is finished.
        folder: where both go.
        quick: whether it is the smaller table.
    """
    subjects = list({job.subject.name: job.subject for job in jobs}.values())
    pictures = figures.draw(results, subjects, folder)
    lines = [
        *_head(jobs, results, quick),
        *_seeds_table(results, subjects),
        *_advice(results, subjects),
        *_tasks(results, subjects, pictures),
        *_lengths(results, subjects, pictures),
        *_gates(pictures),
        *_rates(results, subjects),
        *_how(results),
    ]
    path = folder / "report.md"
    with atomic_write(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _head(jobs: Sequence[Job], results: Results, quick: bool) -> Iterator[str]:
    left = missing(jobs, results)
    yield "# GRU, LSTM, plain RNN and Transformer, measured"
    yield ""
    if quick:
        yield "**Quick run (`--quick`): fewer examples, one seed, one learning rate.**"
        yield ""
    if left:
        yield f"**Unfinished: {len(jobs) - len(left)} of {len(jobs)} trainings are done.** Missing:"
        yield ""
        for name, count in _counts(job.subject.name for job in left).items():
            of = sum(job.subject.name == name for job in jobs)
            yield f"- {name}: {count} of {of}"
        yield ""
    hours = sum(record["usage"]["wall_seconds"] for record in results.values()) / 3600
    processor = sum(record["usage"]["cpu_seconds"] for record in results.values()) / 3600
    shares = sorted(record["usage"]["cpu_share"] for record in results.values())
    if shares:
        yield (
            f"The {len(shares)} trainings took {hours:.1f} hours of wall-clock time and "
            f"{processor:.1f} hours of CPU time; each used {shares[len(shares) // 2]:.1f} cores on "
            f"average (median; {shares[0]:.1f} to {shares[-1]:.1f}). Where that is low, the "
            "machine was busy with other work: compare CPU time, not wall-clock time."
        )
        yield ""


def _counts(names: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _seeds_table(results: Results, subjects: Sequence[Task | Problem]) -> Iterator[str]:
    yield "## The original project's table, and what was measured"
    yield ""
    yield "| task | original: GRU / LSTM | " + " | ".join(CELLS) + " | LSTM against GRU |"
    yield "|---" * (3 + len(CELLS)) + "|"
    by_name = {each.name: each for each in subjects}
    for name, (called, said) in claims.TABLE.items():
        each = by_name.get(name)
        row = [called, f"{said['gru']:g} % / {said['lstm']:g} %"]
        known = {cell: each and stored.figures(results, each, cell, 0) for cell in CELLS}
        row += [_metric(known[cell]) for cell in CELLS]
        row.append(_against(known["lstm"], known["gru"]))
        yield _row(row)
    yield ""
    yield (
        "Measured: mean and sample standard deviation over random seeds on the test split of the "
        "data named below; the original project named no data. All cells of a task match its "
        f"parameter budget to within {TOLERANCE:.0%}."
    )
    yield ""


def _metric(known: Figures | None) -> str:
    if known is None:
        return "not measured yet"
    seeds = f", {len(known.values)} seeds" if len(known.values) > 1 else ""
    diverged = f"; {known.diverged} diverged" if known.diverged else ""
    return f"{judging.shown(known)}{seeds} ({known.metric}){diverged}"


def _against(one: Figures | None, other: Figures | None) -> str:
    if one is None or other is None:
        return "not measured yet"
    verdict = judging.against(one, other)
    points = judging.scaled(one.metric, verdict.difference)
    if verdict.error is None:
        return f"{points:+.2f}, one seed"
    error = judging.scaled(one.metric, verdict.error)
    return f"{points:+.2f} ± {error:.2f}, {'significant' if verdict.decided else 'not significant'}"


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _advice(results: Results, subjects: Sequence[Task | Problem]) -> Iterator[str]:
    yield "## Recommendations"
    yield ""
    yield "The recommended cell by task or problem and length, at the measured parameter counts:"
    yield ""
    found, silent = advice.choices(results, subjects, CELLS)
    yield from (f"- {choice.text()}" for choice in found)
    yield from (f"- {line}" for line in silent if not line.endswith(advice.NOT_YET))
    unknown = [line for line in silent if line.endswith(advice.NOT_YET)]
    if unknown:
        yield f"- Not measured yet: {len(unknown)} more."
    yield ""
    yield (
        "A cell is chosen if it is the best, or if it has the lowest device latency of those at "
        "most one point behind and not significantly worse. A difference is significant if its "
        "95 % confidence interval (Welch 1947; wide, as three seeds are few) excludes 0; there is "
        "no correction for multiple comparisons, so some are significant by chance. Cells at "
        "chance are at most five points above chance accuracy. For your own budget: `python -m "
        "recipes.compare --advise --max-latency-ms 2 --length 300`."
    )
    yield ""
    yield "### The original project's claims, and what was measured"
    yield ""
    judged = claims.judge(results, subjects)
    wrong = [claim for claim in judged if claim.verdict == claims.FAILS]
    if wrong:
        yield f"{len(wrong)} of its {len(judged)} claims do not hold here:"
        yield ""
        yield from (f"- **{claim.said}: does not hold.** {claim.evidence}." for claim in wrong)
    for verdict in (claims.HOLDS, claims.UNDECIDED, claims.NOT_MEASURED):
        for claim in judged:
            if claim.verdict == verdict:
                end = f" {claim.evidence}." if claim.evidence else ""
                yield f"- {claim.said}: {verdict}.{end}"
    yield ""


def _tasks(
    results: Results, subjects: Sequence[Task | Problem], pictures: Sequence[str]
) -> Iterator[str]:
    yield "## The tasks"
    yield ""
    for each in subjects:
        if isinstance(each, Task):
            yield from _one_task(results, each)
    yield from _picture(pictures, "time.png", "quality against training time")
    yield from _picture(pictures, "latency.png", "quality against device latency")


def _one_task(results: Results, task: Task) -> Iterator[str]:
    known = [stored.figures(results, task, cell, 0) for cell in CELLS]
    some = [each for each in known if each is not None]
    flags = " ".join(f"{name}={value}" for name, value in task.flags.items())
    yield f"### {task.title}"
    yield ""
    yield f"`recipes.{task.name}`, {task.parameters:,} parameters, {flags}."
    yield ""
    if not some:
        yield "Not measured yet."
        yield ""
        return
    level = stored.common_level(some)
    yield _row(
        [
            *("cell", "metric", "parameters", "learning rate", "epochs to best"),
            *("s to best (CPU s)", "s to target (CPU s)", "CPU s per epoch", "peak memory"),
            *("int8 size", "int8 latency", "mean cores"),
        ]
    )
    yield "|---" * 12 + "|"
    for cell, each in zip(CELLS, known, strict=True):
        yield _row([cell, *(_task_row(each, level) if each else ["not measured yet"] + [""] * 10)])
    yield ""
    yield (
        f"Target: validation {some[0].runs[0]['watched']} {abs(level):.4f}, the best that every "
        f"run of every cell reaches. Latency: one sequence of {task.device_steps} steps."
    )
    errors = [f"{one.cell}: {one.device['error']}" for one in some if "error" in (one.device or {})]
    yield from (f"No device file: {error}." for error in errors)
    yield ""


def _task_row(each: Figures, level: float) -> list[str]:
    bests = [stored.best_validation(run) for run in each.runs]
    epochs = [
        next(i for i, row in enumerate(run["history"], 1) if row["validation"] == best)
        for run, best in zip(each.runs, bests, strict=True)
    ]
    return [
        _metric(each),
        f"{each.runs[0]['parameters']:,}",
        f"{each.rate:g}",
        f"{sum(epochs) / len(epochs):.1f}",
        _seconds(each, None),
        _seconds(each, level),
        f"{each.a_pass():.1f}",
        f"{each.used('peak_memory_mb'):,.0f} MB",
        *_device(each),
        f"{each.used('cpu_share'):.1f}",
    ]


def _seconds(each: Figures, level: float | None) -> str:
    """Return wall-clock and CPU seconds to a target, or to the best validation."""
    clock, processor = (each.time_to(level, clock) for clock in ("seconds", "cpu_seconds"))
    return f"{clock:.0f} ({processor:.0f})"


def _device(each: Figures) -> tuple[str, str]:
    if each.device is None:
        return "not measured yet", "not measured yet"
    if each.latency_ms is None:
        return "not available", ""
    return f"{each.device['bytes'] / 1e3:,.0f} KB", f"{each.latency_ms:.2f} ms"


def _lengths(
    results: Results, subjects: Sequence[Task | Problem], pictures: Sequence[str]
) -> Iterator[str]:
    yield "## Long sequences"
    yield ""
    yield from _picture(pictures, "length.png", "accuracy by length")
    for each in subjects:
        if isinstance(each, Problem):
            yield from _one_problem(results, each)


def _one_problem(results: Results, problem: Problem) -> Iterator[str]:
    flags = " ".join(f"{name}={value}" for name, value in problem.flags.items())
    yield f"### {problem.title}"
    yield ""
    yield f"{problem.parameters:,} parameters, {flags}; chance {problem.chance:.1%}."
    yield ""
    if all(
        stored.figures(results, problem, cell, steps) is None
        for cell in CELLS
        for steps in problem.lengths
    ):
        yield "Not measured yet."
        yield ""
        return
    yield _row(
        ["steps", "cell", "accuracy", "test loss", "learning rate", "stopped by", "CPU s to best"]
        + ["CPU ms per update", "peak memory", "int8 size", "int8 latency", "mean cores"]
    )
    yield "|---" * 12 + "|"
    for steps in problem.lengths:
        for cell in CELLS:
            each = stored.figures(results, problem, cell, steps)
            if each is None:
                yield _row([steps, cell, "not measured yet"] + [""] * 9)
                continue
            stops = _counts(run["stopped"] for run in each.runs)
            losses = sum(run["loss"] for run in each.runs) / len(each.runs)
            yield _row(
                [
                    *(steps, cell, _metric(each), f"{losses:.2g}", f"{each.rate:g}"),
                    ", ".join(f"{reason} {times}" for reason, times in stops.items()),
                    f"{each.time_to(None, 'cpu_seconds'):.0f}",
                    f"{1e3 * each.a_pass() / problem.flags['every']:.1f}",
                    f"{each.used('peak_memory_mb'):,.0f} MB",
                    *_device(each),
                    f"{each.used('cpu_share'):.1f}",
                ]
            )
    yield ""


def _gates(pictures: Sequence[str]) -> Iterator[str]:
    yield "## GRU gates during training"
    yield ""
    if "gates.png" not in pictures:
        yield "Not measured yet."
        yield ""
    yield from _picture(pictures, "gates.png", "gate saturation during training")


def _picture(pictures: Sequence[str], name: str, about: str) -> Iterator[str]:
    if name in pictures:
        yield f"![{about}]({name})"
        yield ""


def _rates(results: Results, subjects: Sequence[Task | Problem]) -> Iterator[str]:
    yield "## Learning rates"
    yield ""
    yield "Validation metric of seed 0 (higher is better); the same grid for every cell."
    yield ""
    yield "| task or problem | cell | tried | chosen |"
    yield "|---|---|---|---|"
    for each in subjects:
        for cell in CELLS:
            tried = stored.trials(results, each, cell)
            chosen = stored.best_rate(results, each, cell)
            values = ", ".join(
                f"{rate:g}: {'diverged' if value is None else f'{value:.4g}'}"
                for rate, value in sorted(tried.items())
            )
            edge = chosen in (min(each.rates), max(each.rates)) and len(each.rates) > 1
            text = "not yet" if chosen is None else f"{chosen:g}{' (edge of the grid)' * edge}"
            yield _row([each.name, cell, values or "none yet", text])
    yield ""


def _how(results: Results) -> Iterator[str]:
    yield "## Method"
    yield ""
    yield (
        "`python -m recipes.compare`; every training runs in its own process, and its result is a "
        "file next to this report that records the command. Learning rates are tuned on seed 0: "
        "the best one on validation data is used for all seeds, and its run counts as seed 0. "
        "All cells get the same epochs, patience and data order. CPU time is that of all threads "
        "during training, without validation; peak memory is that of the process. The int8 file "
        "has batch size 1 and any length, and is converted the same way for every cell; latency "
        "is the median CPU time of its single thread. The GRU is `gru_zoo.GRU` with its compiled "
        "kernel, LSTM and plain RNN are Keras layers as run by `fit`, and the Transformer is built "
        "on Keras' `MultiHeadAttention`: times compare implementations as well as cells."
    )
    yield ""
    yield (
        "One thing is not equal. On bAbI only the encoders of words and sentences are exchanged: "
        "in every column the same attention GRU reads the facts. Features are dropped at the same "
        "places, outside of the cells, and no cell drops any inside."
    )
    for made in sorted({_made(record) for record in results.values()}):
        yield ""
        yield made


def _made(record: dict) -> str:
    made = record["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    cores = f"{made['cores']} core{'s' * (made['cores'] != 1)}"
    return f"Measured on {cores} ({made['machine']}) with {versions}."
