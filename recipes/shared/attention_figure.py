"""A figure of attention: which source subwords each target subword attended to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.files import atomic_write

if TYPE_CHECKING:
    from gru_zoo.models.seq2seq import Seq2Seq


def draw(model: Seq2Seq, text: str, ids: list[int], path: Path) -> None:
    """Write a PNG: target subwords from top to bottom, source subwords from left to right.

    Args:
        model: the translator.
        text: the source.
        ids: subwords of the translation, without <s> and </s>.
        path: of the PNG.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from gru_zoo.text.subwords import END, START, padded

    source = [*model.subwords.encode([text])[0], END]
    weights = np.asarray(model.weights_of(padded([source]), padded([[START, *ids]])))[0]
    figure = Figure(figsize=(1.5 + 0.32 * len(source), 1.5 + 0.26 * len(weights)))
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(source)), model.subwords.pieces(source), rotation=90)
    axis.set_yticks(range(len(weights)), model.subwords.pieces([*ids, END]))
    axis.tick_params(length=0)
    figure.tight_layout()
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120)
