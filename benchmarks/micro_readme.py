"""The README's table of steps on a microcontroller's runtime, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gru_zoo import markdown

BEGIN = "<!-- microcontroller: made by `python -m benchmarks.microcontroller --write` -->"
END = "<!-- end of microcontroller -->"
_COLUMNS = (
    "step",
    "variant",
    "file size",
    "smallest arena",
    "max. output error vs LiteRT, single step",
)


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the records as Markdown."""
    rows = []
    for record in records:
        if "reason" in record:
            found = f"does not run: {record['reason']}", "", ""
        else:
            states = "same_states", "own_states"
            off = (f"{off_litert(record, which):.1e}" for which in states)
            found = f"{record['arena_bytes']:,} bytes", *off
        size = f"{record['file_bytes'] / 1e3:,.0f} KB"
        rows.append((record["model"], record["variant"], size, *found))
    steps = max((record["steps"] for record in records if "steps" in record), default=0)
    return markdown.table((*_COLUMNS, f"{steps}-step stream"), rows)


def off_litert(record: dict[str, Any], states: str) -> float:
    """Return the max. abs. difference between TFLM's and LiteRT's outputs, states not counted.

    Args:
        record: of a step that ran.
        states: "same_states", one step at a time, or "own_states", each going on from its own.
    """
    found = record["from_litert"][states]
    return max(value for name, value in found.items() if not name.startswith("state_"))
