"""The table at the end of a recipe."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.latency import latency
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.training.runs import RunFolder


def print_run(task: str, run: RunFolder, card: Card | None = None) -> None:
    """Print one table: the trained model, then each exported file.

    Args:
        task: for the title.
        run: a finished run.
        card: of its artifact, if it has one.
    """
    metrics = run.metrics()
    name = metrics["metric"]["name"]
    metric = METRICS[name]
    table = Table(title=f"{task}: {metrics['scored_on']}", title_justify="left")
    for heading in ("what", "size", metric.title, "max. abs. difference", "latency"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    size = f"{metrics['parameters']:,} parameters"
    table.add_row("Keras model", size, metric.show(metrics["metric"]["value"]), "", "")
    for export in card.exports if card else ():
        table.add_row(
            export["file"],
            f"{export['bytes'] / 1e3:,.0f} KB",
            metric.show(export["metric"]),
            f"{export['largest_difference']:.1e}",
            latency(export, card.task),
        )
    table.caption = (
        f"{metrics['seconds_per_epoch']:.1f} s per epoch, {metrics['epochs']} epochs; "
        f"validation {metric.show(metrics[f'validation_{name}'])}; files in {run.path}"
    )
    Console(width=None if sys.stdout.isatty() else 110).print(table)
