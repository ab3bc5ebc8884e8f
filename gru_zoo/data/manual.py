"""Where raw files lie that were put there by hand, and where prepared data may be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

HOME = "~/tensorflow_datasets"

Builder = TypeVar("Builder", bound="tfds.core.DatasetBuilder")


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

    A folder whose permissions let nobody write is left alone, by the superuser too.

    Example:
        >>> writable_data_dir().is_absolute()
        True
    """
    home = Path(HOME).expanduser()
    given = Path(os.environ.get("TFDS_DATA_DIR") or home).expanduser().absolute()
    place = next(folder for folder in (given, *given.parents) if folder.exists())
    free = place.stat().st_mode & 0o222 and os.access(place, os.W_OK)
    return given if free else home


def prepared_builder(make: Callable[[Path], Builder]) -> Builder:
    """Return a TFDS builder of ours: a prepared one if there is one, else one that may prepare.

    Args:
        make: makes the builder for a data folder.

    Example:
        >>> from gru_zoo.data.babi_builder import Babi
        >>> prepared_builder(lambda folder: Babi(data_dir=folder)).name
        'babi'
    """
    given = os.environ.get("TFDS_DATA_DIR")
    builders = [make(Path(given).expanduser())] if given else []
    builders.append(make(writable_data_dir()))
    return next((b for b in builders if b.is_prepared()), builders[-1])
