"""A conversion in another process: crash, error, time-out and Ctrl-C, and nothing left running."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from gru_zoo.export.workers.isolated import ConversionFailed, isolated

WHAT = "model 'small' to variant 'int8_full'"


def run(how, place, seconds=30.0):
    isolated("tests.export.misbehaves", [how, str(place)], what=WHAT, seconds=seconds)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(place):
    deadline = time.monotonic() + 20
    while not (place / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return [int(pid) for pid in (place / "pids").read_text().split()]


def gone(place):
    deadline = time.monotonic() + 5
    while any(map(alive, pids(place))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids(place)))


def test_one_that_works(tmp_path):
    run("well", tmp_path)
    assert (tmp_path / "done").read_text() == "well"


def test_crash_names_model_variant_signal_and_last_words(tmp_path):
    with pytest.raises(ConversionFailed) as caught:
        run("crash", tmp_path)
    assert str(caught.value) == f"{WHAT} crashed (SIGSEGV): converting."


def test_error_gives_its_last_line(tmp_path):
    with pytest.raises(ConversionFailed) as caught:
        run("fail", tmp_path)
    assert str(caught.value) == f"{WHAT} failed: operator QUX is not known."


def test_time_limit_ends_it_and_its_children(tmp_path):
    start = time.monotonic()
    with pytest.raises(ConversionFailed) as caught:
        run("hang", tmp_path, seconds=2)
    assert str(caught.value) == f"{WHAT} took longer than 2 seconds: converting."
    assert time.monotonic() - start < 20
    assert gone(tmp_path)


@pytest.fixture
def heard():
    """Ctrl-C is heard, in a shell's background job too, where it is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_it_and_its_children(tmp_path):
    def interrupt():
        pids(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run("hang", tmp_path, seconds=120)
    assert gone(tmp_path)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_time_limit_must_be_above_zero(seconds, tmp_path):
    with pytest.raises(ValueError, match="seconds must be a number above 0"):
        run("well", tmp_path, seconds)
    assert not list(tmp_path.iterdir())


def test_it_is_an_error_of_values():
    assert issubclass(ConversionFailed, ValueError)
