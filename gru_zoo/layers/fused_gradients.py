"""The fused kernel's gradients that need no loop: those of the weights and of the inputs.

They follow from the gradients of every step's pre-activations, as few large products.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from gru_zoo.layers.fused_layout import is_small
from gru_zoo.layers.fused_norm import Group, before

_TO_TRANSPOSE = 2**20  # numbers; to move more takes longer than it saves, and as much memory again


def weight_gradients(
    inputs: tf.Tensor,
    lefts: list[tf.Tensor],
    parts: list[tf.Tensor],
    groups: list[Group | None],
    biases: int,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the gradients of kernel, recurrent kernel, bias and gain, and those of x W.

    Args:
        inputs: x, [time, batch, features]; all other arrays are [time, batch, units].
        lefts: what U's gates were multiplied with, three arrays.
        parts: dz, dr, dc and, for reset_after, the gradient of (h U + b')'s last gate.
        groups: of a layer normalization: z and r, c, by x and then by h.
        biases: the rank of the bias, 2 if it has a recurrent half.

    Returns:
        The gradients in the shapes of the weights, that of the gain only with a normalization; and
        dz, dr, dc as they are before x W's normalization, for `input_gradient`.
    """
    (dz, dr, dc), dp = parts[:3], parts[-1]
    by_x = [*before(groups[0], [dz, dr]), *before(groups[1], [dc])]
    by_h = [*before(groups[2], [dz, dr]), *before(groups[3], [dp])]
    steps, batch, units = lefts[0].shape
    if groups[0] is None and batch == 1 and is_small(steps, batch, units):
        kernel, recurrent, totals = _at_once(inputs, lefts, parts)
    else:
        kernel = [_outer(inputs, d) for d in by_x]
        recurrent = [_outer(h, d) for h, d in zip(lefts, by_h, strict=True)]
        totals = [tf.reduce_sum(d, [0, 1]) for d in parts]
    gradients = [tf.concat(kernel, 1), tf.concat(recurrent, 1), tf.concat(totals[:3], 0)]
    if biases == 2:
        gradients[2] = tf.stack([gradients[2], tf.concat([*totals[:2], totals[-1]], 0)])
    if groups[0] is not None:
        slopes = [dz, dr], [dc], [dz, dr], [dp]
        gains = [g.gain_gradients(d) for g, d in zip(groups, slopes, strict=True)]
        by_input, by_state = (tf.concat(gains[i] + gains[i + 1], 0) for i in (0, 2))
        gradients.append(tf.stack([by_input, by_state]))
    return gradients, by_x


def _outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Return the sum over time and batch of the outer products, [left units, right units]."""
    size = left.shape.num_elements()
    if size is None or size < _TO_TRANSPOSE:  # which an einsum does first, and the product gains
        return tf.einsum("tbd,tbu->du", left, right)
    left, right = (tf.reshape(array, [-1, array.shape[-1]]) for array in (left, right))
    return tf.matmul(left, right, transpose_a=True)


def _at_once(
    inputs: tf.Tensor, lefts: list[tf.Tensor], parts: list[tf.Tensor]
) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
    """Return the gates of both kernels' gradients and the biases', out of one product.

    XLA gives each product of a program to a waiting thread, which takes its time to wake. This
    product's blocks that nobody wants, of the inputs with dp and of the states with dc, take less.
    """
    different = list({id(left): left for left in lefts}.values())
    operands = [inputs, *different, tf.ones_like(inputs[..., :1])]
    product = _outer(tf.concat(operands, -1), tf.concat(parts, -1))
    of_x, *of_h, totals = tf.split(product, [array.shape[-1] for array in operands], 0)
    of_x, totals = (tf.split(array, len(parts), 1) for array in (of_x, totals))
    of_h = {id(h): tf.split(array, len(parts), 1) for h, array in zip(different, of_h, strict=True)}
    gates = zip(lefts, (0, 1, -1), strict=True)
    return of_x[:3], [of_h[id(left)][gate] for left, gate in gates], [t[0] for t in totals]


def input_gradient(kernel: tf.Tensor, by_x: list[tf.Tensor]) -> Any:
    """Return the gradient of the inputs, [batch, time, features].

    Args:
        kernel: [features, 3 units].
        by_x: the gradients of x W from `weight_gradients`, [time, batch, units] for each gate.

    Example:
        >>> by_x = [tf.ones([5, 2, 3])] * 3
        >>> input_gradient(tf.ones([4, 9]), by_x).shape
        TensorShape([2, 5, 4])
    """
    pairs = zip(by_x, tf.split(kernel, 3, axis=-1), strict=True)
    return sum(tf.einsum("tbu,du->btd", d, w) for d, w in pairs)
