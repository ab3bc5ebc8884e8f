"""One file in TensorFlow Lite Micro's interpreter (the extra `micro`), without TensorFlow."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_MARK = b"TFL3"  # of a .tflite file, behind its first four bytes
LARGEST = 2**26  # bytes of an arena; no microcontroller has as many


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
        ValueError: `content` is no whole file of one signature; TFLM needs a larger arena, or does
            not have an operator of the file, which for some types shows only in a call: the
            message has what TFLM said.

    Example:
        >>> import keras
        >>> from gru_zoo import GRU
        >>> from gru_zoo.export.micro import step_file
        >>> content = step_file(keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")]))
        >>> step = MicroStep(content)
        >>> given = {"inputs": np.ones((1, 4), "float32"), "state_gru": np.zeros((1, 7), "float32")}
        >>> {name: array.shape for name, array in sorted(step(given).items())}
        {'outputs': (1, 7), 'state_gru': (1, 7)}
    """

    def __init__(self, content: bytes, arena: int = LARGEST) -> None:
        from tflite_micro import runtime

        model = _parsed(content)
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


def _parsed(content: bytes) -> Any:
    """Return the tables of a `.tflite` file; TFLM itself would read on through any bytes."""
    try:
        if content[4:8] != _MARK:
            raise ValueError("it does not say that it is one")
        model = schema.ModelT.InitFromPackedBuf(content)
        names = [signature.signatureKey.decode() for signature in model.signatureDefs or ()]
    except (ValueError, IndexError, TypeError, struct.error, AttributeError) as error:
        raise ValueError(f"content must be a whole .tflite file: {error}.") from error
    if len(names) != 1:
        raise ValueError(f"content must have one signature, as micro.step_file's has; got {names}.")
    return model


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
