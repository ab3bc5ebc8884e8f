"""Where raw files lie that were put there by hand, and where prepared data may be written."""

from __future__ import annotations

import os
from pathlib import Path

HOME = "~/tensorflow_datasets"


def raw_file(name: str) -> Path | None:
    """Return a raw file that somebody has put where builders look for it, or None.

    Looked at in this order: TFDS' own folder for such files, `downloads/manual` in TFDS_DATA_DIR
    and in ~/tensorflow_datasets, and a folder `manual` beside TFDS_DATA_DIR.

    Args:
        name: path below such a folder, "babi/tasks_1-20_v1-2.tar.gz".

    Example:
        >>> raw_file("no/such/file.txt") is None
        True
    """
    home = Path(HOME).expanduser()
    given = Path(os.environ.get("TFDS_DATA_DIR") or home).expanduser()
    folders = given / "downloads/manual", home / "downloads/manual", given.parent / "manual"
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def writable_data_dir() -> Path:
    """Return TFDS_DATA_DIR if it may be written or made, else ~/tensorflow_datasets.

    Example:
        >>> writable_data_dir().is_absolute()
        True
    """
    home = Path(HOME).expanduser()
    given = Path(os.environ.get("TFDS_DATA_DIR") or home).expanduser().absolute()
    place = next(folder for folder in (given, *given.parents) if folder.exists())
    return given if os.access(place, os.W_OK) else home
