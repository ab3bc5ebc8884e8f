"""What a causal model remembers between two time steps, and how a step changes it.

GRU                   h                 h' = recur(x, h)
maximum over time     m                 m' = max(m, x)
mean over time        s, n              s' = s + x,  n' = n + 1,  mean = s / n
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from gru_zoo.export.network import Steps
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

STATE = "state_"


class Memory:
    """Runs by one step whatever knows time: a `timed` for `Network.walk`, used for one walk.

    Args:
        before: name -> [1, size], the states before the step; None takes the initial ones.
        aliases: layer's name -> shorter one for its states, or "".
        projected: GRU's name -> [1, 3 units], its input's projection where it is known already.
        advance: False leaves the states as they are: outputs are those of the step before.

    Attributes:
        initial: name -> [1, size], the states before the first step. Names begin with "state_".
        after: name -> [1, size], the states after the step.
        gates: "<layer>_z" and "<layer>_r" -> [1, units].

    Example:
        >>> gru = GRU(7, return_sequences=True)
        >>> gru.build((1, None, 4))
        >>> memory = Memory()
        >>> memory("gru", gru, Steps(tf.ones((1, 4)))).rows.shape, sorted(memory.after)
        (TensorShape([1, 7]), ['state_gru'])
    """

    def __init__(
        self,
        before: Mapping[str, tf.Tensor] | None = None,
        aliases: Mapping[str, str] | None = None,
        projected: Mapping[str, tf.Tensor] | None = None,
        advance: bool = True,
    ) -> None:
        self._before = before
        self._aliases = aliases or {}
        self._projected = projected or {}
        self._advance = advance
        self.initial: dict[str, tf.Tensor] = {}
        self.after: dict[str, tf.Tensor] = {}
        self.gates: dict[str, tf.Tensor] = {}

    def __call__(self, name: str, layer: keras.layers.Layer, x: Steps) -> Any:
        """Return the layer's output after the step: Steps of one row, or [1, size].

        Raises:
            ValueError: the layer looks ahead.
        """
        if isinstance(layer, layers.Bidirectional) or getattr(layer, "bidirectional", False):
            raise ValueError(
                f"layer {name!r} must read in one direction for a graph of one step; it is "
                "bidirectional: the backward direction starts at the last step."
            )
        if getattr(layer, "go_backwards", False):
            raise ValueError(
                f"layer {name!r} must have go_backwards=False for a graph of one step; got True."
            )
        if isinstance(layer, GRU):
            return self._gru(name, layer, x)
        if isinstance(layer, StackedGRU):
            return self._stacked(name, layer, x)
        return self._pooling(name, layer, x)

    def _gru(self, name: str, gru: GRU, x: Steps) -> Any:
        cell, state = gru.cell, self._name(name)
        h = self._value(state, tf.zeros((1, gru.units)))
        if self._advance:
            projected = self._projected.get(name)
            projected = cell.project(x.rows) if projected is None else projected
            z, r, _ = cell.gates(projected, h)
            self.gates |= {f"{name}_z": z, f"{name}_r": r}
            h = cell.recur(projected, h, kept=cell.zoneout_share(h, training=False))
        self.after[state] = h
        bounded = cell.activation is keras.activations.tanh
        output = Steps(h, state=state, bounded=bounded) if gru.return_sequences else h
        return (output, h) if gru.return_state else output

    def _stacked(self, name: str, stacked: StackedGRU, x: Steps) -> Any:
        last = []
        for layer, (gru,) in enumerate(stacked.grus):
            x, h = self._gru(f"{name}_{layer}", gru, x)
            last.append(h)
        return (x, tf.stack(last)) if stacked.return_state else x

    def _pooling(self, name: str, layer: keras.layers.Layer, x: Steps) -> tf.Tensor:
        if isinstance(layer, layers.GlobalMaxPooling1D):
            return self._largest(name, x)
        count = self._update(name, "count", tf.zeros((1, 1)), lambda n: n + 1)
        total = self._update(name, "sum", tf.zeros_like(x.rows), lambda s: s + x.rows)
        if isinstance(layer, layers.GlobalAveragePooling1D):
            return total / tf.maximum(count, 1)
        if x.state is None:
            last = self._update(name, "last", tf.zeros_like(x.rows), lambda _: x.rows)
        else:
            last = self.after[x.state]
        largest = self._largest(name, x)
        return layer.result({"last": last, "max": largest, "sum": total, "count": count})

    def _largest(self, name: str, x: Steps) -> tf.Tensor:
        """Return the largest of each feature so far."""
        if x.bounded:
            # Neutral, and it survives integer quantization, unlike -inf.
            return self._update(name, "max", -tf.ones_like(x.rows), lambda m: tf.maximum(m, x.rows))
        begun = self._update(name, "begun", tf.zeros((1, 1)), tf.ones_like, new=False)
        return self._update(
            name,
            "max",
            tf.zeros_like(x.rows),
            lambda m: tf.where(begun > 0, tf.maximum(m, x.rows), x.rows),
        )

    def _update(
        self,
        name: str,
        part: str,
        initial: tf.Tensor,
        change: Callable[[tf.Tensor], tf.Tensor],
        new: bool = True,
    ) -> tf.Tensor:
        """Change a state; return it after the step, or with new=False before it."""
        state = self._name(name, part)
        before = self._value(state, initial)
        self.after[state] = change(before) if self._advance else before
        return self.after[state] if new else before

    def _name(self, layer: str, part: str = "") -> str:
        names = (self._aliases.get(layer, layer), part)
        return STATE + "_".join(name for name in names if name)

    def _value(self, state: str, initial: tf.Tensor) -> tf.Tensor:
        """Return a state before the step."""
        self.initial[state] = initial
        return initial if self._before is None else self._before[state]
