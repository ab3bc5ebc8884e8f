"""One TFLite file from several functions of one model: a signature each, the weights once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.errors import lines_of
from gru_zoo.export.flatbuffer.half_tables import separate_look_ups
from gru_zoo.export.flatbuffer.packing import packed
from gru_zoo.export.names import WHOLE


def convert(
    functions: Mapping[str, Any], holder: tf.Module, weights: str, per_tensor: bool = False
) -> bytes:
    """Convert functions to one TFLite file with builtin operators only.

    Args:
        functions: signature's name -> concrete function.
        holder: has the functions' variables as attributes.
        weights: "float32", "float16" or "int8" (dynamic range).
        per_tensor: one int8 scale a matrix instead of one a row, for runtimes before 2.17.

    Raises:
        ValueError: a function needs an operator that TFLite does not have built in.
    """
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holder, folder, signatures=dict(functions))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            os.fspath(folder), signature_keys=list(functions)
        )
        converter._experimental_disable_per_channel_quantization_for_dense_layers = per_tensor
        return _converted(converter, weights)


def to_builtins(function: Any, holder: tf.Module, weights: str) -> bytes:
    """Convert one function to TFLite with builtin operators only.

    Args:
        function: a concrete function.
        holder: has the function's variables as attributes.
        weights: "float32", "float16" or "int8" (dynamic range).

    Raises:
        ValueError: the function needs an operator that TFLite does not have built in.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    return _converted(converter, weights)


def _converted(converter: Any, weights: str) -> bytes:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        content = converter.convert()
    except Exception as error:  # The converter raises its own private types.
        raise ValueError(
            f"model cannot be converted to TFLite's builtin operators: {_reason(error)}"
        ) from error
    return separate_look_ups(content) if weights == "float16" else content


def _reason(error: Exception) -> str:
    """Return the line of the converter's error that says why; the others say where."""
    lines = lines_of(error)
    return next((line for line in lines if "error:" in line), lines[-1]).strip()


def named(content: bytes, length: int, lengths: Mapping[str, int | None] | None = None) -> bytes:
    """Return a file whose tensors have the names of its signatures, made for `length` steps.

    Args:
        content: bytes of a `.tflite` file.
        length: time steps that the interpreter prepares for where nobody resizes the input.
        lengths: name of an input -> its own number of them, None for `length`.
    """
    own = lengths or {}
    model = schema.ModelT.InitFromPackedBuf(content)
    model.signatureDefs.sort(key=lambda signature: signature.subgraphIndex)
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        key = signature.signatureKey
        # A tool that reads tensors takes their names to be unique in the file.
        for place, entries in ((b"in", signature.inputs), (b"out", signature.outputs)):
            for entry in entries:
                name = entry.name if key == WHOLE.encode() else b"/".join([key, place, entry.name])
                tensors[entry.tensorIndex].name = name
        for entry in signature.inputs:
            tensor = tensors[entry.tensorIndex]
            if tensor.shapeSignature is not None:
                steps = own.get(entry.name.decode()) or length
                tensor.shape = [steps if size < 0 else size for size in tensor.shapeSignature]
    return packed(model)
