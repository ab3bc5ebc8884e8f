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

from gru_zoo.export.flatbuffer.packing import packed

_LARGEST = 127


class QuantizedRows:
    """A table of vectors by rows of int8, a scale for each.

    Args:
        table: vectors `[ids, dim]` float32.
        scale: what every vector is multiplied by when it is looked up.

    Example:
        >>> table = np.float32([[0.5, -1.0], [0.1, 0.2]])
        >>> error = QuantizedRows(table, scale=2.0)(tf.constant([1, 0])) - 2 * table[[1, 0]]
        >>> bool(np.abs(error).max() < 2 * 1.0 / 127)
        True
    """

    def __init__(self, table: np.ndarray, scale: float = 1.0) -> None:
        # As the converter does it for a matrix; a row of zeros has any scale.
        scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(_LARGEST)
        scales = np.where(scales == 0, np.float32(1), scales)
        self._rows = np.round(table / scales).astype(np.int8)
        self._scales = scales * np.float32(scale)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Return vectors `[..., dim]` of ids `[...]`."""
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
    for number in dropped:
        model.buffers[number].data = None
    return packed(model)


def _alike(one: Any, other: Any) -> bool:
    """Return whether two tables are the same one, rounded by two programs."""
    one, other = (np.asarray(data, np.uint8).view(np.int8).astype(int) for data in (one, other))
    differences = np.abs(one - other)
    return differences.max() <= 1 and differences.mean() < 0.01
