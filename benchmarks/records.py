"""What a benchmark has kept, read again, and which code it is of."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
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


def code_of(paths: Iterable[Path]) -> str:
    """Return a fingerprint of what Python files do: other comments or docstrings leave it as it is.

    Returns:
        16 hexadecimal digits.
    """
    text = ""
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if ast.get_docstring(node) is not None:
                    node.body[0] = ast.Pass()
        text += ast.unparse(tree) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
