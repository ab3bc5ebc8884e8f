"""Where the batch stands in the fused kernel's loops, and the loop itself.

The forward pass has two layouts of a state: rows, [batch, units], and columns, [units, batch].
The CPU's matrix product packs long weights anew in every step, and reads them 10 to 25 % faster as
the left operand of weights @ columns. Saved gates are rows, as the large products that follow the
backward loop want them. benchmarks/NOTES.md has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

_COLUMNS_UNITS = 192
_SMALL = 2**23  # steps * batch * units^2 whose products are done before a waiting thread wakes


class Layout(NamedTuple):
    """Rows, or columns; `state` stands for [batch, units] or [units, batch]."""

    columns: bool = False

    def sequence(self, array: tf.Tensor) -> tf.Tensor:
        """Return [batch, time, units] as [time, *state]."""
        return tf.transpose(array, [1, 2, 0] if self.columns else [1, 0, 2])

    def outputs(self, array: tf.Tensor) -> tf.Tensor:
        """Return [time, *state] as [batch, time, units]."""
        return tf.transpose(array, [2, 0, 1] if self.columns else [1, 0, 2])

    def state(self, array: tf.Tensor) -> tf.Tensor:
        """Return [batch, units] as a state, or a state as [batch, units]."""
        return tf.transpose(array) if self.columns else array

    def bias(self, vector: tf.Tensor) -> tf.Tensor:
        """Return [units] so that it adds to a state."""
        return vector[:, tf.newaxis] if self.columns else vector

    def weights(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return [inputs, outputs] as `product` takes it; to be called before the loop."""
        return tf.transpose(matrix) if self.columns else matrix

    def product(self, state: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Return state times weights, a state."""
        return weights @ state if self.columns else state @ weights

    def split(self, state: tf.Tensor, count: int) -> list[tf.Tensor]:
        """Return equal parts of a state's units."""
        return tf.split(state, count, axis=0 if self.columns else 1)


ROWS = Layout()


def layout_for(rows: int | None, units: int) -> Layout:
    """Return the faster layout for `rows` of a batch (None if not known) in one program."""
    return Layout(columns=units >= _COLUMNS_UNITS and rows != 1)


def is_small(steps: Any, batch: int | None, units: int) -> bool:
    """Whether products over all steps are known to be too small to be worth one thread more."""
    known = isinstance(steps, int) and batch is not None
    return known and steps * batch * units**2 < _SMALL


def loop(
    step: Callable[..., tuple[tf.Tensor, list[tf.Tensor]]],
    state: tf.Tensor,
    time: Any,
    count: Any,
    rows: int,
    *,
    over: Sequence[tf.Tensor] = (),
    backwards: bool = False,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Run `step`(t, state, ...) -> (state, rows) `count` times, or `time` times if that is None.

    Args:
        over: arrays [time, *state] that the first rows are written over, so that their memory is
            neither cleared nor new; `step` is given what they hold at t.

    Returns:
        The last state, and each row's array [time, *state]; where no step came, zeros or `over`.
    """
    steps = time if count is None else count

    def begun(row: int) -> tf.TensorArray:
        zeros = tf.TensorArray(state.dtype, time, element_shape=state.shape)
        if row < len(over):
            return zeros.unstack(over[row])
        if row == 0 or count is not None or is_small(time, *state.shape):
            return zeros
        # Nothing of it is left. XLA would make equal arrays once, and read that to copy it.
        shape = [time, *tf.unstack(tf.shape(state))]
        return zeros.unstack(tf.fill(shape, tf.cast(row, state.dtype)))

    def body(i: tf.Tensor, state: tf.Tensor, arrays: list[tf.TensorArray]) -> Any:
        t = steps - 1 - i if backwards else i
        state, values = step(t, state, *(array.read(t) for array in arrays[: len(over)]))
        return i + 1, state, [a.write(t, v) for a, v in zip(arrays, values, strict=True)]

    _, state, arrays = tf.while_loop(
        lambda i, *_: i < steps,
        body,
        (0, state, [begun(row) for row in range(rows)]),
        maximum_iterations=time,
    )
    return state, [array.stack() for array in arrays]
