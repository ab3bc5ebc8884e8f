"""The README's part on speed: peers, aims and variants, from what the benchmarks measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import layer_report, timing
from benchmarks.aims import Aim, aims_table
from benchmarks.layer_report import BETTER, BOTH_BETTER, OURS, Cells
from gru_zoo.artifacts.card_text import table

BEGIN = "<!-- speed: made by `python -m benchmarks.layer_speed --write` -->"
END = "<!-- end of speed -->"
PEERS = {
    "keras": "`keras.layers.GRU`, as predict and fit run it",
    "keras_xla": "`keras.layers.GRU`, `jit_compile=True`",
    BETTER: "the better of these two, cell by cell",
    BOTH_BETTER: "the same, ours with `jit_compile=True` too where it is faster at one row",
    "torch": "`torch.nn.GRU`",
    "jax": "Flax / JAX scan under jit",
    "onnx": "ONNX Runtime's fused operator",
}
VARIANTS = {
    "reset_before": "`reset_after=False`",
    "masked": "masked",
    "bidirectional": "bidirectional",
}
MODES = ("forward", "train")
# How many times as fast as a peer we aim to be, on average; and in the slowest cell.
MEANS = (
    ("train", "keras", 2.3),
    ("train", "torch", 2.3),
    ("forward", "keras", 1.6),
    ("forward", "onnx", 1.0),
)
SLOWEST = {"train": 1.0, "forward": 0.95}
_ROUNDS = 20
_FEATURES = 64  # of records that do not say


def section(record: dict[str, Any], epoch: dict[str, Any] | None) -> str:
    """Return the part as Markdown.

    Args:
        record: what layer_speed.py keeps.
        epoch: what train_speed.py keeps; None if it was not run.
    """
    cells = record["cells"]
    parts = [_introduction(record), _peers(cells), _aims(record, epoch), _losses(cells)]
    parts += [_variants(cells), _costs(record)]
    return "\n\n".join(part for part in parts if part)


def epoch_record(results: Path) -> dict[str, Any] | None:
    """Return what train_speed.py left beside layer_speed.py's results, None if nothing."""
    path = results.with_name("train_speed.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _introduction(record: dict[str, Any]) -> str:
    cells = record["cells"]
    shapes = [{int(key.split("/")[place]) for key in cells} for place in (2, 3, 4)]
    batch, steps, units = (", ".join(map(str, sorted(sizes))) for sizes in shapes)
    few = [f"{_shape(key)} {key.split('/')[1]}" for key in cells if cells[key]["rounds"] < _ROUNDS]
    fewer = f" (fewer in {len(few)} cells: {'; '.join(few)})" if few else ""
    return (
        f"How many times as fast as its peers `gru_zoo.GRU` is on {record['cores']} cores "
        f"({record['cpu']}, TensorFlow {record['versions']['tensorflow']}, {record['date']}):\n"
        f"geometric mean over batch {batch} x {steps} steps x {units} units with "
        f"{record.get('features', _FEATURES)} inputs, and "
        f"the slowest cell (batch, steps, units).\n"
        f"Medians over {_ROUNDS} rounds{fewer}; contenders take turns in one process, in a new "
        "order each round, each with a thread a core.\nThreads of ONNX Runtime and of OpenMP, "
        "which PyTorch uses, are told not to spin while they wait: all share the cores.\nKeras' "
        "default is what `predict` and `fit` run on a CPU, without XLA; so is ours."
    )


def _shape(key: str) -> str:
    return f"({', '.join(key.split('/')[2:])})"


def _found(cells: Cells, variant: str, mode: str, peer: str) -> dict[str, float]:
    """Return key -> how many times as fast as the peer we are."""
    chosen = layer_report.chosen(cells, variant, mode)
    every = {key: layer_report.ratios_of(cell) for key, cell in chosen.items()}
    return {key: ratios[peer] for key, ratios in every.items() if peer in ratios}


def _pair(found: dict[str, float]) -> tuple[str, str]:
    """Return the mean and the slowest cell, as a table shows them."""
    if not found:
        return "", ""
    slowest = min(found, key=found.get)
    return f"{timing.geometric_mean(found.values()):.2f}", f"{found[slowest]:.2f} {_shape(slowest)}"


def _peers(cells: Cells) -> str:
    rows = [
        (said, *(part for mode in MODES for part in _pair(_found(cells, "plain", mode, peer))))
        for peer, said in PEERS.items()
    ]
    return table(("peer", "forward", "slowest cell", "training step", "slowest cell"), rows)


def _variants(cells: Cells) -> str:
    rows = []
    for variant, said in VARIANTS.items():
        for mode in MODES:
            modes = [_found(cells, variant, mode, peer) for peer in ("keras", BETTER)]
            if modes[0]:
                figures = (part for found in modes for part in _pair(found))
                rows.append((said, mode, str(len(modes[0])), *figures))
    if not rows:
        return ""
    headings = ("variant", "pass", "cells", "Keras' default", "slowest cell")
    steps = sorted({int(key.split("/")[3]) for key in cells if key.split("/")[0] in VARIANTS})
    said = f"Variants, at {' and '.join(map(str, steps))} steps, against Keras:"
    made = table((*headings, "Keras' better mode", "slowest cell"), rows)
    return f"{said}\n\n{made}"


def _aims(record: dict[str, Any], epoch: dict[str, Any] | None) -> str:
    """Return what was aimed at beside what was measured, met or not."""
    return aims_table(_at_least(record["cells"], epoch), _at_most(record))


def _at_least(cells: Cells, epoch: dict[str, Any] | None) -> Iterator[Aim]:
    """Yield each aim of speed, the figure wanted, and the figure measured."""
    for mode, peer, wanted in MEANS:
        found = _found(cells, "plain", mode, peer)
        if found:
            mean = timing.geometric_mean(found.values())
            yield f"{_pass(mode)}, mean, times {PEERS[peer]}", wanted, mean
    for mode, wanted in SLOWEST.items():
        found = _found(cells, "plain", mode, BETTER)
        if found:
            said = f"{_pass(mode)}, slowest cell, times Keras' better mode"
            yield said, wanted, min(found.values())
    for mode in MODES:
        for key, cell in layer_report.chosen(cells, "plain", mode).items():
            if key.split("/")[2::2] == ["128", "256"]:
                said = f"{_pass(mode)} {_shape(key)}, share of a product's rate"
                yield said, 0.7, cell["share_of_product_rate"]
    if epoch:
        said = "an epoch of `recipes.sentiment`, times `keras.layers.GRU`"
        yield f"{said}, once compiled", 1.7, epoch["times_as_fast"]
        # Tracing, compiling and one batch of each length, which the first epoch has besides.
        whole = [epoch["seconds"][who] + s for who, s in epoch["first_batches_seconds"].items()]
        yield f"{said}, tracing and compiling included", 1.7, whole[1] / whole[0]


def _at_most(record: dict[str, Any]) -> Iterator[Aim]:
    """Yield the aims of memory and of compilation, the figure wanted, and the figure measured."""
    memory = record["memory"]
    for key, peak in memory.items():
        peer, _, sizes = key.partition(":")
        keras = memory.get(f"keras:{sizes}")
        if peer == OURS and peak and keras:
            yield f"peak memory of a training step {_sizes(sizes)}, of Keras'", 1, peak / keras
    for mode in MODES:
        found = layer_report.first_calls(record["cells"], mode)
        if found:
            most = max(found, key=found.get)
            said = f"first call with compilation, {_pass(mode)}"
            mean = timing.geometric_mean(found.values())
            yield f"{said}, mean, of Keras' with XLA", 1.5, mean
            yield f"{said}, most, of Keras' with XLA {_shape(most)}", 1.5, found[most]


def _sizes(text: str) -> str:
    return f"({text.replace(':', ', ')})"


def _pass(mode: str) -> str:
    return "training step" if mode == "train" else mode


def _losses(cells: Cells) -> str:
    """Return the cells in which a mode of Keras is faster than we may be slow."""
    lines = []
    for mode, least in SLOWEST.items():
        found = _found(cells, "plain", mode, BETTER)
        below = sorted((ratio, key) for key, ratio in found.items() if ratio < least)
        named = ", ".join(f"{_shape(key)} {ratio:.2f}" for ratio, key in below) or "none"
        lines.append(
            f"- {_pass(mode)}, below {least:g} of Keras' better mode: {len(below)} of "
            f"{len(found)} cells: {named}."
        )
    return "\n".join(lines)


def _costs(record: dict[str, Any]) -> str:
    growth = []
    for axis, name in ((2, "batch (32 to 128 rows)"), (3, "time")):
        found = layer_report.exponents(record["cells"], axis)
        if found:
            growth.append(f"as {name} to the power {min(found):.2f} to {max(found):.2f}")
    lines = [f"Training time grows {' and '.join(growth)}."] if growth else []
    peaks: dict[str, list[str]] = {}
    for key, peak in record["memory"].items():
        peer, _, sizes = key.partition(":")
        if peak:
            peaks.setdefault(sizes, []).append(f"{peer} {peak / 1e6:.0f} MB")
    for sizes, each in peaks.items():
        lines.append(f"Peak memory of a training step at {_sizes(sizes)}: {', '.join(each)}.")
    return "\n".join(lines)
