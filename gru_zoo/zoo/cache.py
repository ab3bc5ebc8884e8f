"""Files of artifacts, fetched once: resumable, checksummed, whole or absent.

    GRU_ZOO_URL     address of a folder laid out like `saved_models`: URL/NAME/PATH
    GRU_ZOO_CACHE   where fetched files are kept; ~/.cache/gru_zoo (XDG_CACHE_HOME) without it

A file that is being fetched is NAME.part; what an interrupted fetch has left is gone on with.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gru_zoo.files import atomic_write, sha256

ATTEMPTS = 3
SECONDS = 30.0
_PIECE = 1 << 18


def cache_folder() -> Path:
    """Return where fetched files are kept.

    Example:
        >>> cache_folder().is_absolute()
        True
    """
    chosen = os.environ.get("GRU_ZOO_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "gru_zoo"


def fetch_all(
    name: str, files: Mapping[str, Mapping[str, Any]], carried: Path | None = None
) -> Path:
    """Return a folder of the cache that holds these files of an artifact, fetching what it lacks.

    Args:
        name: of the artifact.
        files: path in the artifact -> {"sha256", "bytes"}.
        carried: a folder that has some of them, which are copied.

    Raises:
        ConnectionError: a file is not in the cache, and there is no address or it does not answer.
        ValueError: what came is not the file the card speaks of.
        OSError: the cache's folder cannot be written, or has no room.
    """
    folder = cache_folder() / name
    base = os.environ.get("GRU_ZOO_URL", "").rstrip("/")
    lacking = _without(folder, files)
    at_hand = {}
    if carried is not None:
        wanted, lacking = lacking, _without(carried, lacking)
        at_hand = {path: file for path, file in wanted.items() if path not in lacking}
    size = sum(file["bytes"] for file in lacking.values()) / 1e6
    ways = (
        f"Put a copy there, or set GRU_ZOO_URL to an address of the zoo's folder saved_models, "
        f"or GRU_ZOO_MODELS to a copy of it on this machine ({size:.1f} MB)."
    )
    if lacking and not base:
        first, *more = lacking
        more = f", and {len(more)} files more, are" if more else " is"
        raise ConnectionError(
            f"{name}: {first}{more} neither in the installed package nor in {folder}, and "
            f"GRU_ZOO_URL names no address to fetch it from. {ways}"
        )
    if lacking:
        _require_address("GRU_ZOO_URL", base)
    if carried is not None:
        _copy(carried, folder, at_hand)
    for path, file in lacking.items():
        target = folder / path
        url = f"{base}/{urllib.parse.quote(name)}/{urllib.parse.quote(path)}"
        _require_room(target.parent, file["bytes"])
        try:
            fetch(url, target, file["sha256"], file["bytes"])
        except OSError as error:
            raise ConnectionError(
                f"{name}: {path} is not in {folder}, and {url} cannot be fetched ({error}). {ways}"
            ) from error
    return folder


def _require_address(name: str, address: str) -> None:
    try:
        scheme = urllib.parse.urlsplit(address).scheme
    except ValueError:  # As of a bracket that is not closed.
        scheme = ""
    if scheme not in ("http", "https", "file"):
        raise ValueError(f"{name} must begin with https://, http:// or file://; got {address!r}.")


def _without(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the files that a folder lacks, or has in another version."""
    return {
        path: file
        for path, file in files.items()
        if not (folder / path).is_file() or sha256(folder / path) != file["sha256"]
    }


def _copy(carried: Path, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for path, file in files.items():
        _require_room((folder / path).parent, file["bytes"])
        with atomic_write(folder / path) as partial:
            shutil.copyfile(carried / path, partial)


def _require_room(folder: Path, size: int) -> None:
    """Raise OSError if `folder` cannot take so many bytes, before an address is blamed for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"GRU_ZOO_CACHE must be a folder that can be written; {folder} cannot be "
            f"({error.strerror or error})."
        ) from error
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"GRU_ZOO_CACHE must be a folder with room for {size:,} bytes; {folder} has {free:,}."
        )


def fetch(url: str, path: Path, digest: str, size: int) -> None:
    """Fetch one file; go on where an earlier attempt has stopped.

    Args:
        url: http, https or file address.
        path: where it goes, once it is whole and has been compared.
        digest: its SHA-256.
        size: its bytes.

    Raises:
        ValueError: another kind of address, or what came has another size or checksum.
        OSError: the address does not answer, not even at the last of three attempts.

    Example:
        >>> from gru_zoo.files import sha256
        >>> _ = Path("from.txt").write_text("abc")
        >>> address = Path("from.txt").absolute().as_uri()
        >>> fetch(address, Path("to.txt"), sha256("from.txt"), 3)
        >>> Path("to.txt").read_text()
        'abc'
    """
    _require_address("url", url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(path.name + ".lock")):
        if not path.is_file() or sha256(path) != digest:
            _fetch(url, path, digest, size)


def _fetch(url: str, path: Path, digest: str, size: int) -> None:
    part = path.with_name(path.name + ".part")
    left = part.exists()
    try:
        _fetch_part(url, part, digest, size)
    except (ValueError, urllib.error.HTTPError) as error:
        # What an earlier call has left may be of another version, or a hotspot's page.
        if not left or getattr(error, "code", 416) != 416:
            raise
        _fetch_part(url, part, digest, size)
    os.replace(part, path)


def _fetch_part(url: str, part: Path, digest: str, size: int) -> None:
    """Fetch what `part` lacks; it is gone if the whole is not the file that was asked for."""
    for attempt in range(ATTEMPTS):
        try:
            _append(url, part, size)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416:  # What was left is longer than what is there now.
                part.unlink()
            raise  # It has answered: the same question gets the same answer.
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS - 1:
                raise OSError(f"{type(error).__name__}: {error}") from error
    found = part.stat().st_size
    if found != size or sha256(part) != digest:
        part.unlink()
        raise ValueError(
            f"{url} must give {size:,} bytes with SHA-256 {digest}; what came has {found:,} bytes "
            "or another checksum, and was not kept."
        )


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time fetch a file; the next one finds it there."""
    try:
        import fcntl
    except ImportError:  # Windows has none: two that fetch at once refuse what they have mixed.
        yield
        return
    with open(lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _append(url: str, part: Path, size: int) -> None:
    """Fetch what `part` lacks of `size` bytes, or all of it where the server sends all."""
    have = part.stat().st_size if part.exists() else 0
    if have >= size:
        if have > size:
            part.unlink()
            have = 0
        elif size:
            return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        # Without 206 the answer is the whole file; `file:` knows no ranges either.
        goes_on = have and getattr(answer, "status", None) == 206
        with open(part, "ab" if goes_on else "wb") as file:
            while piece := answer.read(_PIECE):
                file.write(piece)
                if file.tell() > size:
                    return
    if part.stat().st_size < size:
        raise OSError(f"the connection ended after {part.stat().st_size:,} of {size:,} bytes")
