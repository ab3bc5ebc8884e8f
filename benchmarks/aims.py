"""A table of targets: what was required, what was measured, met or not."""

from __future__ import annotations

from collections.abc import Iterable

from gru_zoo.artifacts.card_text import table

# What is measured, the figure required, the figure found.
Aim = tuple[str, float, float]


def aims_table(at_least: Iterable[Aim], at_most: Iterable[Aim]) -> str:
    """Return a Markdown table of targets: figures to be reached, then figures not to be passed."""
    rows = []
    for found, most in ((at_least, False), (at_most, True)):
        for said, required, value in found:
            met = value <= required if most else value >= required
            limit = f"{'at most' if most else 'at least'} {required:g}"
            rows.append((said, limit, f"{value:.2f}", "yes" if met else "**no**"))
    return table(("target", "required", "measured", "met"), rows)
