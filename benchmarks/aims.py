"""A table of aims: what was wanted, what was measured, met or not."""

from __future__ import annotations

from collections.abc import Iterable

from gru_zoo.artifacts.card_text import table

# What is measured, the figure wanted, the figure found.
Aim = tuple[str, float, float]


def aims_table(at_least: Iterable[Aim], at_most: Iterable[Aim]) -> str:
    """Return a Markdown table of aims that a figure must reach, and of those it must not pass."""
    rows = []
    for found, most in ((at_least, False), (at_most, True)):
        for said, wanted, value in found:
            met = value <= wanted if most else value >= wanted
            limit = f"{'at most' if most else 'at least'} {wanted:g}"
            rows.append((said, limit, f"{value:.2f}", "yes" if met else "**no**"))
    return table(("aim", "wanted", "measured", "met"), rows)
