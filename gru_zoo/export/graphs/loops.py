"""Loops over time whose cost in TFLite is linear in the number of steps.

TFLite copies every value that a loop carries, in each iteration. A buffer of all T steps' results
would be copied T times: quadratic. So results go into a block of 12 rows, 12 blocks into a block
of 144, and those into the whole: three loops, one inside the other. A step then costs a copy of
12 + 12 + T / 144 rows.

Loops count in float32: exact to 2^24, and XNNPACK adds it with everything else, where TFLite's own
addition of integers costs a twentieth of a step of 128 units (benchmarks/NOTES_TFLITE.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

BLOCK = 12
LEVELS = 2
# Steps an iteration: each saves the loop's own cost, and each has a packed copy of the weights.
UNROLLED = 4
# Above this, four copies of the recurrent kernel leave the processor's nearest caches.
UNROLLED_UNITS = 96


def fold(step: Callable[[tf.Tensor, Any], Any], state: Any, count: tf.Tensor, units: int) -> Any:
    """Return the state after `count` steps.

    Args:
        step: (number of the step, scalar int32; state) -> state, a nest of tensors.
        state: before the first step.
        count: how many steps, scalar int32.
        units: size of the state, for the choice of steps an iteration.

    Example:
        >>> int(fold(lambda t, total: total + t, tf.constant(0), tf.constant(5), units=64))
        10
    """
    t, count = tf.constant(0.0), tf.cast(count, tf.float32)

    def several(times: int) -> Callable:
        def body(t: tf.Tensor, state: Any) -> tuple[tf.Tensor, Any]:
            for _ in range(times):
                state = step(tf.cast(t, tf.int32), state)
                t = t + 1
            return t, state

        return body

    if units <= UNROLLED_UNITS:
        last = count - (UNROLLED - 1)
        t, state = tf.while_loop(lambda t, _: t < last, several(UNROLLED), (t, state))
    return tf.while_loop(lambda t, _: t < count, several(1), (t, state))[1]


def collect(
    step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], h: tf.Tensor, like: tf.Tensor
) -> tf.Tensor:
    """Return the states of all steps, [steps, units].

    Args:
        step: (number of the step, scalar int32; h [1, units]) -> h [1, units].
        h: before the first step.
        like: [steps, units], any numbers: a tensor whose shape TFLite knows before it runs.

    Example:
        >>> h = collect(lambda t, h: h + 1, tf.zeros((1, 2)), tf.zeros((3, 2)))
        >>> h.numpy().tolist()
        [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    """
    count, most = tf.cast(tf.shape(like)[0], tf.float32), BLOCK**LEVELS
    # The last block may stick out: an update that does not fit would be moved up.
    whole = tf.pad(like, [[0, most - 1], [0, 0]])
    _, _, whole = _fill(LEVELS, step, tf.constant(0.0), h, count, whole)
    return whole[: 1 - most]


def _fill(
    level: int,
    step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    t: tf.Tensor,
    h: tf.Tensor,
    end: tf.Tensor,
    buffer: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Write the states of steps t ... end - 1 into a buffer; return the next t, h, the buffer."""
    rows = BLOCK**level

    def body(
        t: tf.Tensor, place: tf.Tensor, h: tf.Tensor, buffer: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        if level == 0:
            t, h = t + 1, step(tf.cast(t, tf.int32), h)
            block = h
        else:
            # What stands there first does not matter, and a constant would be in the file.
            block = tf.tile(h, [rows, 1])
            t, h, block = _fill(level - 1, step, t, h, tf.minimum(t + rows, end), block)
        buffer = xla.dynamic_update_slice(buffer, block, tf.cast(place, tf.int32))
        return t, place + tf.constant([rows, 0.0]), h, buffer

    t, _, h, buffer = tf.while_loop(
        lambda t, *_: t < end, body, (t, tf.constant([0.0, 0.0]), h, buffer)
    )
    return t, h, buffer
