"""The report's figures: quality against time and latency, accuracy by length, gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.files import atomic_write
from recipes.comparison import judging, stored
from recipes.comparison.stored import Figures, Results
from recipes.comparison.subjects import CELLS, Problem, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that are told apart with any kind of sight (Okabe and Ito 2008), and marks for print.
_COLOURS = dict(zip(CELLS, ("#0072b2", "#d55e00", "#999999", "#009e73"), strict=True))
_MARKS = dict(zip(CELLS, "osD^", strict=True))


def draw(results: Results, subjects: Sequence[Task | Problem], folder: Path) -> list[str]:
    """Write every picture that has something to show; return their file names."""
    tasks = [each for each in subjects if isinstance(each, Task)]
    problems = [each for each in subjects if isinstance(each, Problem)]
    drawn = [
        _panels(folder / "time.png", tasks, lambda axes, each: _time(axes, results, each)),
        _panels(folder / "latency.png", tasks, lambda axes, each: _latency(axes, results, each)),
        _panels(folder / "length.png", problems, lambda axes, each: _length(axes, results, each)),
        _panels(folder / "gates.png", problems, lambda axes, each: _gates(axes, results, each)),
    ]
    return [name for name in drawn if name]


def _panels(path: Path, subjects: Sequence[Any], draw_one: Any) -> str:
    """Draw a panel for each subject; return the file's name, or "" if all are empty."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.9 * max(1, len(subjects)), 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    filled = []
    for axes, each in zip(_axes(figure, len(subjects)), subjects, strict=True):
        filled.append(draw_one(axes, each))
        axes.set_title(each.title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if not filled[-1]:
            axes.clear()
            axes.set_title(each.title, fontsize=10)
            middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not measured yet", color="#888888", **middle)
            axes.set(xticks=[], yticks=[])
    if not any(filled):
        path.unlink(missing_ok=True)  # A picture of older results would be a lie.
        return ""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=6, frameon=False)
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120)
    return path.name


def _axes(figure: Any, count: int) -> Sequence[Axes]:
    return figure.subplots(1, count, squeeze=False)[0] if count else []


def _known(results: Results, each: Task | Problem, steps: int) -> list[Figures]:
    known = [stored.figures(results, each, cell, steps) for cell in CELLS]
    return [figures for figures in known if figures is not None]


def _point(axes: Axes, x: float, figures: Figures) -> None:
    """Draw a cell's mean, and its spread over the seeds as a bar."""
    spread = judging.scaled(figures.metric, figures.spread or 0.0)
    axes.errorbar(
        [x],
        [judging.scaled(figures.metric, figures.mean)],
        yerr=[spread] if spread else None,
        color=_COLOURS[figures.cell],
        marker=_MARKS[figures.cell],
        markersize=8,
        capsize=3,
        linestyle="none",
        label=figures.cell,
    )


def _time(axes: Axes, results: Results, task: Task) -> bool:
    known = _known(results, task, 0)
    for figures in known:
        _point(axes, figures.time_to(None, "cpu_seconds"), figures)
    axes.set(xlabel="CPU seconds to the best epoch", xscale="log")
    return _named(axes, known)


def _latency(axes: Axes, results: Results, task: Task) -> bool:
    known = [figures for figures in _known(results, task, 0) if figures.latency_ms is not None]
    for figures in known:
        _point(axes, figures.latency_ms, figures)
    axes.set(xlabel=f"ms, int8, {task.device_steps} steps, one thread", xscale="log")
    return _named(axes, known)


def _named(axes: Axes, known: Sequence[Figures]) -> bool:
    """Name the metric's axis and keep the few ticks of a logarithmic one readable."""
    if known:
        axes.set_ylabel(f"{known[0].metric}, test")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=7)
    return bool(known)


def _length(axes: Axes, results: Results, problem: Problem) -> bool:
    some = False
    for cell in CELLS:
        known = [stored.figures(results, problem, cell, steps) for steps in problem.lengths]
        known = [figures for figures in known if figures is not None]
        if not known:
            continue
        some = True
        look = {"color": _COLOURS[cell], "marker": _MARKS[cell]}
        axes.plot([f.steps for f in known], [100 * f.mean for f in known], label=cell, **look)
        for figures in known:
            values = [100 * value for value in figures.values]
            axes.scatter([figures.steps] * len(values), values, s=9, alpha=0.5, **look)
    axes.axhline(100 * problem.chance, color="#444444", linewidth=0.8, linestyle=":")
    axes.set(xlabel="steps (dotted: chance)", ylabel="accuracy, %", xscale="log", ylim=(-2, 103))
    axes.set_xticks(problem.lengths, [str(steps) for steps in problem.lengths])
    axes.minorticks_off()
    return some


def _gates(axes: Axes, results: Results, problem: Problem) -> bool:
    records = [stored.figures(results, problem, "gru", steps) for steps in problem.lengths]
    records = [figures.runs[0] for figures in records if figures is not None]
    for record, width in zip(records, (0.8, 1.3, 1.8, 2.3), strict=False):
        _gate_lines(axes, record["gates"], width)
    lengths = ", ".join(str(record["steps"]) for record in records)
    axes.set(xlabel="updates", ylabel="share saturated, %", ylim=(-2, 103))
    axes.annotate(
        f"lines from thin to thick: {lengths} steps",
        xy=(0.02, 0.97),
        xycoords="axes fraction",
        fontsize=7,
        va="top",
    )
    return bool(records)


def _gate_lines(axes: Axes, gates: Sequence[Mapping[str, float]], width: float) -> None:
    updates = [row["updates"] for row in gates]
    lines = {
        "update gates below 0.05 or above 0.95": ("#0072b2", "z_low", "z_high"),
        "reset gates": ("#cc79a7", "r_low", "r_high"),
        "units whose update gate is stuck": ("#e69f00", "z_stuck_units"),
    }
    for label, (colour, *names) in lines.items():
        shares = [100 * sum(row[name] for name in names) for row in gates]
        axes.plot(updates, shares, color=colour, linewidth=width, label=label)
