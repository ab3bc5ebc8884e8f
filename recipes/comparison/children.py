"""A child process, the resources it used, and its end with ours: POSIX only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Where `recipes` lies: the child must find the same one from wherever we were started.
_PLACE = str(Path(__file__).resolve().parents[2])
_LIVING: set[int] = set()  # groups of children that run


class ChildFailed(ValueError):
    """A training or a conversion ended with an error; the message has its last words.

    Args:
        message: which one, how it ended, its last words.
        usage: what it used, as `run` returns it.
        status: its exit status; negative for a signal.
    """

    def __init__(
        self, message: str, usage: dict[str, Any] | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.usage, self.status = usage, status


@contextlib.contextmanager
def held(path: Path) -> Iterator[int | None]:
    """Hold a lock file while the block runs; yield None if another process holds it.

    The number that is yielded is an open file: given to a child, it keeps the lock for as long as
    the child lives, also when we are killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.fileno()


def run(
    module: str, arguments: Sequence[str], log: Path, keep_open: Sequence[int] = ()
) -> dict[str, Any]:
    """Run `python -m module arguments` to its end and return what it used.

    Args:
        module: its full name.
        arguments: its command line.
        log: everything it prints goes there, after what is there already.
        keep_open: open files that it inherits.

    Returns:
        wall_seconds, cpu_seconds (all its threads and children), cpu_share (how many cores it
        got on average) and peak_memory_mb.

    Raises:
        ChildFailed: it ended with another status than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": _paths(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    with open(log, "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # a group to end, children of its own too
            pass_fds=tuple(keep_open),
        )
        _LIVING.add(child.pid)
        try:
            status, usage = _wait(child)
        finally:
            _LIVING.discard(child.pid)
    used = _used(time.perf_counter() - started, usage)
    if status:
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        raise ChildFailed(f"{module} ended with {how}{_last_words(log)}", used, status)
    return used


def end_all() -> None:
    """End every child that another thread waits for; there it looks like any child that failed."""
    for pid in tuple(_LIVING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _used(seconds: float, usage: Any) -> dict[str, Any]:
    cpu = usage.ru_utime + usage.ru_stime
    # Linux counts kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "cpu_share": round(cpu / seconds, 2),
        "peak_memory_mb": round(peak),
    }


def _wait(child: subprocess.Popen) -> tuple[int, Any]:
    """Wait for a child; whatever ends the waiting ends the child."""
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage


def _paths() -> str:
    return os.pathsep.join(filter(None, [_PLACE, os.environ.get("PYTHONPATH")]))


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {said}" if said else ""
