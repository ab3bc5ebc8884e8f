"""A model as an ONNX file around ONNX' own GRU operator, for onnxruntime and what reads ONNX.

    SequenceClassifier   ids [batch, time] int32  ->  probabilities [batch, labels] float32
    other models         inputs -> outputs; where there are several, by their layers' names

Batch and time are dynamic. The operator's gates are in the order z, r, h, as in Keras;
linear_before_reset is `reset_after`; its update gate keeps, so what feeds z changes sign where
`update_gate="write"` (https://onnx.ai/onnx/operators/onnx__GRU.html).
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from gru_zoo.files import write_beside
from gru_zoo.layers import kernels

if TYPE_CHECKING:
    from gru_zoo.export.onnx_model import Port

LIMIT = 1e-5  # of a difference from Keras, absolute or as a share of the number


def onnx(model: keras.Model, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write a model as an `.onnx` file, after comparing it with the model in onnxruntime.

    Each GRU layer, and each Bidirectional around one, is one fused GRU operator. Masks may lie
    anywhere, as in Keras. A batch without rows is nothing for onnxruntime: it ends the process.

    Args:
        model: a built `SequenceClassifier`, or a `keras.Sequential` or functional model of GRU
            layers (ours or Keras') with embedding, dense, normalization, pooling, merging and
            activation layers. All of it computes in float32.
        path: the file.
        overwrite: whether an existing file is replaced, by one that passed.

    Raises:
        ImportError: onnx or onnxruntime is missing (the extra `onnx`).
        FileExistsError: `path` exists.
        ValueError: a layer, or an option of one, that is not known here, by name; or
            onnxruntime's results differ from Keras' by more than 1e-5.
        OSError: the file could not be written.

    Example:
        >>> model = keras.Sequential([keras.layers.Input((None, 4)), keras.layers.GRU(7)])
        >>> onnx(model, "steps.onnx")
        >>> import onnxruntime
        >>> session = onnxruntime.InferenceSession("steps.onnx")
        >>> session.run(None, {"inputs": np.ones((3, 5, 4), "float32")})[0].shape
        (3, 7)
    """
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f'export.onnx needs {package}: pip install "gru-zoo[onnx]".')
    if Path(path).exists() and not overwrite:
        raise FileExistsError(f"path must be new, or overwrite=True; {os.fspath(path)!r} exists.")
    from gru_zoo.export.onnx_model import make_model

    proto, inputs = make_model(model)
    with write_beside(path) as partial:
        try:
            partial.write_bytes(proto.SerializeToString())
        except OSError as error:
            message = f"path {os.fspath(path)!r} could not be written: {error.strerror}"
            raise OSError(error.errno, message) from error
        compare(partial, model, inputs)


def compare(path: str | os.PathLike, model: keras.Model, inputs: list[Port]) -> float:
    """Return the largest difference of a file's results from the model's, on random inputs.

    Args:
        path: an `.onnx` file.
        model: the Keras model it came from.
        inputs: of the file, as `make_model` returns them.

    Raises:
        ValueError: ONNX' checker refuses the file, or a result differs by more than 1e-5.
    """
    import onnx as standard
    import onnxruntime

    try:
        standard.checker.check_model(os.fspath(path), full_check=True)
    except (standard.checker.ValidationError, standard.shape_inference.InferenceError) as error:
        raise ValueError(f"path must pass ONNX' checker; {path}: {error}") from error
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, time in ((1, 1), (3, 6)):
        arrays = probes(inputs, batch, time)
        with kernels.forced("loop"):  # No XLA compilation for two runs.
            wanted = keras.tree.flatten(model(_as_keras(model, arrays), training=False))
        given = session.run(None, arrays)
        for name, ours, theirs in zip(session.get_outputs(), given, wanted, strict=True):
            theirs = keras.ops.convert_to_numpy(theirs)
            if not np.allclose(ours, theirs, rtol=LIMIT, atol=LIMIT, equal_nan=True):
                difference = np.abs(ours - theirs).max()
                raise ValueError(
                    f"{path} must be within {LIMIT:g} of the model; output {name.name} differs by "
                    f"{difference:.3g}."
                )
            worst = max(worst, float(np.nanmax(np.abs(ours - theirs), initial=0)))
    return worst


def probes(inputs: list[Port], batch: int, time: int) -> dict[str, np.ndarray]:
    """Return random inputs, with zeros (which a mask may take for padding) in every place.

    Args:
        inputs: as `make_model` returns them.
        batch: rows.
        time: steps, where the model does not fix them.

    Example:
        >>> from gru_zoo.export.onnx_model import Port
        >>> probes([Port("ids", (None, None), "int32", ids=9)], 3, 6)["ids"].shape
        (3, 6)
    """
    random = np.random.default_rng(0)
    arrays = {}
    for port in inputs:
        shape = [batch, *port.shape[1:]]
        if port.has_time:
            shape[1] = shape[1] or time
        if port.ids:
            array = random.integers(port.ids, size=shape)
        else:
            array = random.normal(size=shape)
        if port.has_time and batch > 1:
            array[0, shape[1] // 2 :] = 0  # padding on the right
            array[1, : shape[1] // 3] = 0  # and on the left
            array[2, 1::2] = 0  # and in between
        arrays[port.name] = array.astype(port.dtype)
    return arrays


def _as_keras(model: keras.Model, arrays: dict[str, np.ndarray]) -> Any:
    """Return the arrays as the model wants to be called with them."""
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays.values()]
    structure = getattr(model, "input", None)
    if structure is None or isinstance(model, keras.Sequential):
        return tensors[0]
    return keras.tree.pack_sequence_as(structure, tensors)
