"""The table and the picture of `integer_streaming`'s results."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

# The drift is read between these: the first hundred steps fill the state.
EARLY, LATE = slice(100, 200), slice(-100, None)
COLOURS = {"int8_full": "#b3261e", "int16x8": "#00639b", "int4": "#8a8a8a"}
TITLES = {"last": "GRU state", "max": "maximum so far", "mean": "mean so far"}


def read(path: Path) -> dict[str, Any]:
    """Return a record that `integer_streaming` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def table(record: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    variants, steps = record["variants"], record["config"]["steps"]
    lines = [
        f"| | KB | accuracy, {record['reviews']:,} reviews | "
        f"accuracy, {record['streams']:,} streams of {steps:,} words | "
        "state error, steps 101-200 | the last 100 steps |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, found in variants.items():
        scores = []
        for part in ("reviews", "streams"):
            accuracy = found[part]["accuracy"]
            lost = accuracy - variants["float32"][part]["accuracy"]
            change = "" if name == "float32" else f" ({100 * lost:+.2f})"
            scores.append(f"{100 * accuracy:.2f} %{change}")
        state = ["-", "-"]
        if name != "float32":
            drift = found["drift"]["last"]
            state = [f"{statistics.fmean(drift[part]):.5f}" for part in (EARLY, LATE)]
        lines.append(" | ".join(["| " + name, f"{found['bytes'] / 1000:,.0f}", *scores, *state]))
        lines[-1] += " |"
    return "\n".join(lines)


def figure(record: dict[str, Any], path: Path) -> None:
    """Draw each state's error against the step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shape, axes = pyplot.subplots(1, len(TITLES), figsize=(10, 3.2), sharey=True)
    for axis, (part, title) in zip(axes, TITLES.items(), strict=True):
        for variant, colour in COLOURS.items():
            if variant not in record["variants"]:
                continue
            drift = np.array(record["variants"][variant]["drift"][part])
            label = "int4 (weights)" if variant == "int4" else variant
            axis.plot(np.arange(1, len(drift) + 1), drift, color=colour, label=label, lw=1)
        axis.axvline(400, color="#777777", lw=0.8, ls=":")
        axis.set(yscale="log", xlabel="step", title=title)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean |state - float32's state|")
    axes[0].legend()
    shape.suptitle(
        f"{record['long_reviews']} reviews of at least {record['config']['steps']:,} words; "
        "dotted: the length the model was trained on",
        fontsize=9,
    )
    shape.tight_layout()
    shape.savefig(path, dpi=130)
    pyplot.close(shape)
