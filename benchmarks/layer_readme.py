"""The README's part on speed: peers, targets and variants, from what the benchmarks measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import layer_report, timing
from benchmarks.aims import Aim, Targets, aims_table, elsewhere
from benchmarks.layer_report import BETTER, BOTH_BETTER, OURS, Cells
from gru_zoo.markdown import table

BEGIN = "<!-- speed: made by `python -m benchmarks.layer_speed --write` -->"
END = "<!-- end of speed -->"
PEERS = {
    "keras": "`keras.layers.GRU`, as predict and fit run it",
    "keras_xla": "`keras.layers.GRU`, `jit_compile=True`",
    BETTER: "the faster of these two in each configuration",
    BOTH_BETTER: "the same, ours with `jit_compile=True` too where that is faster at batch 1",
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
FIGURES = ("geometric mean", "worst case")
FASTER = "the faster of Keras' default and XLA"
# The speedup over a peer that is required, on average; and in the worst case.
MEANS = (
    ("train", "keras", 2.3),
    ("train", "torch", 2.3),
    ("forward", "keras", 1.6),
    ("forward", "onnx", 1.0),
)
WORST = {"train": 1.0, "forward": 0.95}
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
    if others := record.get("others"):
        parts += ["On other processors, with the code of their day:", elsewhere(others, _speeds)]
    return "\n\n".join(part for part in parts if part)


def epoch_record(results: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return what train_speed.py left beside layer_speed.py's results.

    Returns:
        None if it left nothing, timed less than an epoch, or ran on another machine or with other
        versions than `record`, beside which its figures would stand as if of the same.
    """
    path = results.with_name("train_speed.json")
    if not path.exists():
        return None
    epoch = json.loads(path.read_text(encoding="utf-8"))
    alike = all(epoch[name] == record[name] for name in ("cpu", "cores"))
    versions = epoch["versions"].items() <= record["versions"].items()
    return epoch if alike and versions and epoch["whole_epoch"] else None


def _introduction(record: dict[str, Any]) -> str:
    cells = record["cells"]
    shapes = [{int(key.split("/")[place]) for key in cells} for place in (2, 3, 4)]
    batch, steps, units = (", ".join(map(str, sorted(sizes))) for sizes in shapes)
    few = [_named(key) for key in cells if cells[key]["rounds"] < record["runs"]]
    fewer = f" (fewer in {'; '.join(few)})" if few else ""
    busy = [_named(key) for key in layer_report.disturbed(cells)]
    beside = f"\nMeasured beside other work: {'; '.join(busy)}." if busy else ""
    return (
        f"Speedup of `gru_zoo.GRU` over its peers on {record['cores']} cores "
        f"({record['cpu']}, TensorFlow {record['versions']['tensorflow']}, {record['date']}):\n"
        f"geometric mean over batch sizes {batch} x {steps} time steps x {units} units with "
        f"{record.get('features', _FEATURES)} input features, and "
        f"the worst case (batch, steps, units).\n"
        f"Medians over {record['runs']} rounds{fewer}; the layers take turns in one process, in a "
        "new order each round, each with one thread per core.\nThreads of ONNX Runtime and of "
        "OpenMP, which PyTorch uses, are set not to spin while they wait: all share the cores.\n"
        f"Keras' default is what `predict` and `fit` run on a CPU, without XLA; so is ours.{beside}"
    )


def _named(key: str) -> str:
    return f"{_shape(key)} {key.split('/')[1]}"


def _shape(key: str) -> str:
    return f"({', '.join(key.split('/')[2:])})"


def _found(cells: Cells, variant: str, mode: str, peer: str) -> dict[str, float]:
    """Return key -> our speedup over the peer."""
    chosen = layer_report.chosen(cells, variant, mode)
    every = {key: layer_report.ratios_of(cell) for key, cell in chosen.items()}
    return {key: ratios[peer] for key, ratios in every.items() if peer in ratios}


def _pair(found: dict[str, float]) -> tuple[str, str]:
    """Return the geometric mean and the worst case, as a table shows them."""
    if not found:
        return "", ""
    worst = min(found, key=found.get)
    return f"{timing.geometric_mean(found.values()):.2f}", f"{found[worst]:.2f} {_shape(worst)}"


def _peers(cells: Cells) -> str:
    rows = [
        (said, *(part for mode in MODES for part in _pair(_found(cells, "plain", mode, peer))))
        for peer, said in PEERS.items()
    ]
    heads = [f"{_pass(mode)}, {figure}" for mode in MODES for figure in FIGURES]
    return table(("peer", *heads), rows)


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
    peers = ("Keras' default", FASTER)
    heads = [f"vs {peer}, {figure}" for peer in peers for figure in FIGURES]
    steps = sorted({int(key.split("/")[3]) for key in cells if key.split("/")[0] in VARIANTS})
    said = f"Speedup of the variants over Keras, at {' and '.join(map(str, steps))} steps:"
    return f"{said}\n\n{table(('variant', 'pass', 'configurations', *heads), rows)}"


def _aims(record: dict[str, Any], epoch: dict[str, Any] | None) -> str:
    """Return the targets beside what was measured, met or not."""
    return aims_table(_at_least(record["cells"], epoch), _at_most(record))


def _speeds(record: dict[str, Any]) -> Targets:
    """Return the targets that records of all machines have: one epoch is measured by itself."""
    return _at_least(record["cells"], None), ()


def _at_least(cells: Cells, epoch: dict[str, Any] | None) -> Iterator[Aim]:
    """Yield each target of speed, the figure required, and the figure measured."""
    for mode, peer, required in MEANS:
        found = _found(cells, "plain", mode, peer)
        if found:
            mean = timing.geometric_mean(found.values())
            yield f"{_pass(mode)}, geometric mean speedup over {PEERS[peer]}", required, mean
    for mode, required in WORST.items():
        found = _found(cells, "plain", mode, BETTER)
        if found:
            said = f"{_pass(mode)}, worst-case speedup over {FASTER}"
            yield said, required, min(found.values())
    for mode in MODES:
        for key, cell in layer_report.chosen(cells, "plain", mode).items():
            if key.split("/")[2::2] == ["128", "256"]:
                said = f"{_pass(mode)} {_shape(key)}, fraction of matmul throughput"
                yield said, 0.7, cell["share_of_product_rate"]
    if epoch:
        said = "one epoch of `recipes.sentiment`, speedup over `keras.layers.GRU`"
        yield f"{said}, once compiled", 1.7, epoch["times_as_fast"]
        # Tracing, compiling and one batch of each length, which the first epoch has besides.
        whole = [epoch["seconds"][who] + s for who, s in epoch["first_batches_seconds"].items()]
        yield f"{said}, tracing and compiling included", 1.7, whole[1] / whole[0]


def _at_most(record: dict[str, Any]) -> Iterator[Aim]:
    """Yield the targets of memory and compilation, the figure required, and the figure measured."""
    memory = record["memory"]
    for key, peak in memory.items():
        peer, _, sizes = key.partition(":")
        keras = memory.get(f"keras:{sizes}")
        if peer == OURS and keras:
            said = f"peak memory of a training step {_sizes(sizes)}, relative to Keras"
            yield said, 1, peak / keras
    for mode in MODES:
        found = layer_report.first_calls(record["cells"], mode)
        if found:
            most = max(found, key=found.get)
            said = f"first call with compilation, {_pass(mode)}, relative to Keras with XLA"
            mean = timing.geometric_mean(found.values())
            yield f"{said}, geometric mean", 1.5, mean
            yield f"{said}, worst case {_shape(most)}", 1.5, found[most]


def _sizes(text: str) -> str:
    return f"({text.replace(':', ', ')})"


def _pass(mode: str) -> str:
    return "training step" if mode == "train" else mode


def _losses(cells: Cells) -> str:
    """Return the configurations in which a mode of Keras is faster than we may be slow."""
    lines = []
    for mode, least in WORST.items():
        found = _found(cells, "plain", mode, BETTER)
        below = sorted((ratio, key) for key, ratio in found.items() if ratio < least)
        named = ", ".join(f"{_shape(key)} {ratio:.2f}" for ratio, key in below) or "none"
        lines.append(
            f"- {_pass(mode)}, speedup below {least:g} over {FASTER}: {len(below)} of "
            f"{len(found)} configurations: {named}."
        )
    return "\n".join(lines)


def _costs(record: dict[str, Any]) -> str:
    growth = []
    for axis, name in ((2, "batch size (32 to 128)"), (3, "time steps")):
        found = layer_report.exponents(record["cells"], axis)
        if found:
            growth.append(f"with {name} to the power {min(found):.2f} to {max(found):.2f}")
    lines = [f"Training time scales {' and '.join(growth)}."] if growth else []
    peaks: dict[str, list[str]] = {}
    for key, peak in record["memory"].items():
        peer, _, sizes = key.partition(":")
        peaks.setdefault(sizes, []).append(f"{peer} {peak / 1e6:.0f} MB")
    for sizes, each in peaks.items():
        lines.append(f"Peak memory of a training step at {_sizes(sizes)}: {', '.join(each)}.")
    return "\n".join(lines)
