"""The drawing of gates.heat_map; it touches no global state of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GREY = "#b8b8b8"  # masked steps; neither colour map has it
MOST_TOKENS = 90  # beyond it, labels would lie on one another


def draw(
    panels: Mapping[str, np.ndarray],
    *,
    rows: Sequence[int],
    first_step: int,
    tokens: Sequence[str] | None,
    z_means: str,
    title: str,
) -> Figure:
    """Return a figure with one heat map for each gate.

    Args:
        panels: "z", "r" or "c" -> [units, steps], NaN at masked steps.
        rows: the units' numbers.
        first_step: the number of the first step drawn.
        tokens: a label for each step drawn, or None.
        z_means: what z = 1 does.
        title: over the figure; "(grey: masked)" is added where a step is masked.

    Returns:
        The figure, with an Agg canvas.

    Example:
        >>> draw({"z": np.ones((2, 3))}, rows=[0, 1], first_step=0, tokens=None, z_means="",
        ...      title="gru").axes[0].get_ylabel()
        'unit'
    """
    names = {
        "z": f"update gate z  ({z_means})",
        "r": "reset gate r  (0 hides the old state from the candidate)",
        "c": "candidate c",
    }
    units, steps = next(iter(panels.values())).shape
    width = float(np.clip(2.5 + 0.16 * steps, 7, 20))
    height = float(np.clip(0.13 * units, 1.3, 3.2))
    figure = Figure(figsize=(width, 1.3 + len(panels) * (height + 0.45)), layout="constrained")
    FigureCanvasAgg(figure)
    masked = any(np.isnan(values).any() for values in panels.values())
    figure.suptitle(title + "  (grey: masked)" * masked, fontsize=12, parse_math=False)
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(all_axes, panels.items(), strict=True):
        diverging = name == "c"
        colours = matplotlib.colormaps["RdBu_r" if diverging else "viridis"].with_extremes(bad=GREY)
        # A candidate whose activation is not tanh may leave -1 .. 1.
        most = max(1.0, np.nanmax(np.abs(values))) if diverging else 1.0
        image = axes.imshow(
            values,
            aspect="auto",
            interpolation="nearest",
            cmap=colours,
            vmin=-most if diverging else 0.0,
            vmax=most,
        )
        axes.set_title(names[name], loc="left", fontsize=10)
        _label_units(axes, rows)
        bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.05)
        bar.set_ticks([-most, 0, most] if diverging else [0, 0.5, 1])
        bar.ax.tick_params(labelsize=8)
    _label_steps(all_axes[-1], steps, first_step, tokens)
    return figure


def _label_units(axes: Axes, rows: Sequence[int]) -> None:
    every = max(1, int(np.ceil(len(rows) / 12)))
    places = range(0, len(rows), every)
    axes.set_yticks(places, [str(rows[place]) for place in places], fontsize=8)
    axes.set_ylabel("unit", fontsize=9)


def _label_steps(axes: Axes, steps: int, first_step: int, tokens: Sequence[str] | None) -> None:
    if tokens is not None and steps <= MOST_TOKENS:
        axes.set_xticks(range(steps))
        # A token may hold a dollar sign, which is text here and no formula.
        axes.set_xticklabels(tokens, rotation=90, fontsize=8, parse_math=False)
        return
    every = max(1, int(np.ceil(steps / 20)))
    places = range(0, steps, every)
    axes.set_xticks(places, [str(first_step + place) for place in places], fontsize=8)
    axes.set_xlabel("step", fontsize=9)
