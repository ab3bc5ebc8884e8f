"""A figure of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.files import atomic_write

if TYPE_CHECKING:
    import numpy as np


def draw(confusion: np.ndarray, names: Sequence[str], path: Path, title: str) -> None:
    """Write a PNG: rows are true classes, in percent of the row, as colour and number.

    Args:
        confusion: `[true class, predicted class]`.
        names: of the classes.
        path: of the picture.
        title: over it.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    size = 1.8 + 0.42 * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    # The square root lets rare confusions be seen beside the diagonal.
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(share >= 0.005):
        value = share[row, column]
        colour = "white" if value > 0.4 else "black"
        axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, size=7)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
