"""The learning curves of the presets, drawn from their cards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.files import atomic_write

_ACROSS = 3


def draw(cards: Iterable[Card], path: Path) -> list[str]:
    """Draw the metric on validation data after each epoch, a panel per preset, a line per seed.

    Args:
        cards: of presets; one whose scores hold no curve of two points gets no panel.
        path: of the PNG file.

    Returns:
        The names of the presets that have a panel.

    Raises:
        ValueError: no card has a curve.

    Example:
        >>> draw([], Path("curves.png"))
        Traceback (most recent call last):
        ValueError: cards must hold a curve at least; none of 0 does.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    given = list(cards)
    drawn = [card for card in given if any(len(score.curve) > 1 for score in card.scores)]
    if not drawn:
        raise ValueError(f"cards must hold a curve at least; none of {len(given)} does.")
    across = min(_ACROSS, len(drawn))
    down = -(-len(drawn) // across)
    figure = Figure(figsize=(4.2 * across, 3.2 * down), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False).flatten()
    for axis, card in zip(axes, drawn, strict=False):
        metric = METRICS[card.metric]
        scale = 100 if metric.percent else 1
        for score in card.scores:
            epochs = range(1, len(score.curve) + 1)
            values = [scale * value for value in score.curve]
            axis.plot(epochs, values, marker="o", markersize=3, label=f"seed {score.seed}")
        axis.set_title(card.name, fontsize=9)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set(xlabel="validations", ylabel=f"{metric.title}{', %' if metric.percent else ''}")
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(drawn) :]:
        axis.set_visible(False)
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    return [card.name for card in drawn]
