"""A figure of a reader's attention: which sentences each hop attended to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.files import atomic_write

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.babi import Question


def draw(
    questions: Sequence[Question], gates: Sequence[np.ndarray], answers: Sequence[str], path: Path
) -> None:
    """Write a PNG: one story below another, a column for each hop.

    Args:
        questions: with their stories.
        gates: `[hops, sentences]` for each.
        answers: the reader's predictions.
        path: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [len(question.story) + 2 for question in questions]
    figure = Figure(figsize=(6.4, 0.6 + 0.21 * sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(questions), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, question, hops, answer in zip(axes, questions, gates, answers, strict=True):
        axis.imshow(hops.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for sentence, hop in ((s, h) for s in range(hops.shape[1]) for h in range(len(hops))):
            share = hops[hop, sentence]
            colour = "white" if share > 0.5 else "#888888"
            axis.text(hop, sentence, f"{share:.2f}", ha="center", va="center", color=colour, size=6)
        marked = [
            f"{sentence} •" if place in question.supports else f"{sentence}  "
            for place, sentence in enumerate(question.story)
        ]
        axis.set_yticks(range(len(marked)), marked, size=7)
        axis.set_xticks(range(len(hops)), [f"hop {hop + 1}" for hop in range(len(hops))], size=7)
        axis.tick_params(length=0)
        title = f"qa{question.task}: {question.question} {answer} (answer: {question.answer})"
        axis.set_title(title, size=8, loc="left")
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=130)
