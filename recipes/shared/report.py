"""The table at the end of a recipe."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from gru_zoo.artifacts.scores import METRICS
from gru_zoo.training.runs import RunFolder


def print_run(task: str, run: RunFolder, exports: list[dict[str, Any]]) -> None:
    """Print one table: the trained model, then each exported file.

    Args:
        task: for the title.
        run: a finished run.
        exports: records of a card's files.
    """
    metrics = run.metrics()
    name = metrics["metric"]["name"]
    metric = METRICS[name]
    table = Table(title=f"{task}: {metrics['scored_on']}", title_justify="left")
    for heading in ("what", "size", metric.title, "largest difference", "one input"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    size = f"{metrics['parameters']:,} parameters"
    table.add_row("Keras model", size, metric.show(metrics["metric"]["value"]), "", "")
    for export in exports:
        table.add_row(
            export["file"],
            f"{export['bytes'] / 1e3:,.0f} KB",
            metric.show(export["metric"]),
            f"{export['largest_difference']:.1e}",
            "" if export["latency_ms"] is None else f"{export['latency_ms']:.2f} ms",
        )
    table.caption = (
        f"{metrics['seconds_per_epoch']:.1f} s an epoch, {metrics['epochs']} epochs; "
        f"validation {metric.show(metrics[f'validation_{name}'])}; files in {run.path}"
    )
    Console(width=None if sys.stdout.isatty() else 110).print(table)
