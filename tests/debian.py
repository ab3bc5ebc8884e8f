"""Debian's packages of another architecture or release, unpacked and not installed.

apt gets a state of its own, so that neither the system's packages nor its lists change.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path


def download(state: Path, names: Iterable[str], architecture: str, release: str = "") -> list[Path]:
    """Return packages with all they need, as if nothing were installed.

    Args:
        state: folder of apt's state; downloads lie there too.
        names: packages.
        architecture: such as `arm64`.
        release: code name, such as `trixie`, from the mirror of the system's own; "" for this one.

    Raises:
        subprocess.CalledProcessError: apt failed; it says why.
    """
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Sandbox::User": "root",
        "Dir::State": state / "state",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",  # Empty, as if nothing were installed.
        "Dir::Cache": state / "cache",
    }
    for place in ("state", "lists/partial", "cache/archives/partial"):
        (state / place).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    if release:
        (state / "sources.list").write_text(f"deb {_mirror()} {release} main\n")
        options |= {
            "Dir::Etc::sourcelist": state / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
        }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True)
    command = [*apt, "install", "--yes", "--download-only", "--no-install-recommends", *names]
    subprocess.run(command, check=True)
    return sorted((state / "cache" / "archives").glob("*.deb"))


def unpack(packages: Iterable[Path], folder: Path) -> None:
    """Unpack packages into one folder, on top of each other."""
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


def own() -> str:
    """Return the system's own architecture."""
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _mirror() -> str:
    """Return where the system has Debian's own packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    wanted = ["Created-By: Packages", "Label: Debian", "Component: main"]
    said = subprocess.run([*command, *wanted], check=True, capture_output=True, text=True).stdout
    if not said:
        raise FileNotFoundError("apt's sources must have Debian's main packages; they have none.")
    return said.splitlines()[0]
