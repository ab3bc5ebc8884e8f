"""What a model remembers, in a form that integers can hold over any number of steps.

A GRU's state and a maximum stay within a fixed range; 8 bits hold them. A sum does not: over 1,000
steps one unit of 8 bits would be 8, and no step would ever change it. Nor does a running mean,
whose changes (x - mean) / n soon fall below half a unit. So a sum is kept in int32 fixed point,
where adding is exact, and its steps in int32:

    s' = s + round(2^12 x),  n' = n + 1,  mean = 2^-12 floor(s' / n')

The division is of integers too: a sum that is quantized before it is divided would be rounded to
one of 256 numbers between the smallest and the largest sum. Where a runtime divides floats only,
as TFLM does, it is one of floats: exact as long as |s| < 2^24, a unit of 2^-12 off at most beyond.
"""

from __future__ import annotations

import tensorflow as tf

from gru_zoo.export.graphs.network import Steps
from gru_zoo.export.graphs.streaming_state import StreamingState

# One unit of a sum is 2^-12. The sum of numbers up to m in size then holds for 2^19 / m steps.
UNITS = 2.0**12


class IntegerState(StreamingState):
    """A `StreamingState` with sums, counts and flags in int32; other states are the same float32.

    Example:
        >>> streaming = IntegerState()
        >>> pooling = tf.keras.layers.GlobalAveragePooling1D()
        >>> streaming("mean", pooling, Steps(tf.constant([[0.5, -0.25]]))).numpy()
        array([[ 0.5 , -0.25]], dtype=float32)
        >>> streaming.after["state_mean_sum"].numpy()
        array([[ 2048, -1024]], dtype=int32)
    """

    _counts = tf.int32

    def _mean(self, name: str, x: Steps) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean, which the layers behind it read in float32, and 1 for its count.

        Nobody asks for more of the count than whether there was a step, and after one there was.
        """
        count = self._count(name, x)
        total = self._sum(name, x, tf.cast(tf.round(UNITS * x.rows), tf.int32))
        return self._quotient(total, tf.maximum(count, 1)) / UNITS, tf.ones((1, 1))

    def _quotient(self, total: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.math.floordiv(total, steps), tf.float32)


class FloatQuotientState(IntegerState):
    """An `IntegerState` that divides in float32, for a runtime without a division of integers.

    Example:
        >>> streaming = FloatQuotientState()
        >>> pooling = tf.keras.layers.GlobalAveragePooling1D()
        >>> streaming("mean", pooling, Steps(tf.constant([[0.5, -0.25]]))).numpy()
        array([[ 0.5 , -0.25]], dtype=float32)
    """

    def _quotient(self, total: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        # The converter would compute DIV in 8 bits; FLOOR_DIV it leaves in float.
        return tf.math.floordiv(tf.cast(total, tf.float32), tf.cast(steps, tf.float32))
