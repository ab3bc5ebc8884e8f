"""Attention of every step of one sequence to all steps of another, additive or dot product.

q_i = Wq s_i        k_j = Wk m_j        v_j = Wv m_j             cut into heads of equal size
e_ij = u . tanh(q_i + k_j)              additive (Bahdanau et al. 2015)
e_ij = q_i . k_j / sqrt(size)           dot (Luong et al. 2015; scaled as Vaswani et al. 2017)
a_ij = softmax over j of e_ij, steps of the memory that the mask hides left out
c_i = sum over j of a_ij v_j            the heads side by side
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from gru_zoo.arguments import one_of, positive_int
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config

KINDS = ("additive", "dot")
# Scores beside which any other vanishes: their weight is 0, or the same for all if all have them.
_HIDDEN = {"float32": -1e9, "float64": -1e18}


def rows_of(tensor: Any) -> tuple[Any, Any]:
    """Return a tensor's first two sizes for `reshape`: one may be -1, none is computed in vain.

    A computed size makes everything behind it dynamic on a device, -1 does not.

    Example:
        >>> rows_of(ops.ones((3, 5, 4)))
        (3, 5)
    """
    batch, steps = tensor.shape[:2]
    if batch is not None:
        return batch, -1 if steps is None else steps
    return -1, ops.shape(tensor)[1] if steps is None else steps


@keras.saving.register_keras_serializable(package="gru_zoo")
class Attention(keras.layers.Layer):
    """What each step of `query` takes from `memory`; see the module for the equations.

    Args:
        units: size of queries, keys and values together, a multiple of `heads`.
        kind: "additive" or "dot".
        heads: attentions beside each other, each of size units / heads.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `[batch, steps, features]` float.
        memory: `[batch, time, others]` float.
        memory_mask: `[batch, time]` bool or None; False hides a step of the memory. Where every
            step is hidden, some mean of its values is given, and no one should read it.

    Returns:
        contexts `[batch, steps, units]`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> layer = Attention(6, "additive", heads=2)
        >>> layer(ops.ones((3, 5, 4)), ops.ones((3, 7, 8))).shape
        TensorShape([3, 5, 6])
    """

    def __init__(self, units: int, kind: str = "dot", heads: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.heads = positive_int("units", units), positive_int("heads", heads)
        self.kind = one_of("kind", kind, KINDS)
        if self.units % self.heads:
            raise ValueError(f"units must be a multiple of heads={heads}; got {units}.")
        same = {"dtype": self.dtype_policy}
        self.query = keras.layers.Dense(self.units, name="query", **same)
        self.key = keras.layers.Dense(self.units, use_bias=False, name="key", **same)
        self.value = keras.layers.Dense(self.units, name="value", **same)
        pass_on_trainable(self)

    def build(self, query_shape: tuple, memory_shape: tuple) -> None:
        """Make the weights for queries and a memory of these shapes."""
        self.query.build(query_shape)
        self.key.build(memory_shape)
        self.value.build(memory_shape)
        if self.kind == "additive":
            size = self.units // self.heads
            self.combine = self.add_weight((self.heads, 1, 1, size), name="combine")

    def prepare(self, memory: Any) -> tuple[Any, Any]:
        """Return keys and values of a memory `[batch, time, features]`: `[batch, time, units]`."""
        return self.key(memory), self.value(memory)

    def attend(self, query: Any, keys: Any, values: Any, mask: Any = None) -> tuple[Any, Any]:
        """Return contexts and weights, for keys and values of `prepare`.

        Args:
            query: `[batch, steps, features]`.
            keys: `[batch, time, units]`.
            values: `[batch, time, units]`.
            mask: `[batch, time]` bool or None.

        Returns:
            contexts `[batch, steps, units]`, weights `[batch, heads, steps, time]`.
        """
        q, k, v = (self._heads(rows) for rows in (self.query(query), keys, values))
        if self.kind == "dot":
            scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * (q.shape[-1] ** -0.5)
        else:
            sums = ops.tanh(q[:, :, :, None] + k[:, :, None])  # [batch, heads, steps, time, size]
            scores = ops.sum(sums * self.combine, axis=-1)
        if mask is not None:
            # Half precision has no number as small, and its softmax is better taken in float32.
            wide = keras.backend.result_type(scores.dtype, "float32")
            hidden = ops.cast(ops.logical_not(mask), wide)
            scores = ops.cast(scores, wide) + _HIDDEN[wide] * hidden[:, None, None, :]
        weights = ops.cast(ops.softmax(scores, axis=-1), v.dtype)
        contexts = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))
        return ops.reshape(contexts, (*rows_of(query), self.units)), weights

    def _heads(self, rows: Any) -> Any:
        """Return rows `[batch, steps, units]` as `[batch, heads, steps, units / heads]`."""
        size = self.units // self.heads
        rows = ops.reshape(rows, (*rows_of(rows), self.heads, size))
        return ops.transpose(rows, (0, 2, 1, 3))

    def call(self, query: Any, memory: Any, memory_mask: Any = None) -> Any:
        """Return contexts; see the class."""
        return self.attend(query, *self.prepare(memory), memory_mask)[0]

    def compute_output_shape(self, query_shape: tuple, memory_shape: tuple) -> tuple:
        """Return `(batch, steps, units)`."""
        return (*query_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        own = {"units": self.units, "kind": self.kind, "heads": self.heads}
        return {**super().get_config(), **trainable_config(self), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Attention:
        """Make the layer of `get_config`, with new weights."""
        return made_from(cls, config)
