"""Layer normalization in the fused kernel, and its gradient by hand.

With n = (a - mean a) / sqrt(variance a + epsilon) over the units of a group, and d the gradient of
gain * n:

    gradient of the gain = sum over batch and time of d * n
    gradient of a        = (e - mean e - n * mean (e * n)) / sqrt(variance a + epsilon)

where e = gain * d. z and r are one group, c is another (Ba et al., 2016, supplement). Units stand
on the last axis.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


def normalized(arrays: list[tf.Tensor], epsilon: float) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Return a group's arrays normalized together, and 1 / sqrt(variance + epsilon) [..., 1]."""
    mean = _mean(arrays)
    centred = [a - mean for a in arrays]
    scale = tf.math.rsqrt(_mean([a * a for a in centred]) + epsilon)
    return [a * scale for a in centred], scale


def gained(
    arrays: list[tf.Tensor], gains: list[tf.Tensor], epsilon: float | None
) -> list[tf.Tensor]:
    """Return gain * n of a group; the arrays themselves if epsilon is None, without a norm."""
    if epsilon is None:
        return arrays
    return [g * n for g, n in zip(gains, normalized(arrays, epsilon)[0], strict=True)]


class Group(NamedTuple):
    """What the gradient of one group needs, of all steps: arrays are [time, batch, units]."""

    gains: list[tf.Tensor]
    normal: list[tf.Tensor]
    scale: tf.Tensor

    @classmethod
    def of(cls, arrays: list[tf.Tensor], gains: list[tf.Tensor], epsilon: float) -> Group:
        """Normalize the group's arrays."""
        return cls(gains, *normalized(arrays, epsilon))

    def values(self) -> list[tf.Tensor]:
        """Return gain * n."""
        return [g * n for g, n in zip(self.gains, self.normal, strict=True)]

    def at(self, t: tf.Tensor) -> Group:
        """Return the group at one step."""
        return Group(self.gains, [n[t] for n in self.normal], self.scale[t])

    def before(self, slopes: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the gradients of what was normalized, from those of gain * n."""
        slopes = [g * d for g, d in zip(self.gains, slopes, strict=True)]
        mean = _mean(slopes)
        along = _mean([d * n for d, n in zip(slopes, self.normal, strict=True)])
        pairs = zip(slopes, self.normal, strict=True)
        return [self.scale * (d - mean - n * along) for d, n in pairs]

    def gain_gradients(self, slopes: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the gradients of the gains, [units] each."""
        return [tf.reduce_sum(d * n, [0, 1]) for d, n in zip(slopes, self.normal, strict=True)]


def before(group: Group | None, slopes: list[tf.Tensor]) -> list[tf.Tensor]:
    """Return `group.before(slopes)`, or the slopes themselves without a normalization."""
    return slopes if group is None else group.before(slopes)


def _mean(arrays: list[tf.Tensor]) -> tf.Tensor:
    means = [tf.reduce_mean(a, axis=-1, keepdims=True) for a in arrays]
    return tf.add_n(means) / len(means)
