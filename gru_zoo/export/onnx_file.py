"""A model as an ONNX file around ONNX' own GRU operator, for onnxruntime and what reads ONNX.

    SequenceClassifier   ids [batch, time] int32  ->  probabilities [batch, labels] float32
    other models         ids or inputs  ->  outputs; where there are several, Keras' names
                         or the keys of a dictionary

Batch and time are dynamic. The operator's gates are in the order z, r, h, as in Keras;
linear_before_reset is `reset_after`; its update gate keeps, so what feeds z changes sign where
`update_gate="write"` (https://onnx.ai/onnx/operators/onnx__GRU.html).
"""

from __future__ import annotations

import os
from pathlib import Path

import keras

from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.checks.probes import probes
from gru_zoo.export.write_errors import judged, require_new
from gru_zoo.files import atomic_write
from gru_zoo.imports import require_extra


def onnx(model: keras.Model, path: str | os.PathLike, *, overwrite: bool = False) -> float:
    """Write a model as an `.onnx` file, after comparing it with the model in onnxruntime.

    Each GRU layer, and each Bidirectional around one, is one fused GRU operator. Masks may lie
    anywhere, as in Keras. A batch without rows is nothing for onnxruntime: it ends the process.

    Args:
        model: a built `SequenceClassifier`, or a `keras.Sequential` or functional model of GRU
            layers (ours or Keras') with convolutions that keep the number of steps, Embedding,
            Masking, Dense, Activation, ReLU, LeakyReLU, ELU, Softmax, Rescaling, Batch-, Layer-,
            RMS-, Unit- and plain Normalization, pooling over all steps, and layers that merge (not
            Dot). All of it computes in float32.
        path: the file.
        overwrite: whether an existing file is replaced, by one that passed.

    Returns:
        The largest difference of an output from the model's.

    Raises:
        ImportError: onnx or onnxruntime is missing (the extra `onnx`).
        FileExistsError: `path` exists, or was written meanwhile.
        ValueError: a layer, or an option of one, that is not known here, by name.
        export.Refused: onnxruntime's results differ from Keras' by more than 1e-5.
        OSError: the file could not be written.

    Example:
        >>> model = keras.Sequential([keras.layers.Input((None, 4)), keras.layers.GRU(7)])
        >>> onnx(model, "steps.onnx") < 1e-5
        True
        >>> import numpy as np
        >>> import onnxruntime
        >>> session = onnxruntime.InferenceSession("steps.onnx")
        >>> session.run(None, {"inputs": np.ones((3, 5, 4), "float32")})[0].shape
        (3, 7)
    """
    require_extra("onnx", "export.onnx")
    require_new("path", path, overwrite)
    from gru_zoo.export.onnx_writer.model import make_model

    proto = make_model(model)
    with atomic_write(path, overwrite=overwrite) as partial:
        try:
            partial.write_bytes(proto.SerializeToString())
        except OSError as error:
            message = f"path {os.fspath(path)!r} could not be written: {error.strerror}"
            raise OSError(error.errno, message) from error
        with judged(partial, path):
            return _compare(partial, model)


def _compare(path: Path, model: keras.Model) -> float:
    """Return the largest difference; raise Refused unless a file is valid and within the limit."""
    import onnx as standard
    import onnxruntime

    try:
        standard.checker.check_model(os.fspath(path), full_check=True)
    except (standard.checker.ValidationError, standard.shape_inference.InferenceError) as error:
        raise Refused(f"path must pass ONNX' checker; {path}: {error}") from error
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return max(
        probe.compare(dict(zip(names, session.run(names, probe.inputs), strict=True)), path)
        for probe in probes(model)
    )
