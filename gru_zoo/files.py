"""Atomic writes of files and folders, JSON, sizes and checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What tells a folder that this project writes, a SavedModel or an artifact, from anyone's own.
MARKS = ("saved_model.pb", "card.json")


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike, *, marks: tuple[str, ...] = MARKS, overwrite: bool = True
) -> Iterator[Path]:
    """Yield a fresh path next to `path`; rename it to `path` when the block ends well.

    The caller creates a file or a folder at the yielded path, which keeps the suffix of `path`
    (writers such as Keras' look at it). If the block raises, whatever was written is removed and
    an older `path` stays as it was. Parent folders are made.

    Args:
        path: where the finished file or folder goes; an existing file is replaced by a file, an
            existing folder by a folder if it is empty or holds one of `marks`.
        marks: names of files that only a folder of the kind that is written holds.
        overwrite: whether an existing `path` is replaced, also one that appears meanwhile.

    Raises:
        FileExistsError: `path` exists when the block has ended, and is not to be replaced.
        IsADirectoryError: `path` is a folder that holds something else, or one that this process
            works in, or a file was written to replace a folder; the folder stays as it was.
        FileNotFoundError: the block ended without creating anything at the yielded path.

    Example:
        >>> with atomic_write("numbers.txt") as partial:
        ...     _ = partial.write_text("1 2 3")
    """
    path = Path(path)
    if path.name in ("", "..") or path.is_dir():  # "..", or a link: the folder itself is replaced.
        path = path.resolve()
    _require_replaceable(path, marks)
    path.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    partial = workshop / path.name
    try:
        yield partial
        if not partial.exists():
            raise FileNotFoundError(f"nothing was written at {partial} to become {path}.")
        if not overwrite:
            _move_to_new(partial, path)
            return
        if path.is_dir():
            if not partial.is_dir():
                raise _folder_stays(path, "a file, or new; it is a folder")
            _require_replaceable(path, marks)  # Writing takes time: it may have been filled.
            # A folder cannot be renamed onto a full one: step the old aside first.
            path.rename(workshop / "old")
        os.replace(partial, path)
    except BaseException:
        if (workshop / "old").exists() and not path.exists():
            (workshop / "old").rename(path)
        raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _move_to_new(partial: Path, path: Path) -> None:
    """Rename a file or folder; raise FileExistsError if there is something, which stays.

    Of two writers of one path the second fails, however close together they are.
    """
    message = f"path must be new; {os.fspath(path)!r} was written meanwhile."
    if os.path.lexists(path):
        raise FileExistsError(message)
    if partial.is_dir():
        try:
            partial.rename(path)  # The system itself refuses a folder that holds something.
        except OSError as error:
            if os.path.lexists(path):
                raise FileExistsError(message) from error
            raise
        return
    try:
        try:
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, such as FAT
            path.touch(exist_ok=False)
            os.replace(partial, path)
    except FileExistsError as error:
        raise FileExistsError(message) from error


def _require_replaceable(path: Path, marks: tuple[str, ...]) -> None:
    """Raise IsADirectoryError if `path` is a folder that is not ours to replace."""
    if not path.is_dir():
        return
    here = Path.cwd()
    if path == here or path in here.parents:
        raise _folder_stays(path, "no folder that this process works in")
    inside = sorted(os.listdir(path))
    if inside and not set(marks) & set(inside):
        allowed = f"new, an empty folder, or one that holds {' or '.join(marks)}"
        raise _folder_stays(path, f"{allowed}; it is a folder with {inside[0]!r}")


def _folder_stays(path: Path, must: str) -> IsADirectoryError:
    return IsADirectoryError(errno.EISDIR, f"path must be {must}, which stays as it is", str(path))


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON with a closing newline, whole or not at all.

    UTF-8, but for the bytes of a path that are not: Python's stand-ins for them are written as
    JSON's escapes, from which they are read again.

    Example:
        >>> write_json("card.json", {"accuracy": 0.9})
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def size_of(path: str | os.PathLike) -> int:
    """Return the bytes of a file, or of all files in a folder.

    Example:
        >>> _ = Path("three").write_bytes(b"abc")
        >>> size_of("three")
        3
    """
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits.

    Example:
        >>> _ = Path("empty").write_bytes(b"")
        >>> sha256("empty")[:8]
        'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
