"""Where prepared data and raw files are looked for, and where prepared data may be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

HOME = "~/tensorflow_datasets"

Builder = TypeVar("Builder", bound="tfds.core.DatasetBuilder")


def remote(folder: str) -> bool:
    """Return whether a folder is an address, such as that of a bucket, and no path.

    Example:
        >>> remote("gs://bucket/data"), remote("~/data")
        (True, False)
    """
    return "://" in folder


def data_dirs() -> list[Any]:
    """Return the folders where prepared data may lie: TFDS_DATA_DIR, then ~/tensorflow_datasets.

    They are paths, of `pathlib`, or of TFDS where TFDS_DATA_DIR is an address.

    Example:
        >>> data_dirs()[-1].name
        'tensorflow_datasets'
    """
    home, given = Path(HOME).expanduser(), os.environ.get("TFDS_DATA_DIR")
    if not given:
        return [home]
    if not remote(given):
        return list(dict.fromkeys((Path(given).expanduser(), home)))
    import tensorflow_datasets as tfds

    return [tfds.core.Path(given), home]  # pathlib would make "gs:/bucket" of "gs://bucket".


def looked_in() -> str:
    """Return `data_dirs()` as words for a message.

    Example:
        >>> looked_in().endswith("tensorflow_datasets")
        True
    """
    return " or ".join(map(str, data_dirs()))


def _local_dir() -> Path:
    """Return TFDS_DATA_DIR where that is a path, else ~/tensorflow_datasets."""
    given = os.environ.get("TFDS_DATA_DIR")
    return Path(given if given and not remote(given) else HOME).expanduser()


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
    given = _local_dir()
    folders = given / "downloads/manual", home / "downloads/manual", given.parent / "manual"
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def writable_data_dir() -> Path:
    """Return TFDS_DATA_DIR if it may be written or made, else ~/tensorflow_datasets.

    A folder whose permissions let nobody write is left alone, by the superuser too; and so is one
    that is an address.

    Example:
        >>> writable_data_dir().is_absolute()
        True
    """
    home = Path(HOME).expanduser()
    given = _local_dir().absolute()
    place = next(folder for folder in (given, *given.parents) if folder.exists())
    free = place.stat().st_mode & 0o222 and os.access(place, os.W_OK)
    return given if free else home


def prepared_builder(make: Callable[[Any], Builder]) -> Builder:
    """Return a TFDS builder: of the first of `data_dirs()` that is prepared, else to be prepared.

    Args:
        make: makes the builder for a data folder.

    Example:
        >>> from gru_zoo.data.babi_builder import Babi
        >>> prepared_builder(lambda folder: Babi(data_dir=folder)).name
        'babi'
    """
    for folder in data_dirs():
        builder = make(folder)
        if builder.is_prepared():
            return builder
    return make(writable_data_dir())
