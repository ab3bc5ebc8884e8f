"""Markdown tables, and the sections of a file that a command writes anew between two marks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gru_zoo.files import atomic_write


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are shortened, a bar inside a cell is escaped.

    Example:
        >>> print(table(["a", "b"], [["x|y", 1234], ["z", 0.25]]))
        | a | b |
        |---|---|
        | x\\|y | 1,234 |
        | z | 0.25 |
    """
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    head, rule, *body = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, rule.replace(" ", ""), *body])


def replace_section(text: str, made: str, begin: str, end: str) -> str:
    """Return a text with what is between two marks replaced by `made`.

    Raises:
        ValueError: a mark is missing.

    Example:
        >>> replace_section("a <!-- b --> old <!-- e --> z", "new", "<!-- b -->", "<!-- e -->")
        'a <!-- b -->\\n\\nnew\\n\\n<!-- e --> z'
    """
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the file must have the lines {begin} and {end}; one is missing.")
    return f"{head}{begin}\n\n{made}\n\n{end}{tail}"


def write_section(path: str | os.PathLike, made: str, begin: str, end: str) -> None:
    """Replace what is between two marks of a file by `made`, whole or not at all.

    Raises:
        ValueError: a mark is missing.
    """
    text = replace_section(Path(path).read_text(encoding="utf-8"), made, begin, end)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
