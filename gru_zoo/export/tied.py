"""A tied embedding in an int8 file, once: the table that is looked up is the output's matrix.

The converter gives a matrix a scale for each row, and a table that is gathered from one scale for
all of it, so that a tied embedding would be stored twice. Here the table has a scale for each row
too, and after the conversion both point at the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.metadata import AlignedBuilder
from gru_zoo.models.seq2seq import TiedEmbedding

_LARGEST = 127


class QuantizedRows:
    """`TiedEmbedding` by rows of int8, a scale for each.

    Args:
        embedding: the table; its weights are read now.

    Example:
        >>> embedding = TiedEmbedding(5, 3)
        >>> embedding.build()
        >>> ids = tf.constant([[4, 0]])
        >>> error = QuantizedRows(embedding)(ids) - embedding(ids)
        >>> float(tf.reduce_max(tf.abs(error))) < 0.01
        True
    """

    def __init__(self, embedding: TiedEmbedding) -> None:
        table = embedding.embeddings.numpy()
        # As the converter does it for a matrix; a row of zeros has any scale.
        scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(_LARGEST)
        scales = np.where(scales == 0, np.float32(1), scales)
        self._rows = np.round(table / scales).astype(np.int8)
        self._scales = scales * np.float32(embedding.dim**0.5)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Return vectors `[..., dim]` of subwords `[...]`."""
        return tf.cast(tf.gather(self._rows, ids), tf.float32) * tf.gather(self._scales, ids)


def share_rows(content: bytes) -> bytes:
    """Store int8 matrices that differ by rounding only once, each with the scales it has.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        The file's bytes, the same ones if nothing is stored twice.

    Example:
        >>> share_rows(content) == content  # doctest: +SKIP
        True
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    kept: dict[tuple[int, ...], list[int]] = {}
    dropped: dict[int, int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if tensor.type != schema.TensorType.INT8 or data is None or len(tensor.shape) != 2:
                continue
            alike = kept.setdefault(tuple(tensor.shape), [])
            for buffer in alike:
                if buffer != tensor.buffer and _alike(data, model.buffers[buffer].data):
                    dropped[tensor.buffer] = tensor.buffer = buffer
                    break
            else:
                alike.append(tensor.buffer)
    if not dropped:
        return content
    return _without(model, set(dropped))


def _alike(one: Any, other: Any) -> bool:
    """Return whether two tables are the same one, rounded by two programs."""
    one, other = (np.asarray(data, np.uint8).view(np.int8).astype(int) for data in (one, other))
    differences = np.abs(one - other)
    return differences.max() <= 1 and differences.mean() < 0.01


def _without(model: schema.ModelT, dropped: set[int]) -> bytes:
    for number in dropped:
        model.buffers[number].data = None
    builder = AlignedBuilder(2**20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
