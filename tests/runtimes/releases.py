"""Older releases of the TFLite runtime, each in a virtual environment of its own.

    python -m tests.runtimes --set-up        needs venv, pip and its index

They are kept below the folder `GRU_ZOO_RUNTIMES`, by default in the user's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from gru_zoo.files import atomic_write

WORKER = Path(__file__).parents[1] / "arm" / "worker.py"
# TensorFlow's own packages bring the runtime of exactly their version, and take a gigabyte each.
SMALL = {
    "TFLite 2.14.0": "tflite-runtime==2.14.0",
    "LiteRT 1.0.1": "ai-edge-litert==1.0.1",
    "LiteRT 1.4.0": "ai-edge-litert==1.4.0",
    "LiteRT 2.1.0": "ai-edge-litert==2.1.0",
}
LARGE = {
    "TensorFlow 2.16.2": "tensorflow-cpu==2.16.2",
    "TensorFlow 2.17.1": "tensorflow-cpu==2.17.1",
    "TensorFlow 2.18.1": "tensorflow-cpu==2.18.1",
}
LITERT = tuple(release for release in SMALL if release.startswith("LiteRT"))


def folder() -> Path:
    """Return where the environments are, or will be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GRU_ZOO_RUNTIMES") or Path(cache) / "gru_zoo" / "runtimes")


def python(release: str) -> Path:
    """Return a release's Python, whether it is there or not."""
    return folder() / release.replace(" ", "-") / "bin" / "python"


def there() -> list[str]:
    """Return the releases that are set up."""
    found = [release for release in (*SMALL, *LARGE) if python(release).is_file()]
    # LiteRT's first release came after TensorFlow 2.17.
    return sorted(found, key=lambda release: (release in LITERT, version(release)))


def version(release: str) -> tuple[int, ...]:
    """Return a release's version as numbers.

    Example:
        >>> version("LiteRT 1.0.1")
        (1, 0, 1)
    """
    return tuple(int(part) for part in release.split()[1].split("."))


def set_up(large: bool) -> None:
    """Make the environments that are missing.

    Raises:
        subprocess.CalledProcessError: pip failed; it says why.
    """
    for release, package in {**SMALL, **(LARGE if large else {})}.items():
        if python(release).is_file():
            continue
        with atomic_write(python(release).parents[1], marks=("pyvenv.cfg",)) as partial:
            venv.create(partial, with_pip=True)
            # Every one of them was built for NumPy 1.
            command = [partial / "bin" / "python", "-m", "pip", "install", "-q", package, "numpy<2"]
            subprocess.run(command, check=True)


def run(release: str | None, file: Path, goldens: Path, results: Path) -> str | None:
    """Run a file's signatures in a release, None for the one that is installed here.

    Args:
        release: a key of `SMALL` or `LARGE`.
        file: a `.tflite` file.
        goldens: its inputs, as the worker takes them.
        results: `.npz` that the worker writes.

    Returns:
        why the release cannot run the file, in its own words, or None if it did.
    """
    command = [sys.executable if release is None else python(release), WORKER, results]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [*command, file, goldens], env=environment, capture_output=True, text=True, check=False
    )
    if not done.returncode:
        return None
    said = [line for line in done.stderr.splitlines() if "Error:" in line]
    if not said:
        raise RuntimeError(f"{release} ended with {done.returncode}: {done.stderr[-2000:]}")
    return said[-1].partition("Error: ")[2]
