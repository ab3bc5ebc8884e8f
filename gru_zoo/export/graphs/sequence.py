"""Layers that know time over a whole sequence at once, for graphs of batch 1.

Masks mean what they mean in Keras: a masked step leaves the state as it is, and the output of the
step before is given again. A convolution reads it as any other, and its output has no mask.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from gru_zoo.export.graphs import convolution, loops
from gru_zoo.export.graphs.convolution import CONVOLUTIONS
from gru_zoo.export.graphs.network import Steps
from gru_zoo.export.graphs.recurrence import recur
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

_MERGE = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "concat": lambda a, b: tf.concat([a, b], axis=-1),
}


def run(name: str, layer: keras.layers.Layer, x: Steps) -> Any:
    """Return a layer's output for all steps: a `timed` for `Network.walk`.

    Raises:
        ValueError: the layer has an option that such a graph does not have.

    Example:
        >>> gru = GRU(7, return_sequences=True)
        >>> gru.build((1, None, 4))
        >>> run("gru", gru, Steps(tf.ones((5, 4)))).rows.shape
        TensorShape([5, 7])
    """
    if isinstance(layer, GRU):
        return _gru(layer, x)
    if isinstance(layer, StackedGRU):
        return _stacked(layer, x)
    if isinstance(layer, layers.Bidirectional):
        return _bidirectional(name, layer, x)
    if isinstance(layer, CONVOLUTIONS):  # Keras' take no notice of a mask, and give none.
        return Steps(convolution.over_sequence(layer, x.rows), known=x.known)
    if isinstance(layer, layers.GlobalMaxPooling1D) or x.mask is None:
        return layer(x.rows[None])
    return layer(x.rows[None], mask=x.mask[None])


def _gru(gru: GRU, x: Steps) -> Any:
    cell, mask = gru.cell, x.mask
    projected = cell.project(x.rows)  # [steps, 3 units]
    if gru.go_backwards:
        projected = tf.reverse(projected, [0])
        mask = None if mask is None else tf.reverse(mask, [0])

    def step(t: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        new, _, _ = recur(cell, tf.gather(projected, t), h)
        return new if mask is None else tf.where(tf.gather(mask, t), new, h)

    h = tf.zeros((1, gru.units))
    if gru.return_sequences:
        rows = loops.collect(step, h, tf.split(projected, 3, axis=-1)[0])
        h = rows[-1:]
        if mask is not None and gru.zero_output_for_mask:
            rows = tf.where(mask[:, None], rows, tf.zeros_like(rows))
        output = Steps(rows, x.mask, known=False)
    else:
        h = loops.fold(step, h, tf.shape(projected)[0], gru.units)
        output = h
        if mask is not None and gru.zero_output_for_mask:
            output = tf.where(mask[-1], h, tf.zeros_like(h))
    return (output, h) if gru.return_state else output


def _stacked(stacked: StackedGRU, x: Steps) -> Any:
    last = []
    for grus in stacked.grus:
        both = []
        for gru in grus:
            y, h = _gru(gru, x)
            both.append(tf.reverse(y.rows, [0]) if gru.go_backwards else y.rows)
            last.append(h)
        x = Steps(tf.concat(both, axis=-1), x.mask, known=False)
    if x.mask is not None:  # Unlike a GRU it does not repeat itself.
        x = x.like(tf.where(x.mask[:, None], x.rows, tf.zeros_like(x.rows)))
    return (x, tf.stack(last)) if stacked.return_state else x


def _bidirectional(name: str, layer: layers.Bidirectional, x: Steps) -> Any:
    both = (layer.forward_layer, layer.backward_layer)
    if not all(isinstance(gru, GRU) for gru in both):
        raise ValueError(
            f"layer {name!r} must be bidirectional around a GRU; got {both[0].name!r}."
        )
    one, two = (keras.tree.flatten(_gru(gru, x)) for gru in both)
    if layer.return_sequences:
        one[0], two[0] = one[0].rows, tf.reverse(two[0].rows, [0])
    output = [one[0], two[0]]
    if layer.merge_mode is not None:
        output = [_MERGE[layer.merge_mode](*output)]
    if layer.return_sequences:
        output = [Steps(rows, x.mask, known=False) for rows in output]
    return [*output, *one[1:], *two[1:]]
