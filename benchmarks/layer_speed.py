"""How fast is our GRU? The layer against its peers, over a grid of shapes, on this machine's CPU.

    python -m benchmarks.layer_speed                              # all; goes on where it stopped
    python -m benchmarks.layer_speed --batch 32 --time 200 --units 128 --fresh
    python -m benchmarks.layer_speed --report-only                # table and picture of the results

Forward is what `predict` runs and train what `fit` runs, weight gradients included. Contenders
take turns in one process, each with the library's own number of threads (one a core); a ratio is
the median over the rounds of theirs / ours. Peak memory is measured in a process of its own.
Needs the extra `bench`, and torch, jax and flax for those peers; a missing one is named.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from benchmarks import timing
from gru_zoo.files import write_beside, write_json

if TYPE_CHECKING:
    from benchmarks.peers import Case

OURS = "gru_zoo"
PACKAGES = ("gru-zoo", "tensorflow", "keras", "torch", "jax", "flax", "onnxruntime", "numpy")
Peer = Literal["keras", "keras_xla", "torch", "jax", "onnx"]
Variant = Literal["plain", "reset_before", "masked", "bidirectional"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Time our GRU layer against its peers."""

    # Grid.
    batch: tuple[int, ...] = (1, 32, 128)
    time: tuple[int, ...] = (50, 200, 800)
    units: tuple[int, ...] = (32, 128, 256)
    features: int = 64
    variants: tuple[Variant, ...] = ("plain", "reset_before", "masked", "bidirectional")
    """All but plain run at `variant_time` steps only."""
    variant_time: int = 200
    modes: tuple[Literal["forward", "train"], ...] = ("forward", "train")
    peers: tuple[Peer, ...] = ("keras", "keras_xla", "torch", "jax", "onnx")

    # Care.
    runs: int = 20
    """Rounds per cell; a ratio's median is over them."""
    seconds: float = 1e9
    """A cell that has taken so long stops after its third round or later."""
    memory: bool = True
    """Also measure the training step's peak memory, at the grid's middle and largest cells."""

    # Files.
    results: Path = Path("benchmarks/results/layer_speed.json")
    fresh: bool = False
    """Forget what the results file has."""
    report_only: bool = False
    """Measure nothing: print the table and draw the picture."""

    # Of no use by hand.
    memory_of: str = ""
    """PEER:BATCH:TIME:UNITS: print one training step's peak memory in bytes."""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    config = tyro.cli(Config, args=arguments, prog="python -m benchmarks.layer_speed")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a waiting pool must not slow the others
    if config.memory_of:
        print(_peak_memory(config.memory_of, config.features))
        return 0
    record = {"cells": {}, "memory": {}}
    if config.results.exists() and not config.fresh:
        record = json.loads(config.results.read_text(encoding="utf-8"))
    if not config.report_only:
        record |= timing.machine(PACKAGES)
        _measure(config, record)
    _print(record)
    _draw(record, config.results.with_suffix(".png"))
    return 0


def _cases(config: Config) -> Iterable[Case]:
    from benchmarks.peers import Case

    for variant in config.variants:
        for steps in config.time if variant == "plain" else (config.variant_time,):
            for batch in config.batch:
                for units in config.units:
                    for mode in config.modes:
                        yield Case(variant, mode, batch, steps, units, config.features)


def _measure(config: Config, record: dict[str, Any]) -> None:
    for case in _cases(config):
        done = record["cells"].get(case.key)
        if done is None or done["rounds"] < min(3, config.runs):
            record["cells"][case.key] = cell = _cell(case, config)
            write_json(config.results, record)
            ratios = " ".join(f"{name} {value:.2f}" for name, value in cell["ratios"].items())
            print(f"{case.key:32s} {cell['ms'][OURS]:9.2f} ms   {ratios}", flush=True)
    if not config.memory:
        return
    for batch, steps, units in {(32, 200, 128), (max(config.batch), 200, max(config.units))}:
        for peer in (OURS, *config.peers):
            key = f"{peer}:{batch}:{steps}:{units}"
            if peer != "onnx" and key not in record["memory"]:
                record["memory"][key] = _in_own_process(key, config.features)
                write_json(config.results, record)


def _cell(case: Case, config: Config) -> dict[str, Any]:
    """Build every contender of one cell, time them in turns, and return the figures."""
    import keras
    import tensorflow as tf

    from benchmarks.peers import PEERS

    keras.utils.set_random_seed(0)
    calls, compile_seconds = {}, {}
    for name in (OURS, *config.peers):
        try:
            call = PEERS[name](case)
        except ImportError as error:
            print(f"{name} left out: {error}", file=sys.stderr)
            continue
        if call is None:
            continue
        calls[name] = call
        began = time.perf_counter()
        call()
        compile_seconds[name] = time.perf_counter() - began
        call()
    square = tf.random.normal([2048, 2048])
    product = tf.function(lambda: tf.linalg.matmul(square, square), autograph=False)
    product()
    calls["product"] = product
    times = timing.interleaved(calls, config.runs, config.seconds)
    products = times.pop("product")
    directions = 2 if case.variant == "bidirectional" else 1
    flops, reference = case.flops * directions, 2 * 2048**3
    share = [flops / o / (reference / p) for p, o in zip(products, times[OURS], strict=True)]
    keras.backend.clear_session()
    return {
        "rounds": len(products),
        "ms": {name: 1e3 * statistics.median(values) for name, values in times.items()},
        "ratios": {n: timing.ratio(v, times[OURS]) for n, v in times.items() if n != OURS},
        "first_call_s": compile_seconds,
        "product_gflops": reference / statistics.median(products) / 1e9,
        "share_of_product_rate": statistics.median(share),
    }


def _in_own_process(key: str, features: int) -> int | None:
    """Return the peak memory in bytes that a training step adds, or None if the peer is missing."""
    command = [sys.executable, "-m", "benchmarks.layer_speed"]
    command += ["--memory-of", key, "--features", str(features)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.split()
    return int(lines[-1]) if done.returncode == 0 and lines else None


def _peak_memory(key: str, features: int) -> int:
    from benchmarks.peers import PEERS, Case

    peer, *sizes = key.split(":")
    batch, steps, units = map(int, sizes)
    PEERS[peer](Case("plain", "train", 2, 3, 4, 5))()  # libraries loaded, pools started
    before = _status("VmRSS")
    call = PEERS[peer](Case("plain", "train", batch, steps, units, features))
    call()  # compiles; its memory is not the step's
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    for _ in range(3):
        call()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def _summary(cells: dict[str, Any], variant: str, mode: str) -> list[tuple[str, float, float]]:
    """Return for each peer, and for the better of Keras' modes, (name, geometric mean, lowest)."""
    chosen = [c["ratios"] for k, c in cells.items() if k.startswith(f"{variant}/{mode}/")]
    chosen = [
        r | ({"keras, better mode": min(r["keras"], r["keras_xla"])} if "keras_xla" in r else {})
        for r in chosen
    ]
    names = dict.fromkeys(name for ratios in chosen for name in ratios)
    values = {name: [r[name] for r in chosen if name in r] for name in names}
    return [(n, timing.geometric_mean(v), min(v)) for n, v in values.items()]


def _exponents(cells: dict[str, Any], axis: int) -> list[float]:
    """Return our training time's exponents in batch (axis 2) or time (axis 3), a line a fit."""
    lines: dict[tuple, list[tuple[int, float]]] = {}
    for key, cell in cells.items():
        parts = key.split("/")
        if parts[:2] == ["plain", "train"] and parts[2] != "1":
            rest = tuple(parts[:axis] + parts[axis + 1 :])
            lines.setdefault(rest, []).append((int(parts[axis]), cell["ms"][OURS]))
    return [timing.exponent(*zip(*line, strict=True)) for line in lines.values() if len(line) > 1]


def _print(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console, cells = Console(), record["cells"]
    console.print(f"{record.get('cpu')}, {record.get('cores')} cores, one thread a core.")
    table = Table("variant", "pass", "peer", "times as fast: mean", "lowest cell")
    for variant in dict.fromkeys(key.split("/")[0] for key in cells):
        for mode in ("forward", "train"):
            for name, mean, lowest in _summary(cells, variant, mode):
                table.add_row(variant, mode, name, f"{mean:.2f}", f"{lowest:.2f}")
    console.print(table)
    for axis, name in ((2, "batch"), (3, "time")):
        found = _exponents(cells, axis)
        if found:
            console.print(f"training time ~ {name}^b: b = {min(found):.2f} to {max(found):.2f}")
    ours = {k: c for k, c in cells.items() if k.startswith("plain/")}
    for key, cell in ours.items():
        if "/128/" in key and key.endswith("/256"):
            share = cell["share_of_product_rate"]
            console.print(f"{key}: {share:.0%} of the rate of a 2048 x 2048 product")
    firsts = [c["first_call_s"] for k, c in ours.items() if "keras_xla" in c["first_call_s"]]
    if firsts:
        mean = timing.geometric_mean(f[OURS] / f["keras_xla"] for f in firsts)
        console.print(f"first call, compilation included: {mean:.2f} of Keras' with XLA")
    for key, peak in record["memory"].items():
        console.print(
            f"peak memory {key}: " + ("missing" if peak is None else f"{peak / 1e6:.0f} MB")
        )


def _draw(record: dict[str, Any], path: Path) -> None:
    """Draw how many times as fast as Keras we are, a panel a pass, a cell a shape."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.colors import LogNorm

    cells = {
        tuple(k.split("/")[1:]): c["ratios"]["keras"]
        for k, c in record["cells"].items()
        if k.startswith("plain/") and "keras" in c["ratios"]
    }
    if not cells:
        return
    rows = sorted({(int(b), int(u)) for _, b, _, u in cells})
    columns = sorted({int(t) for _, _, t, _ in cells})
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 5), layout="constrained", sharey=True)
    for panel, mode in zip(panels, ("forward", "train"), strict=True):
        grid = [
            [cells.get((mode, str(b), str(t), str(u)), float("nan")) for t in columns]
            for b, u in rows
        ]
        image = panel.imshow(grid, cmap="RdYlGn", norm=LogNorm(1 / 8, 8), aspect="auto")
        for y, row in enumerate(grid):
            for x, value in enumerate(row):
                panel.text(x, y, f"{value:.2f}", ha="center", va="center")
        panel.set_xticks(range(len(columns)), columns)
        panel.set_yticks(range(len(rows)), [f"batch {b}, {u} units" for b, u in rows])
        panel.set_xlabel("time steps")
        panel.set_title("forward, as predict runs it" if mode == "forward" else "training step")
    bar = figure.colorbar(image, ax=panels, label="times as fast as keras.layers.GRU")
    ticks = [0.125, 0.25, 0.5, 1, 2, 4, 8]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
