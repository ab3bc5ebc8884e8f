"""LiteRT's interpreter for a file, or an error that names the file."""

from __future__ import annotations

import os
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from gru_zoo.arguments import pathlike


def interpreter(path: str | os.PathLike, threads: int = 1) -> Interpreter:
    """Return the interpreter of a `.tflite` file, tensors not yet allocated.

    Args:
        path: of the file.
        threads: that an operator may use.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no TFLite file, or cut short.

    Example:
        >>> interpreter("missing.tflite")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """
    file = pathlike("path", path)
    if not Path(file).is_file():
        raise FileNotFoundError(f"path must be a .tflite file; there is none at {file}.")
    try:
        return Interpreter(model_path=file, num_threads=threads)
    except ValueError as error:
        raise ValueError(f"path must be a .tflite file; {file}: {error}") from error
