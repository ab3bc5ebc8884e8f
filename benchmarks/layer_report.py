"""What benchmarks/layer_speed.py measured: a summary, a table of every configuration, a picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import timing
from gru_zoo.files import atomic_write

OURS = "gru_zoo"
# Peers of their own: the faster of Keras' two modes; the same while we may choose between ours too.
BETTER, BOTH_BETTER = "faster of keras and keras_xla", "the same, faster of gru_zoo and gru_zoo_xla"
NOT_PEERS = ("gru_zoo_xla", "empty")  # our own other mode, and no GRU at all

Cells = dict[str, dict[str, Any]]


def write(record: dict[str, Any], results: Path) -> None:
    """Print the summary, and write it with all configurations beside `results`, and the
    picture.

    Args:
        record: what layer_speed.py keeps.
        results: its JSON file; the table ends in .md, the picture in .png.
    """
    lines = list(_summary(record))
    print("\n".join(lines))
    with atomic_write(results.with_suffix(".md")) as partial:
        text = "\n".join([*lines, "", *_every_cell(record["cells"])])
        partial.write_text(text + "\n", encoding="utf-8")
    _draw(record["cells"], results.with_suffix(".png"))


def ratios_of(cell: dict[str, Any]) -> dict[str, float]:
    """Return peer -> our speedup over it, the faster of Keras' default and XLA among the peers."""
    ratios = {name: ratio for name, ratio in cell["ratios"].items() if name not in NOT_PEERS}
    if {"keras", "keras_xla"} <= set(ratios):
        ratios[BETTER] = min(ratios["keras"], ratios["keras_xla"])
        ratios[BOTH_BETTER] = ratios[BETTER] / min(1.0, cell["ratios"].get("gru_zoo_xla", 1.0))
    return ratios


def chosen(cells: Cells, variant: str, mode: str) -> Cells:
    """Return the configurations of a variant and a pass."""
    return {key: cell for key, cell in cells.items() if key.startswith(f"{variant}/{mode}/")}


def disturbed(cells: Cells) -> list[str]:
    """Return the configurations in whose rounds something else had the processor.

    A product of two matrices of 2048 is timed in all rounds; there it ran at less than nine tenths
    of its usual rate. Ratios of layers that use as many threads as each other bear that, shares of
    the product's rate do not.
    """
    rates = {key: cell["product_gflops"] for key, cell in cells.items()}
    usual = statistics.median(rates.values()) if rates else 0.0
    return [key for key, rate in rates.items() if rate < 0.9 * usual]


def _summary(record: dict[str, Any]) -> Iterable[str]:
    cells = record["cells"]
    cores = f"{record.get('cores')} cores, one thread per core"
    yield f"{record.get('cpu')}, {cores}, {record['date']}."
    rounds = [cell["rounds"] for cell in cells.values()]
    few = [f"{key} ({cell['rounds']})" for key, cell in cells.items() if cell["rounds"] < 20]
    few = ", ".join(few) or "none"
    yield f"{len(cells)} configurations, {max(rounds, default=0)} rounds each; fewer in: {few}."
    yield f"Measured beside other work: {', '.join(disturbed(cells)) or 'none'}."
    yield ""
    yield "| variant | pass | configurations | peer | speedup, geometric mean | worst case | at |"
    yield "|---|---|---|---|---|---|---|"
    for variant in dict.fromkeys(key.split("/")[0] for key in cells):
        for mode in ("forward", "train"):
            every = {key: ratios_of(cell) for key, cell in chosen(cells, variant, mode).items()}
            for name in dict.fromkeys(name for ratios in every.values() for name in ratios):
                values = {key: ratios[name] for key, ratios in every.items() if name in ratios}
                mean, lowest = timing.geometric_mean(values.values()), min(values, key=values.get)
                where = "batch {}, time {}, units {}".format(*lowest.split("/")[2:])
                row = [variant, mode, len(values), name, f"{mean:.2f}", f"{values[lowest]:.2f}"]
                yield "| " + " | ".join(map(str, [*row, where])) + " |"
    yield ""
    yield from _facts(record)


def _facts(record: dict[str, Any]) -> Iterable[str]:
    """Yield the lines on scaling, matmul throughput, compilation and memory."""
    cells = record["cells"]
    for axis, name in ((2, "batch"), (3, "time")):
        found = exponents(cells, axis)
        if found:
            yield f"- training time ~ {name}^b: b = {min(found):.2f} to {max(found):.2f}"
    for key, cell in cells.items():
        if key.startswith("plain/") and "/128/" in key and key.endswith("/256"):
            share = cell["share_of_product_rate"]
            yield f"- {key}: {share:.0%} of the throughput of a 2048 x 2048 matmul"
    for mode in ("forward", "train"):
        found = first_calls(cells, mode)
        if found:
            mean, most = timing.geometric_mean(found.values()), max(found, key=found.get)
            yield (
                f"- first call, {mode}, compilation included, relative to Keras with XLA: "
                f"geometric mean {mean:.2f}, worst case {found[most]:.2f} ({most})"
            )
    for key, peak in record["memory"].items():
        yield f"- peak memory of a training step, {key}: {peak / 1e6:.0f} MB"


def first_calls(cells: Cells, mode: str) -> dict[str, float]:
    """Return key -> our first call's time, compilation included, relative to Keras with XLA."""
    firsts = {
        key: cell["first_call_s"]
        for key, cell in chosen(cells, "plain", mode).items()
        if "keras_xla" in cell["ratios"]
    }
    return {key: first[OURS] / first["keras_xla"] for key, first in firsts.items()}


def exponents(cells: Cells, axis: int) -> list[float]:
    """Return our training time's exponents in batch (axis 2) or time (axis 3), one per fit."""
    lines: dict[tuple, list[tuple[int, float]]] = {}
    for key, cell in chosen(cells, "plain", "train").items():
        parts = key.split("/")
        if parts[2] != "1":
            rest = tuple(parts[:axis] + parts[axis + 1 :])
            lines.setdefault(rest, []).append((int(parts[axis]), cell["ms"][OURS]))
    return [timing.exponent(*zip(*line, strict=True)) for line in lines.values() if len(line) > 1]


def _every_cell(cells: Cells) -> Iterable[str]:
    """Yield a table of milliseconds, a row per configuration."""
    names = list(dict.fromkeys(name for cell in cells.values() for name in cell["ms"]))
    yield "Median times in milliseconds:"
    yield ""
    yield "| variant/pass/batch/time/units | " + " | ".join(names) + " |"
    yield "|---" * (1 + len(names)) + "|"
    for key, cell in cells.items():
        figures = [f"{cell['ms'][name]:.2f}" if name in cell["ms"] else "" for name in names]
        yield f"| {key} | " + " | ".join(figures) + " |"


def _draw(cells: Cells, path: Path) -> None:
    """Draw our speedup over Keras, a panel per pass and mode, a cell per shape."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.colors import LogNorm

    plain = {tuple(k.split("/")[1:]): ratios_of(c) for k, c in cells.items() if k[:6] == "plain/"}
    if not plain:
        return
    rows = sorted({(int(b), int(u)) for _, b, _, u in plain})
    columns = sorted({int(t) for _, _, t, _ in plain})
    panels_of = [(mode, name) for mode in ("forward", "train") for name in ("keras", BETTER)]
    figure, panels = pyplot.subplots(1, 4, figsize=(14, 5), layout="constrained", sharey=True)
    for panel, (mode, name) in zip(panels, panels_of, strict=True):
        grid = [
            [plain.get((mode, str(b), str(t), str(u)), {}).get(name, float("nan")) for t in columns]
            for b, u in rows
        ]
        image = panel.imshow(grid, cmap="RdYlGn", norm=LogNorm(1 / 8, 8), aspect="auto")
        for y, row in enumerate(grid):
            for x, value in enumerate(row):
                panel.text(x, y, f"{value:.2f}", ha="center", va="center")
        panel.set_xticks(range(len(columns)), columns)
        panel.set_yticks(range(len(rows)), [f"batch {b}, {u} units" for b, u in rows])
        panel.set_xlabel("time steps")
        what = "forward" if mode == "forward" else "training step"
        peer = "Keras' default" if name == "keras" else "the faster of default and XLA"
        panel.set_title(f"{what}\nvs {peer}", fontsize=11)
    bar = figure.colorbar(image, ax=panels, label="speedup over keras.layers.GRU")
    ticks = [0.125, 0.25, 0.5, 1, 2, 4, 8]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120)
    pyplot.close(figure)
