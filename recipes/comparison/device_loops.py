"""Recurrent layers of any cell as the project's exporter writes a GRU: fast on a device.

The inputs' products are taken before the loop, the loop only does the state's, and results are
collected block by block, so that time grows with the number of steps and not with its square.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.export import loops
from gru_zoo.export.recurrence import recur
from gru_zoo.layers.gru import GRU

# Of one row: (projected [steps, gates], step(projected [1, gates], state [1, size]) -> state).
Program = tuple[tf.Tensor, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]


@contextlib.contextmanager
def written(model: keras.Model) -> Iterator[None]:
    """Make a model's recurrent layers run that way while the block runs; batch 1 only."""
    found = [each for each in model._flatten_layers() if type(each) in _PROGRAMS]
    for layer in found:
        layer.inner_loop = _inner_loop(layer)
    try:
        yield
    finally:
        for layer in found:
            del layer.inner_loop  # the class's own shows again


def _inner_loop(layer: Any) -> Callable[..., Any]:
    """Return what stands in for a layer's `inner_loop`."""

    def run(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        rows = sequences[0]  # [steps, features]
        counted = None if mask is None else tf.cast(mask[0], tf.bool)
        if layer.go_backwards:
            rows = tf.reverse(rows, [0])
            counted = None if counted is None else tf.reverse(counted, [0])
        projected, step = _PROGRAMS[type(layer)](layer.cell, rows)
        states = keras.tree.flatten(initial_state)
        sizes = [state.shape[-1] for state in states]

        def advance(t: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
            new = step(tf.gather(projected, t)[None], state)
            return new if counted is None else tf.where(tf.gather(counted, t), new, state)

        first = tf.reshape(tf.concat(states, axis=-1), (1, sum(sizes)))
        every = loops.collect(advance, first, projected[:, : sum(sizes)])  # [steps, sizes]
        last = tf.split(every[-1:], sizes, axis=-1)
        outputs = every[None, :, : sizes[0]]  # the first state is the output
        if counted is not None and layer.zero_output_for_mask:
            outputs = tf.where(counted[None, :, None], outputs, tf.zeros_like(outputs))
        return outputs[:, -1], outputs, last

    return run


def _gru(cell: Any, rows: tf.Tensor) -> Program:
    return cell.project(rows), lambda projected, h: recur(cell, projected, h)[0]


def _lstm(cell: Any, rows: tf.Tensor) -> Program:
    """Keras' order of the gates: input, forget, candidate, output."""

    def step(projected: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        h, c = tf.split(state, 2, axis=-1)
        gates = projected + tf.matmul(h, cell.recurrent_kernel)
        i, f, new, o = tf.split(gates, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(new)
        return tf.concat([tf.sigmoid(o) * tf.tanh(c), c], axis=-1)

    return tf.matmul(rows, cell.kernel) + cell.bias, step


def _plain(cell: Any, rows: tf.Tensor) -> Program:
    def step(projected: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        return tf.tanh(projected + tf.matmul(h, cell.recurrent_kernel))

    return tf.matmul(rows, cell.kernel) + cell.bias, step


_PROGRAMS = {GRU: _gru, keras.layers.LSTM: _lstm, keras.layers.SimpleRNN: _plain}
