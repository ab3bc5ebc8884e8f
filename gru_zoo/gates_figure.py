"""The drawing of gates.heat_map; it touches no global state of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gru_zoo.arguments import finite, listed, one_of, place

if TYPE_CHECKING:
    from gru_zoo.gates import Gates

GREY = "#b8b8b8"  # masked steps; neither colour map has it
MOST_TOKENS = 90  # beyond it, labels would lie on one another


def picture(
    gates: Gates,
    *,
    z_means: str,
    example: int,
    tokens: Sequence[str] | None,
    show: Sequence[str],
    units: Sequence[int] | None,
    title: str,
) -> Figure:
    """Return the figure of one sequence's gates; arguments as of `gates.heat_map` and `draw`.

    Raises:
        ValueError: a wrong example, tokens, show or units, every step masked, or NaN.

    Example:
        >>> from gru_zoo.gates import layer_gates
        >>> from gru_zoo.layers.gru import GRU
        >>> layer = GRU(7)
        >>> layer.build((None, None, 4))
        >>> gates = layer_gates(layer, np.ones((1, 3, 4), "float32"))
        >>> options = {"z_means": "", "example": 0, "tokens": None, "units": None, "title": "gru"}
        >>> len(picture(gates, show="zr", **options).axes)  # with the bars of their colours
        4
    """
    batch, time, size = gates.z.shape
    place("example", example, batch)
    tokens = None if tokens is None else listed("tokens", tokens)
    if tokens is not None and len(tokens) != time:
        raise ValueError(f"tokens must have one label for each of {time} steps; got {len(tokens)}.")
    show = listed("show", show)
    if not show:
        raise ValueError("show must name one of 'z', 'r', 'c' at least; got none.")
    for name in show:
        one_of("show", name, ["z", "r", "c"])
    units = listed("units", range(size) if units is None else units)
    rows = [place("units", unit, size) for unit in units]
    if not rows:
        raise ValueError(f"units must name one of 0 to {size - 1} at least; got none.")
    steps = np.flatnonzero(gates.mask[example])
    if not steps.size:
        raise ValueError(f"example must have a step that is not masked; got {example}, all masked.")
    for name in show:
        finite("gates of steps that are not masked", getattr(gates, name)[example, steps])
    inside = slice(steps[0], steps[-1] + 1)
    return draw(
        {name: getattr(gates, name)[example, inside][:, rows].T for name in show},
        rows=rows,
        first_step=int(steps[0]),
        tokens=None if tokens is None else [str(token) for token in tokens[inside]],
        z_means=z_means,
        title=title,
    )


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
    if masked:
        title += "  (grey: masked)"
    figure.suptitle(title, fontsize=12, parse_math=False)
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(all_axes, panels.items(), strict=True):
        diverging = name == "c"
        colours = matplotlib.colormaps["RdBu_r" if diverging else "viridis"].with_extremes(bad=GREY)
        # A candidate whose activation is not tanh may leave -1 .. 1.
        limit = max(1.0, np.nanmax(np.abs(values))) if diverging else 1.0
        image = axes.imshow(
            values,
            aspect="auto",
            interpolation="nearest",
            cmap=colours,
            vmin=-limit if diverging else 0.0,
            vmax=limit,
        )
        axes.set_title(names[name], loc="left", fontsize=10)
        _label_units(axes, rows)
        bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.05)
        bar.set_ticks([-limit, 0, limit] if diverging else [0, 0.5, 1])
        bar.ax.tick_params(labelsize=8)
    _label_steps(all_axes[-1], steps, first_step, tokens)
    return figure


def _label_units(axes: Axes, rows: Sequence[int]) -> None:
    """Number at most 12 of the rows."""
    every = max(1, int(np.ceil(len(rows) / 12)))
    places = range(0, len(rows), every)
    axes.set_yticks(places, [str(rows[place]) for place in places], fontsize=8)
    axes.set_ylabel("unit", fontsize=9)


def _label_steps(axes: Axes, steps: int, first_step: int, tokens: Sequence[str] | None) -> None:
    """Write every token, or where there are none or too many, number at most 20 of the steps."""
    if tokens is not None and steps <= MOST_TOKENS:
        axes.set_xticks(range(steps))
        # A token may hold a dollar sign, which is text here and no formula.
        axes.set_xticklabels(tokens, rotation=90, fontsize=8, parse_math=False)
        return
    every = max(1, int(np.ceil(steps / 20)))
    places = range(0, steps, every)
    axes.set_xticks(places, [str(first_step + place) for place in places], fontsize=8)
    axes.set_xlabel("step", fontsize=9)
