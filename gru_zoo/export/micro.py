"""One time step under TensorFlow Lite Micro, as a microcontroller runs it (the extra `micro`).

TFLM copies no weight: they stay in the file, which a microcontroller keeps in its flash memory.
Everything else, the states too, lies in one block of memory of a size that the caller chooses
before anything runs, the arena (https://ai.google.dev/edge/litert/microcontrollers).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.arguments import one_of
from gru_zoo.export.calibrated import VARIANTS, integer_step
from gru_zoo.export.isolated import ConversionFailed, isolated
from gru_zoo.export.signatures import STEP, convert
from gru_zoo.export.steps import step_graph

FITS = "fits"  # what the search notes of a size
ALIGNMENT = 16  # of what TFLM places in its arena
_LARGEST = 2**26  # bytes of an arena to look for; no microcontroller has as many
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
    one_of("variant", variant, ("float32", *VARIANTS))
    if (representative is not None) != (variant in VARIANTS):
        raise ValueError(
            f"representative must be given for {' and '.join(VARIANTS)}, and for no other variant; "
            f"got {'none' if representative is None else 'one'} with {variant}."
        )
    if variant in VARIANTS:
        return integer_step(model, variant, representative, for_micro=True)
    graph = step_graph(model)
    step = graph.step.get_concrete_function(**graph.inputs, **graph.states)
    return convert({STEP: step}, graph, "float32")


class MicroStep:
    """A file of one signature in TFLM's interpreter.

    Args:
        content: bytes of a `.tflite` file.
        arena: bytes of memory that the interpreter gets.

    Attributes:
        inputs: name -> scale and zero point, (0.0, 0) if it is not quantized.
        outputs: the same.
        input_places: name -> i of `interpreter.input(i)` in C++.
        output_places: name -> i of `interpreter.output(i)`.

    Raises:
        ValueError: TFLM needs a larger arena, or does not have an operator of the file, which
            for some types shows only in a call; the message has what TFLM said.

    Example:
        >>> from gru_zoo import GRU
        >>> content = step_file(keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")]))
        >>> step = MicroStep(content)
        >>> given = {"inputs": np.ones((1, 4), "float32"), "state_gru": np.zeros((1, 7), "float32")}
        >>> {name: array.shape for name, array in sorted(step(given).items())}
        {'outputs': (1, 7), 'state_gru': (1, 7)}
    """

    def __init__(self, content: bytes, arena: int = _LARGEST) -> None:
        from tflite_micro import runtime

        model = schema.ModelT.InitFromPackedBuf(content)
        (signature,) = model.signatureDefs
        graph = model.subgraphs[signature.subgraphIndex]
        with _refused(f"arena must hold the model, and TFLM have its operators; {arena} bytes"):
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
        # TFLM knows places only, the signature names.
        self.input_places = _places(signature.inputs, graph.inputs)
        self.output_places = _places(signature.outputs, graph.outputs)
        details = self._interpreter.get_input_details, self._interpreter.get_output_details
        self.inputs, self.outputs = (
            {name: _scale(about(place)) for name, place in places.items()}
            for about, places in zip(details, (self.input_places, self.output_places), strict=True)
        )

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a step on arrays by name, in the types of the file; return its outputs by name."""
        for name, place in self.input_places.items():
            self._interpreter.set_input(arrays[name], place)
        with _refused("the model must have operators that TFLM has for its types"):
            self._interpreter.invoke()
        return {name: self._interpreter.get_output(i) for name, i in self.output_places.items()}


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
    low, high = 0, _LARGEST  # too small; large enough
    with tempfile.TemporaryDirectory() as folder:
        file, progress = Path(folder, "step.tflite"), Path(folder, "progress.txt")
        file.write_bytes(content)
        while high - low > ALIGNMENT:
            arguments = [os.fspath(file), os.fspath(progress), str(low), str(high)]
            progress.write_text("")
            before = low, high
            try:
                isolated("gru_zoo.export.arena", arguments, what="the search", seconds=_SECONDS)
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


@contextlib.contextmanager
def _refused(wanted: str) -> Iterator[None]:
    """Turn TFLM's error into one with its reason, which it writes to standard error only."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        except RuntimeError as error:
            file.seek(0)
            said = file.read().decode(errors="replace").splitlines()
            raise ValueError(f"{wanted}: {' '.join(said[:2]) or error}") from error
        finally:
            os.dup2(before, 2)
            os.close(before)


def _places(entries: Any, tensors: Any) -> dict[str, int]:
    """Return name -> place among a graph's inputs or outputs."""
    order = list(tensors)
    return {entry.name.decode(): order.index(entry.tensorIndex) for entry in entries}


def _scale(details: dict[str, Any]) -> tuple[float, int]:
    about = details["quantization_parameters"]
    if not len(about["scales"]):
        return 0.0, 0
    return float(about["scales"][0]), int(about["zero_points"][0])
