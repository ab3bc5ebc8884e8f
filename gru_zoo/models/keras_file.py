"""Any model of this package from its `.keras` file."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import keras


def load_keras_file(path: str | os.PathLike) -> keras.Model:
    """Read a model from its `.keras` file, with Keras' safe mode on, not compiled.

    Raises:
        ValueError: the file is missing, corrupt or cut short.

    Example:
        >>> load_keras_file("missing.keras")
        Traceback (most recent call last):
        ValueError: path must be a .keras file; missing.keras does not exist.
    """
    if not Path(path).is_file():
        raise ValueError(f"path must be a .keras file; {path} does not exist.")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, ValueError) as error:
        # Keras says "file not found" of a file that is there but no longer a zip archive.
        raise ValueError(f"path must be a whole .keras file; {path} is corrupt: {error}") from error
