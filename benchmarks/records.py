"""What a benchmark has kept, read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Return what a benchmark has kept.

    Raises:
        ValueError: there is no such file, or it is no JSON object.
    """
    if not path.is_file():
        raise ValueError(f"results must be a file that a benchmark has written; {path} is none.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"results must be JSON; {path}: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"results must be a JSON object; {path} has a {type(record).__name__}.")
    return record
