"""The GRU's step in the operators that TFLite runs fastest.

The equations are those of `GRUCell`. For a loop of small products the number of operators is what
costs, so `z * h + (1 - z) * c` is written `c + z * (h - c)`, and one split into three gates
replaces slices. Conventions for which this form does not hold are left to the cell.
"""

from __future__ import annotations

import tensorflow as tf

from gru_zoo.layers.gru import GRUCell


def recur(
    cell: GRUCell, projected: tf.Tensor, h: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the state after one step, and its gates z and r, [1, units] each.

    Args:
        cell: a built cell.
        projected: `cell.project` of the step's input, [3 units] or [1, 3 units].
        h: the state before, [1, units].

    Example:
        >>> cell = GRUCell(7)
        >>> cell.build((1, 4))
        >>> h, z, r = recur(cell, cell.project(tf.ones((1, 4))), tf.zeros((1, 7)))
        >>> h.shape, bool(tf.reduce_all(z < 1))
        (TensorShape([1, 7]), True)
    """
    # A subclass may compute something else.
    if type(cell) is not GRUCell or not cell.reset_after or cell.layer_norm or cell.zoneout:
        projected = tf.reshape(projected, (1, 3 * cell.units))
        z, r, _ = cell.gates(projected, h)
        return cell.recur(projected, h, kept=cell.zoneout_share(h, training=False)), z, r
    recurrent = tf.matmul(h, cell.recurrent_kernel)
    if cell.bias is not None:
        recurrent = recurrent + cell.biases()[1]
    x_z, x_r, x_c = tf.split(projected, 3, axis=-1)
    h_z, h_r, h_c = tf.split(recurrent, 3, axis=-1)
    z = cell.recurrent_activation(x_z + h_z)
    r = cell.recurrent_activation(x_r + h_r)
    c = cell.activation(x_c + r * h_c)
    after = c + z * (h - c) if cell.update_gate == "keep" else h + z * (c - h)
    return after, z, r
