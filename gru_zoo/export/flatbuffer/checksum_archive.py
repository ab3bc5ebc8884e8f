"""A TFLite file's own checksum, in the archive behind its content that devices do not read."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

CHECKSUM_FILE = "sha256.txt"


def sealed(content: bytes, attached: Mapping[str, bytes] | None = None) -> bytes:
    """Return a TFLite file with its checksum behind it, and what else a reader needs.

    Args:
        content: bytes of a `.tflite` file.
        attached: name -> content of more files in the archive, compressed.

    Example:
        >>> sealed(b"content")[:7]
        b'content'
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as files:
        # ZipInfo's date is fixed in 1980: the same model gives the same bytes.
        files.writestr(zipfile.ZipInfo(CHECKSUM_FILE), hashlib.sha256(content).hexdigest())
        for name, more in (attached or {}).items():
            files.writestr(zipfile.ZipInfo(name), more, zipfile.ZIP_DEFLATED)
    return content + archive.getvalue()


def attachment(path: str | os.PathLike, name: str) -> bytes:
    """Return a file of those attached, after the checks of `unsealed`.

    Raises:
        ValueError: the file is not as it was written, or has no such attachment.

    Example:
        >>> _ = Path("more.tflite").write_bytes(sealed(b"content", {"words.txt": b"a"}))
        >>> attachment("more.tflite", "words.txt")
        b'a'
    """
    unsealed(path)
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            raise ValueError(f"path must be a file with {name} attached; {path} has none.")
        return archive.read(name)


def unsealed(path: str | os.PathLike) -> bytes:
    """Return the content of a file that is as it was written.

    Raises:
        ValueError: the file is cut short, changed, or was not written by `export.tflite`.

    Example:
        >>> _ = Path("cut.tflite").write_bytes(sealed(b"content")[:-3])
        >>> unsealed("cut.tflite")
        Traceback (most recent call last):
        ValueError: path must be a whole TFLite file; cut.tflite is cut short, ...
    """
    data = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min(file.header_offset for file in archive.infolist())
            checksum = archive.read(CHECKSUM_FILE).decode()
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise ValueError(
            f"path must be a whole TFLite file; {path} is cut short, changed or without its "
            f"checksum: {error}"
        ) from error
    if damaged or hashlib.sha256(data[:start]).hexdigest() != checksum:
        raise ValueError(f"path must be unchanged since it was written; {path} has other bytes.")
    return data[:start]
