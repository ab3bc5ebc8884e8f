"""A Swift compiler, Debian's, kept in a cache folder.

    python -m tests.swift --set-up        needs apt, dpkg-deb, unshare, and 3 GB

Debian has Swift since release 13. Its packages are unpacked below the folder `GRU_ZOO_SWIFT`, by
default the user's cache, and run with that folder as their root; nothing is installed.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from gru_zoo.files import atomic_write
from tests import debian

_RELEASE = "trixie"
_PACKAGES = ("swiftlang", "libc6-dev", "libstdc++-14-dev")
_SWIFT = "/usr/libexec/swift"
_VARIABLES = {
    "PATH": f"{_SWIFT}/bin:/usr/bin:/bin",
    "LD_LIBRARY_PATH": f"{_SWIFT}/lib/swift/linux",
    "HOME": "/tmp",  # Of the caches.
}


def folder() -> Path:
    """Return where the compiler is, or will be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GRU_ZOO_SWIFT") or Path(cache) / "gru_zoo" / "swift")


def why_not() -> str | None:
    """Return why nothing can be compiled, or None if it can."""
    if not (folder() / "version").is_file():
        return f"nothing in {folder()}: python -m tests.swift --set-up"
    return None


def set_up() -> None:
    """Download and unpack the compiler, and see that it runs.

    Raises:
        subprocess.CalledProcessError: apt, dpkg-deb or the compiler failed; they say why.
    """
    with atomic_write(folder(), marks=("version",)) as root:
        root.mkdir()
        state = root.parent / "apt"
        debian.unpack(debian.download(state, _PACKAGES, debian.own(), _RELEASE), root)
        for place in ("bin", "lib", "lib64"):
            if not (root / place).exists():
                (root / place).symlink_to(f"usr/{place}")
        for place in ("proc", "tmp", "dev"):
            (root / place).mkdir(exist_ok=True)
        with start(root, "swiftc", "--version", stdout=subprocess.PIPE, text=True) as compiler:
            said, _ = compiler.communicate()
        if compiler.returncode:
            raise subprocess.CalledProcessError(compiler.returncode, compiler.args)
        (root / "version").write_text(said)


def start(root: Path, *command: str, place: str = "/", **how: Any) -> subprocess.Popen:
    """Start a command with a folder as its root, and /proc in it.

    Args:
        root: the folder.
        command: a program there, and its arguments.
        place: where it works, seen from the root.
        how: as for `subprocess.Popen`.
    """
    # Another root needs a mount namespace; who is not root on the machine becomes it there.
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    spaces = ["unshare", *user, "--mount", "--pid", "--fork", "--mount-proc"]
    there = [f"--root={root}", f"--wd={place}"]
    return subprocess.Popen([*spaces, *there, *command], env=_VARIABLES, **how)
