"""The search for the smallest arena goes on where TFLM crashes. TFLM itself is not needed."""

from pathlib import Path

import pytest

from gru_zoo.export import micro
from gru_zoo.export.workers import arena_worker
from gru_zoo.export.workers.isolated import ConversionFailed

NEEDED = 12_912


class Step:
    """A TFLM that needs so many bytes, and crashes where it has a few too few."""

    crashes_at: tuple[int, ...] = ()

    def __init__(self, content: bytes, size: int = micro.LARGEST) -> None:
        if size in self.crashes_at:
            raise SystemExit("Segmentation fault")
        if size < NEEDED:
            raise ValueError("arena must hold the model")


def in_this_process(module, arguments, *, what, seconds):
    """Do what the child does; a crash of it is no crash of ours."""
    assert module == "gru_zoo.export.workers.arena_worker"
    file, progress, low, high = arguments
    try:
        arena_worker.search(Path(file), Path(progress), int(low), int(high))
    except SystemExit as error:
        raise ConversionFailed(f"{what} crashed") from error


@pytest.fixture
def tflm(monkeypatch):
    monkeypatch.setattr(micro, "isolated", in_this_process)
    monkeypatch.setattr(micro, "MicroStep", Step)
    monkeypatch.setattr(arena_worker, "MicroStep", Step)


@pytest.mark.parametrize("crashes", [(), (12_896,), (8_192, 12_288, 12_896)])
def test_a_crash_is_an_arena_too_small(tflm, monkeypatch, crashes):
    monkeypatch.setattr(Step, "crashes_at", crashes)
    assert micro.smallest_arena(b"a model") == NEEDED


def test_a_search_that_does_not_run_is_an_error(tflm, monkeypatch):
    def fails(*_, **__):
        raise ConversionFailed("the search failed: no module")

    monkeypatch.setattr(micro, "isolated", fails)
    with pytest.raises(ConversionFailed, match="no module"):
        micro.smallest_arena(b"a model")
