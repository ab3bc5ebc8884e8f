"""One time step under TensorFlow Lite Micro, as a microcontroller runs it (the extra `micro`).

TFLM copies no weight: they stay in the file, which a microcontroller keeps in its flash memory.
Everything else, the states too, lies in one block of memory of a size that the caller chooses
before anything runs, the arena (https://ai.google.dev/edge/litert/microcontrollers).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from gru_zoo.arguments import one_of
from gru_zoo.export.checks.arrays import require_step
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.integer_step import integer_step
from gru_zoo.export.names import STEP
from gru_zoo.export.runners.micro_step import LARGEST, MicroStep
from gru_zoo.export.signatures import convert
from gru_zoo.export.variants import INTEGER_ONLY
from gru_zoo.export.workers.arena_worker import ALIGNMENT, FITS
from gru_zoo.export.workers.isolated import ConversionFailed, isolated

__all__ = ["MicroStep", "smallest_arena", "step_file"]

_SECONDS = 300  # that a search may take


def step_file(
    model: keras.Model, variant: str = "float32", representative: Sequence[Any] | None = None
) -> bytes:
    """Return one step of a causal model as `.tflite` bytes, and nothing else.

    TFLM runs the first graph of a file, which in other files is the whole sequence. Of integers it
    lacks two operators that `export.tflite` uses: here a mean is divided in float, and embedding
    vectors are int8 in int16x8 too.

    Args:
        model: a causal model.
        variant: "float32", "int8_full" or "int16x8".
        representative: of the integers, sequences as the model will meet them, see
            `integer_step`.

    Raises:
        ConversionFailed: the conversion to integers failed, see `integer_step`. A ValueError.
        ValueError: an unknown variant; the model cannot stream, and the message names the layer;
            a representative set where none is needed, or none where one is.

    Example:
        >>> from gru_zoo import GRU
        >>> content = step_file(keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")]))
        >>> sorted(MicroStep(content).inputs)
        ['inputs', 'state_gru']
    """
    one_of("variant", variant, ("float32", *INTEGER_ONLY))
    if (representative is not None) != (variant in INTEGER_ONLY):
        raise ValueError(
            f"representative must be given for {' and '.join(INTEGER_ONLY)}, and for no other "
            f"variant; got {'none' if representative is None else 'one'} with {variant}."
        )
    if variant in INTEGER_ONLY:
        content = integer_step(model, variant, representative, for_micro=True)
        require_step(model)
        return content
    graph = step_graph(model)
    require_step(model)
    step = graph.step.get_concrete_function(**graph.inputs, **graph.states)
    return convert({STEP: step}, graph, "float32")


def smallest_arena(content: bytes) -> int:
    """Return the bytes of the smallest arena that holds a model.

    The interpreter that is asked also records what it allocates, which takes a little of its
    arena itself: on a device no more is needed. It is asked in a process of its own, since TFLM
    has crashed where an arena was a little too small.

    Args:
        content: bytes of a `.tflite` file.

    Raises:
        ValueError: no arena is large enough, because TFLM does not have an operator of the file.
        ConversionFailed: the search itself did not run.

    Example:
        >>> from gru_zoo import GRU
        >>> content = step_file(keras.Sequential([keras.Input((None, 4)), GRU(7)]))
        >>> 1000 < smallest_arena(content) < 10_000
        True
    """
    MicroStep(content)
    low, high = 0, LARGEST  # too small; large enough
    with tempfile.TemporaryDirectory() as folder:
        file, progress = Path(folder, "step.tflite"), Path(folder, "progress.txt")
        file.write_bytes(content)
        while high - low > ALIGNMENT:
            arguments = [os.fspath(file), os.fspath(progress), str(low), str(high)]
            progress.write_text("")
            before = low, high
            try:
                isolated(
                    "gru_zoo.export.workers.arena_worker",
                    arguments,
                    what="the search",
                    seconds=_SECONDS,
                )
            except ConversionFailed:
                if _bounds(progress, *before) == before:
                    raise
            low, high = _bounds(progress, *before)
    return high


def _bounds(progress: Path, low: int, high: int) -> tuple[int, int]:
    """Return the bounds after the sizes in `progress`; one without a result was too small."""
    for line in progress.read_text(encoding="utf-8").splitlines():
        size, _, found = line.partition(" ")
        if found == FITS:
            high = int(size)
        else:
            low = int(size)
    return low, high
