"""A user's table: a CSV file, read row by row, with the line of what is wrong."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gru_zoo.arguments import near_name
from recipes.shared.lines import read_lines

LARGEST = float(np.finfo(np.float32).max)


def rows(
    flag: str, path: Path, columns: Sequence[tuple[str, str]]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line where each row begins, and its values in some columns.

    Args:
        flag: that named the file, for the error's message.
        path: UTF-8, values parted by commas, the first row naming the columns; others than the
            wanted ones are ignored, and so are empty lines.
        columns: name of each wanted column, and the flag that names it, "" if none does.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing or there twice, a row has more or fewer values than the
            first one, or the file is no such table; the message names file and line.

    Example:
        >>> _ = Path("rows.csv").write_text("a,b,c\\n1,2,3\\n")
        >>> list(rows("csv", Path("rows.csv"), [("c", ""), ("a", "")]))
        [(2, ('3', '1'))]
    """
    if not path.is_file():
        raise FileNotFoundError(f"{flag} must be a file; {path} does not exist.")
    # Decoded line by line, so that a bad byte's line is known.
    lines = "".join(f"{line}\n" for line in read_lines(path, strict=True))
    table = csv.reader(io.StringIO(lines, newline=""), strict=True)
    line, usual = 1, csv.field_size_limit(2**31 - 1)  # A text may be longer than Python's limit.
    try:
        header = next(table, [])
        for name, other in columns:
            if header.count(name) != 1:
                names = f" (--{other} names another)" if other else ""
                raise ValueError(
                    f"{path}, line 1: must have one column {name!r}{names}; it has "
                    f"{', '.join(map(repr, header)) or 'none'}.{near_name(name, header)}"
                )
        places = [header.index(name) for name, _ in columns]
        line = table.line_num + 1  # where the next row begins: a row may have several lines
        for row in table:
            if row and len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: must have {len(header)} values, one per column; "
                    f"got {len(row)}."
                )
            if row:
                yield line, tuple(row[place] for place in places)
            line = table.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {line}: must be comma-separated values: {error}."
        ) from error
    finally:
        csv.field_size_limit(usual)


def finite(path: Path, line: int, column: str, value: str) -> float:
    """Return a value as a number.

    Raises:
        ValueError: it is none, or beyond what float32 holds; the message names file, line and
            column.

    Example:
        >>> finite(Path("rows.csv"), 2, "a", "1e-3")
        0.001
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST:
        raise ValueError(
            f"{path}, line {line}: {column} must be a number of at most {LARGEST:.1e}; "
            f"got {value!r}."
        )
    return number
