"""A conversion in a process of its own: it may crash or hang, and the caller goes on.

TensorFlow's calibrator is C++ that ends its process on models it does not know (a segmentation
fault on any loop). So what may crash runs as `python -m MODULE ARGUMENTS`, with a time limit; a
signal, the limit and an error all come back as `ConversionFailed`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_zoo.arguments import number

# Where `gru_zoo` itself lies: the child must find the same one, installed or not.
_PLACE = str(Path(__file__).resolve().parents[3])


class ConversionFailed(ValueError):
    """A conversion crashed, took too long, or was refused by the converter."""


def isolated(module: str, arguments: Sequence[str], *, what: str, seconds: float) -> None:
    """Run a module's `main` in a process of its own and wait for it.

    Whatever ends the waiting, Ctrl-C too, ends the process and its children.

    Args:
        module: its full name.
        arguments: its command line.
        what: the conversion, for the error: "model 'x' to variant 'y'".
        seconds: how long it may take.

    Raises:
        ConversionFailed: a signal ended it, the time was up, or it failed; with its last words.

    Example:
        >>> isolated("gru_zoo.none", ["a"], what="model 'x' to variant 'y'", seconds=60)
        Traceback (most recent call last):
        gru_zoo.export.ConversionFailed: model 'x' to variant 'y' failed: ...
    """
    require_seconds(seconds)
    path = os.pathsep.join(filter(None, [_PLACE, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # a group to end, children of its own too
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            reason = f"took longer than {seconds:g} seconds"
            raise ConversionFailed(f"{what} {reason}{_last_words(log)}.") from None
        finally:
            _end(child)
        if code:
            crashed = f"crashed ({_signal(-code)})" if code < 0 else "failed"
            raise ConversionFailed(f"{what} {crashed}{_last_words(log)}.")


def require_seconds(seconds: Any) -> None:
    """Raise ValueError unless a time limit is a number above 0."""
    if not number("seconds", seconds) > 0:
        raise ValueError(f"seconds must be a number above 0; got {seconds!r}.")


def _end(child: subprocess.Popen) -> None:
    """End a process and its children, if it still runs."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(log) -> str:
    """Return ": " and the last line of a log that says something, or nothing."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {said.rstrip('.')}" if said else ""
