"""A raw file of a data set: one that somebody has put where it is looked for, or fetched there."""

from __future__ import annotations

from pathlib import Path

from gru_zoo.data import manual, network
from gru_zoo.files import atomic_write


def found_or_fetched(folder: str, name: str, address: str, checksum: str) -> tuple[Path, str]:
    """Return a raw file, and how it was had, for the data set's record.

    Args:
        folder: below `downloads/manual`, see `gru_zoo.data.manual.raw_file`.
        name: of the file.
        address: that it is fetched from, and put into that folder, where nobody has done so.
        checksum: SHA-256 of what is fetched; a file that is there is the caller's to check.

    Raises:
        FileNotFoundError: the file is nowhere to be had; the message names the ways.

    Example:
        >>> found_or_fetched("toy", "a.txt", "http://localhost:9/a.txt", "9f")
        Traceback (most recent call last):
        FileNotFoundError: a.txt is not there as a raw file, and http://localhost:9/a.txt gave ...
    """
    if (path := manual.raw_file(f"{folder}/{name}")) is not None:
        return path, "a raw file was found"
    place = manual.writable_data_dir() / "downloads/manual" / folder
    ways = f"Put it into {place}, or have a network."
    if not network.answers(address):
        raise FileNotFoundError(
            f"{name} is not there as a raw file, and {address} gave no answer within "
            f"{network.PATIENCE:g} seconds. {ways}"
        )
    import keras

    # Under its own name once it is whole: another process may be looking for it.
    with network.downloading(name, ways), atomic_write(place / name) as partial:
        keras.utils.get_file(
            name, address, cache_dir=partial.parent, cache_subdir="", file_hash=checksum
        )
    return place / name, "downloaded"
