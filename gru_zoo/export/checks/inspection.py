"""What an exported file is made of, seen without running it."""

from __future__ import annotations

import collections
import os
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from gru_zoo.export.flatbuffer.checksum_archive import unsealed
from gru_zoo.export.flatbuffer.operators import name_of
from gru_zoo.files import size_of


class Refused(ValueError):
    """An exported file is broken, or does not do what the model does."""


def inspect(path: str | os.PathLike) -> dict[str, Any]:
    """Return a file's size and operators, and a `.tflite` file's types of weights ("INT8", ...).

    Nothing of it is run.

    Raises:
        Refused: the file is broken, or holds an operator that not every device or process has.
    """
    path = Path(path)
    if path.is_dir():
        return _inspect_saved_model(path)
    model = _parsed(path)
    codes = [name_of(code) for code in model.operatorCodes]
    operators = collections.Counter(
        codes[operator.opcodeIndex] for graph in model.subgraphs for operator in graph.operators
    )
    if "CUSTOM" in operators:
        custom = [c.customCode.decode() for c in model.operatorCodes if c.customCode]
        raise Refused(f"path must need builtin operators only; {path} needs {', '.join(custom)}.")
    version = next(
        (m.buffer for m in model.metadata or [] if m.name == b"min_runtime_version"), None
    )
    if version is not None:
        version = bytes(model.buffers[version].data).rstrip(b"\0").decode()
    return {
        "bytes": size_of(path),
        "operators": dict(sorted(operators.items())),
        "subgraphs": len(model.subgraphs),
        "constant_types": _constant_types(model),
        "min_runtime_version": version,
    }


def steps_of(path: str | os.PathLike) -> int:
    """Return how many steps a `.tflite` file's first input has, `[batch, time, ...]`.

    Raises:
        Refused: the file is broken.
    """
    graph = _parsed(Path(path)).subgraphs[0]
    return int(graph.tensors[graph.inputs[0]].shape[1])


def _parsed(path: Path) -> Any:
    try:
        return schema.ModelT.InitFromPackedBuf(unsealed(path))
    except ValueError as error:
        raise Refused(str(error)) from error


def _constant_types(model: Any) -> list[str]:
    """Return the names of the types of the tensors that have contents, sorted."""
    names = {v: k for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    held = [tensor for tensor in tensors if model.buffers[tensor.buffer].data is not None]
    return sorted({names[tensor.type] for tensor in held})


def _inspect_saved_model(path: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
        graph = saved.meta_graphs[0].graph_def
    except (OSError, ValueError, IndexError, DecodeError) as error:
        raise Refused(f"path must be a SavedModel's folder; {path}: {error}") from error
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    operators = collections.Counter(node.op for node in nodes)
    compiled = {f.signature.name for f in graph.library.function if "_XlaMustCompile" in f.attr}
    device = sorted(op for op in operators if op.startswith(("Cudnn", "Xla")))
    if device or compiled:
        raise Refused(
            f"path must run on any device; {path} holds {', '.join([*device, *sorted(compiled)])}."
        )
    # tf.numpy_function and tf.py_function: a number of a function that this process has in Python.
    python = sorted(op for op in operators if op.startswith(("PyFunc", "EagerPyFunc")))
    if python:
        raise Refused(
            f"path must run in any process; {path} holds {', '.join(python)}, a Python function."
        )
    return {"bytes": size_of(path), "operators": dict(sorted(operators.items()))}
