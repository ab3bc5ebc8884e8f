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
    values: int,
    *,
    over: Sequence[tf.Tensor] = (),
    backwards: bool = False,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Run `step` over t = 0, 1, ... and collect what it gives.

    Args:
        step: (t, state, *what `over` holds at t) -> (state, values): the next state, and a list of
            arrays of the state's shape, which are written at t.
        state: before the first step.
        time: the arrays' length, an int or int32 [].
        count: how many steps to run, int32 []; None runs `time`.
        values: how many values `step` gives.
        over: arrays [time, *state] that the first values are written over, so that their memory is
            neither cleared nor new.
        backwards: run from t = count - 1 down to 0.

    Returns:
        The last state, and each value's array [time, *state]; where no step came, zeros or `over`.

    Example:
        >>> def step(t, state):
        ...     return state + 1.0, [state]
        >>> last, (before,) = loop(step, tf.zeros([1, 1]), 3, None, 1)
        >>> float(last[0, 0]), before[:, 0, 0].numpy().tolist()
        (3.0, [0.0, 1.0, 2.0])
    """
    steps = time if count is None else count

    def begun(value: int) -> tf.TensorArray:
        zeros = tf.TensorArray(state.dtype, time, element_shape=state.shape)
        if value < len(over):
            return zeros.unstack(over[value])
        if value == 0 or count is not None or is_small(time, *state.shape):
            return zeros
        # Overwritten whole, so any number will do; each array has its own, because XLA would make
        # equal arrays once and copy them.
        shape = [time, *tf.unstack(tf.shape(state))]
        return zeros.unstack(tf.fill(shape, tf.cast(value, state.dtype)))

    def body(i: tf.Tensor, state: tf.Tensor, arrays: list[tf.TensorArray]) -> Any:
        t = steps - 1 - i if backwards else i
        state, given = step(t, state, *(array.read(t) for array in arrays[: len(over)]))
        return i + 1, state, [a.write(t, v) for a, v in zip(arrays, given, strict=True)]

    _, state, arrays = tf.while_loop(
        lambda i, *_: i < steps,
        body,
        (0, state, [begun(value) for value in range(values)]),
        maximum_iterations=time,
    )
    return state, [array.stack() for array in arrays]
