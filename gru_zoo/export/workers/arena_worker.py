"""The search for the smallest arena, run by `micro.smallest_arena` in a process of its own.

    python -m gru_zoo.export.workers.arena_worker FILE PROGRESS TOO_SMALL LARGE_ENOUGH

TFLM does not look at every allocation: in an arena that lacks a few bytes it has ended its process
with a segmentation fault. So each size is written to PROGRESS before it is tried, and what came of
it afterwards; a size without a result was too small.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gru_zoo.export.runners.micro_step import MicroStep

FITS = "fits"  # what is noted of a size
ALIGNMENT = 16  # of what TFLM places in its arena


def search(file: Path, progress: Path, low: int, high: int) -> None:
    """Halve the bounds until they are neighbours.

    Args:
        file: a `.tflite` file.
        progress: where a line a size goes: "SIZE", then " fits" or " too small".
        low: bytes that are too few.
        high: bytes that are enough.
    """
    content = file.read_bytes()
    with open(progress, "a", encoding="utf-8", buffering=1) as notes:
        while high - low > ALIGNMENT:
            middle = (low + high) // 2 // ALIGNMENT * ALIGNMENT
            notes.write(str(middle))
            notes.flush()
            try:
                MicroStep(content, middle)
                high, found = middle, FITS
            except ValueError:
                low, found = middle, "too small"
            notes.write(f" {found}\n")


if __name__ == "__main__":
    search(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
