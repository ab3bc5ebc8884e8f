"""Recurrent layers of any cell, exported as the project exports a GRU: fast on a device.

The inputs' products are taken before the loop, the loop only does the state's, and results are
collected block by block, so that time grows with the number of steps and not with its square.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.export.graphs import loops
from gru_zoo.export.graphs.recurrence import recur
from gru_zoo.layers.attention_gru import AttentionGRU
from gru_zoo.layers.gru import GRU

# (products of the inputs `[rows, gates]`, step: those of a step, state `[batch, size]` -> state).
Program = tuple[tf.Tensor, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]


@contextlib.contextmanager
def written(model: keras.Model) -> Iterator[None]:
    """Make a model's recurrent layers run that way while the block runs.

    A layer must have batch 1, or a known number of steps, which are then written out.
    """
    layers = list(model._flatten_layers())
    recurrent = [layer for layer in layers if type(layer) in _PROGRAMS]
    attentive = [layer for layer in layers if isinstance(layer, AttentionGRU)]
    for layer in recurrent:
        layer.inner_loop = _inner_loop(layer)
    for layer in attentive:
        layer.call = _attention_call(layer)
    try:
        yield
    finally:  # The classes' own show again.
        for layer in recurrent:
            del layer.inner_loop
        for layer in attentive:
            del layer.call


def _inner_loop(layer: Any) -> Callable[..., Any]:
    """Return what stands in for a layer's `inner_loop`."""

    def run(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        batch, time, features = sequences.shape
        mask = None if mask is None else tf.cast(mask, tf.bool)
        if layer.go_backwards:
            sequences = tf.reverse(sequences, [1])
            mask = None if mask is None else tf.reverse(mask, [1])
        rows = tf.reshape(sequences, (-1, features))
        projected, step = _PROGRAMS[type(layer)](layer.cell, rows)
        states = keras.tree.flatten(initial_state)
        sizes = [state.shape[-1] for state in states]
        state = tf.concat(states, axis=-1)
        if batch == 1:
            counted = None if mask is None else mask[0]
            every = _looped(projected, step, tf.reshape(state, (1, sum(sizes))), counted)
        else:
            projected = tf.reshape(projected, (-1, time, projected.shape[-1]))
            every = _written_out(projected, step, state, mask)
        outputs = every[:, :, : sizes[0]]  # the first state is the output
        if mask is not None and layer.zero_output_for_mask:
            outputs = tf.where(mask[:, :, None], outputs, tf.zeros_like(outputs))
        return outputs[:, -1], outputs, tf.split(every[:, -1], sizes, axis=-1)

    return run


def _looped(projected: tf.Tensor, step: Callable, state: tf.Tensor, counted: Any) -> tf.Tensor:
    """Return the states of all steps of one row, `[1, steps, size]`."""

    def advance(t: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        new = step(tf.gather(projected, t)[None], state)
        return new if counted is None else tf.where(tf.gather(counted, t), new, state)

    return loops.collect(advance, state, projected[:, : state.shape[-1]])[None]


def _written_out(projected: tf.Tensor, step: Callable, state: tf.Tensor, mask: Any) -> tf.Tensor:
    """Return the states of all steps of several rows, `[batch, steps, size]`."""
    every = []
    for t in range(projected.shape[1]):
        new = step(projected[:, t], state)
        state = new if mask is None else tf.where(mask[:, t, None], new, state)
        every.append(state)
    return tf.stack(every, axis=1)


def _attention_call(layer: AttentionGRU) -> Callable[..., Any]:
    """Return what stands in for the `call` of an AttentionGRU of one row."""

    def call(inputs: Any, gate: Any, initial_state: Any = None, mask: Any = None) -> Any:
        projected, gates = layer.project(inputs[0]), tf.transpose(gate)  # [steps, 1]

        def step(t: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
            return layer.recur(tf.gather(projected, t)[None], tf.gather(gates, t)[None], h)

        state = tf.reshape(initial_state, (1, layer.units))
        return loops.fold(step, state, tf.shape(projected)[0], layer.units)

    return call


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
