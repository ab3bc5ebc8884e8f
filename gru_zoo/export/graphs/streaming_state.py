"""What a causal model remembers between two time steps, and how a step changes it.

GRU                   h                 h' = recur(x, h)
maximum over time     m                 m' = max(m, x)
mean over time        s, n              s' = s + x,  n' = n + 1,  mean = s / n
causal convolution    k frames          the oldest goes, x comes
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from gru_zoo.export.graphs import convolution
from gru_zoo.export.graphs.convolution import CONVOLUTIONS
from gru_zoo.export.graphs.network import Steps
from gru_zoo.export.graphs.recurrence import recur
from gru_zoo.export.names import STATE, initial_value
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU


def looks_ahead(layer: keras.layers.Layer) -> str | None:
    """Return why a layer needs later steps for an earlier one's output, or None if it does not.

    Example:
        >>> looks_ahead(GRU(7, go_backwards=True))
        'go_backwards must be False; got True'
    """
    if isinstance(layer, layers.Bidirectional) or getattr(layer, "bidirectional", False):
        return "it is bidirectional, and the backward direction starts at the last step"
    if getattr(layer, "go_backwards", False):
        return "go_backwards must be False; got True"
    if isinstance(layer, CONVOLUTIONS) and layer.padding == "same" and convolution.reach(layer):
        return "padding must be 'causal'; got 'same', which reads later steps"
    return None


class StreamingState:
    """Runs by one step whatever knows time: a `timed` for `Network.walk`, used for one walk.

    Args:
        before: name -> [1, size], the states before the step; None takes the initial ones.
        aliases: layer's name -> shorter one for its states, or "".
        projected: what is known already: GRU's name -> [3 units], its input's projection;
            convolution's name -> [filters], its output. Such a convolution has no state.
        advance: False leaves the states as they are: outputs are those of the step before.
        masked: whether a masked step leaves the states as they are; a stream has no such steps.

    Attributes:
        initial: name -> [1, size], the states before the first step. Names begin with "state_".
        after: name -> [1, size], the states after the step.
        gates: "<layer>_z" and "<layer>_r" -> [1, units].

    Example:
        >>> gru = GRU(7, return_sequences=True)
        >>> gru.build((1, None, 4))
        >>> streaming = StreamingState()
        >>> streaming("gru", gru, Steps(tf.ones((1, 4)))).rows.shape, sorted(streaming.after)
        (TensorShape([1, 7]), ['state_gru'])
    """

    _counts = tf.float32  # type of what counts steps, or tells that there was one

    def __init__(
        self,
        before: Mapping[str, tf.Tensor] | None = None,
        aliases: Mapping[str, str] | None = None,
        projected: Mapping[str, tf.Tensor] | None = None,
        advance: bool = True,
        masked: bool = False,
    ) -> None:
        self._before = before
        self._aliases = aliases or {}
        self._projected = projected or {}
        self._advance = advance
        self._masked = masked
        self.initial: dict[str, tf.Tensor] = {}
        self.after: dict[str, tf.Tensor] = {}
        self.gates: dict[str, tf.Tensor] = {}

    def __call__(self, name: str, layer: keras.layers.Layer, x: Steps) -> Any:
        """Return the layer's output after the step: Steps of one row, or [1, size].

        Raises:
            ValueError: the layer looks ahead, or its state has the name of another's.
        """
        if reason := looks_ahead(layer):
            raise ValueError(f"layer {name!r} cannot run step by step: {reason}.")
        if isinstance(layer, GRU):
            return self._gru(name, layer, x)
        if isinstance(layer, StackedGRU):
            return self._stacked(name, layer, x)
        if isinstance(layer, CONVOLUTIONS):
            return self._convolution(name, layer, x)
        pooled = self._pooling(name, layer, x)
        return pooled[:, None] if getattr(layer, "keepdims", False) else pooled

    def _gru(self, name: str, gru: GRU, x: Steps) -> Any:
        cell, state = gru.cell, self._name(name)
        h = self._value(state, tf.zeros((1, gru.units)))
        if self._advance:
            projected = self._projected.get(name)
            projected = cell.project(x.rows) if projected is None else projected
            new, z, r = recur(cell, projected, h)
            self.gates |= {f"{name}_z": z, f"{name}_r": r}
            h = self._unless_masked(x, new, h)
        self.after[state] = h
        bounded = cell.activation is keras.activations.tanh
        output = Steps(h, x.mask, state, bounded, known=False) if gru.return_sequences else h
        return (output, h) if gru.return_state else output

    def _stacked(self, name: str, stacked: StackedGRU, x: Steps) -> Any:
        last = []
        for layer, (gru,) in enumerate(stacked.grus):
            x, h = self._gru(f"{name}_{layer}", gru, x)
            last.append(h)
        if self._masked and x.mask is not None:  # Unlike a GRU it does not repeat itself.
            x = x.like(tf.where(x.mask[:, None], x.rows, tf.zeros_like(x.rows)))
        return (x, tf.stack(last)) if stacked.return_state else x

    def _convolution(self, name: str, layer: keras.layers.Layer, x: Steps) -> Steps:
        # Keras' layer takes no notice of a mask, and gives none.
        if name in self._projected:
            return Steps(self._projected[name][None], known=x.known)
        frames = convolution.reach(layer)
        if not frames:
            return Steps(convolution.over_sequence(layer, x.rows), known=x.known)
        convolution.require_steps_kept(layer)
        state = self._name(name)
        before = self._value(state, tf.zeros((1, frames * x.rows.shape[-1])))
        rows, after = convolution.in_step(layer, before, x.rows)
        # Who does not advance reads what a GRU or a pooling behind it holds, and not these rows.
        self.after[state] = after if self._advance else before
        return Steps(rows, known=x.known)

    def _pooling(self, name: str, layer: keras.layers.Layer, x: Steps) -> tf.Tensor:
        if isinstance(layer, layers.GlobalMaxPooling1D):
            return self._largest(name, dataclasses.replace(x, mask=None))  # As in Keras.
        mean, count = self._mean(name, x)
        if isinstance(layer, layers.GlobalAveragePooling1D):
            return mean
        if x.state is None:
            zeros = tf.zeros_like(x.rows)
            last = self._update(x, self._name(name, "last"), zeros, lambda _: x.rows)
        else:
            last = self.after[x.state]
        # As `MaskedPooling.result` has it: zeros before the first step.
        return tf.concat([last, self._largest(name, x), mean], -1) * tf.minimum(count, 1)

    def _mean(self, name: str, x: Steps) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean of each feature so far, [1, size], and of how many steps, [1, 1]."""
        count = self._count(name, x)
        total = self._sum(name, x, x.rows)
        return total / tf.maximum(count, 1), count

    def _count(self, name: str, x: Steps) -> tf.Tensor:
        zero = tf.zeros((1, 1), self._counts)
        return self._update(x, self._name(name, "count"), zero, lambda n: n + 1)

    def _sum(self, name: str, x: Steps, rows: tf.Tensor) -> tf.Tensor:
        zeros = tf.zeros_like(rows)
        return self._update(x, self._name(name, "sum"), zeros, lambda s: s + rows)

    def _largest(self, name: str, x: Steps) -> tf.Tensor:
        """Return the largest of each feature so far."""
        state = self._name(name, "max")
        # Below all that a GRU gives, and it survives integer quantization, unlike -inf.
        lowest = initial_value(state) * tf.ones_like(x.rows)
        if x.bounded:
            return self._update(x, state, lowest, lambda m: tf.maximum(m, x.rows))
        begun = self._name(name, "begun")
        zero = tf.zeros((1, 1), self._counts)
        self._update(x, begun, zero, lambda n: tf.maximum(n, tf.ones_like(n)))
        before = self.initial[begun] if self._before is None else self._before[begun]
        started = before > 0
        return self._update(
            x,
            state,
            lowest,
            lambda m: tf.where(started, tf.maximum(m, x.rows), x.rows),
        )

    def _update(
        self,
        x: Steps,
        state: str,
        initial: tf.Tensor,
        change: Callable[[tf.Tensor], tf.Tensor],
    ) -> tf.Tensor:
        """Return a state after the step."""
        before = self._value(state, initial)
        self.after[state] = before
        if self._advance:
            self.after[state] = self._unless_masked(x, change(before), before)
        return self.after[state]

    def _unless_masked(self, x: Steps, new: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        if self._masked and x.mask is not None:
            return tf.where(x.mask[:, None], new, before)
        return new

    def _name(self, layer: str, part: str = "") -> str:
        if not part and initial_value(layer):
            part = "h"  # A GRU's state begins at zero, whatever its layer is called.
        names = (self._aliases.get(layer, layer), part)
        # As TensorFlow's signatures have it.
        return STATE + re.sub(r"\W", "_", "_".join(name for name in names if name))

    def _value(self, state: str, initial: tf.Tensor) -> tf.Tensor:
        """Return a state before the step."""
        if state in self.initial:
            raise ValueError(
                f"layers must have names that give their states different ones; two give {state!r}."
            )
        self.initial[state] = initial
        return initial if self._before is None else self._before[state]
