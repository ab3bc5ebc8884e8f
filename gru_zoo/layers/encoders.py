"""One call for every cell that reads a sequence: GRU, LSTM, plain RNN, Transformer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend.common import global_state

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers.checks import require_flags
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.layers.gru import GRU

CELLS = ("gru", "lstm", "rnn", "transformer")
_HEADS = 4
_RECURRENT = {"gru": GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}


def encoder(
    cell: str,
    units: int,
    *,
    bidirectional: bool = False,
    causal: bool = False,
    num_layers: int = 1,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    name: str | None = None,
) -> keras.layers.Layer:
    """Return a layer that reads a sequence and says something of every step.

    The layer takes `[batch, time, features]` float, with Keras' mask or without one, and returns
    `[batch, time, units * directions]`, the mask kept; directions is 2 with `bidirectional`, else
    1. No number of a masked step reaches an unmasked one; NaN does, through a Transformer.

    Args:
        cell: "gru" (`gru_zoo.GRU`), "lstm" and "rnn" (Keras' LSTM and SimpleRNN) or "transformer".
        units: size of the state of each direction; a Transformer is `units * directions` wide.
        bidirectional: read in both directions.
        causal: a step sees no later one. A recurrent cell of one direction is causal by itself;
            a Transformer needs it said.
        num_layers: layers above each other.
        dropout: share dropped in training, between recurrent layers (none after the last), or in
            every branch of the Transformer.
        recurrent_dropout: share of the state dropped before its product in training, the same at
            every step (Gal and Ghahramani 2016); of recurrent cells only.
        name: of the layer.

    Raises:
        ValueError: an argument is out of its range, `bidirectional` and `causal` at once, or
            `recurrent_dropout` of a Transformer.

    Example:
        >>> layer = encoder("lstm", 7, bidirectional=True)
        >>> layer(ops.ones((3, 5, 4))).shape
        TensorShape([3, 5, 14])
    """
    one_of("cell", cell, CELLS)
    units, num_layers = positive_int("units", units), positive_int("num_layers", num_layers)
    fraction("dropout", dropout)
    fraction("recurrent_dropout", recurrent_dropout)
    require_flags(bidirectional=bidirectional, causal=causal)
    if bidirectional and causal:
        raise ValueError("causal must be False with bidirectional=True; got True.")
    if cell == "transformer":
        if recurrent_dropout:
            raise ValueError(f"recurrent_dropout must be 0 for {cell!r}; got {recurrent_dropout}.")
        width = units * (2 if bidirectional else 1)
        return Transformer(width, num_layers, causal, dropout, name=name)
    if num_layers == 1:
        return _recurrent(cell, units, bidirectional, recurrent_dropout, name)
    names = [f"layer_{number}" for number in range(num_layers)]
    options = cell, units, bidirectional, recurrent_dropout
    return Stack([_recurrent(*options, own) for own in names], dropout, name)


def _recurrent(
    cell: str, units: int, bidirectional: bool, recurrent_dropout: float, name: str | None
) -> keras.layers.Layer:
    options = {"return_sequences": True, "recurrent_dropout": recurrent_dropout, "name": name}
    layer = _RECURRENT[cell](units, **options)
    return both_directions(layer, name) if bidirectional else layer


def both_directions(layer: keras.layers.Layer, name: str | None = None) -> keras.layers.Layer:
    """Return `keras.layers.Bidirectional` of a layer, safe to be made while a file is loaded.

    Keras makes both directions from the layer's configuration. While it loads a file it knows
    objects by their addresses, those too that are long gone: a layer at such an address would be
    taken for one that Keras met before, and its two directions be one, or another layer's.

    Its policy is the layer's: under another one it would round what the layer reads.

    Example:
        >>> layer = both_directions(keras.layers.LSTM(7), name="reader")
        >>> layer.backward_layer.go_backwards
        True
    """
    with _nothing_shared():
        return keras.layers.Bidirectional(layer, name=name, dtype=layer.dtype_policy)


@contextlib.contextmanager
def _nothing_shared() -> Iterator[None]:
    """Have Keras forget for a while which objects it met in the file that it loads."""
    names = [f"shared_objects/id_to_{what}_map" for what in ("obj", "config")]
    known = {name: global_state.get_global_attribute(name) for name in names}
    try:
        for name in known:
            global_state.set_global_attribute(name, None)
        yield
    finally:
        for name, value in known.items():
            global_state.set_global_attribute(name, value)


@keras.saving.register_keras_serializable(package="gru_zoo")
class Stack(keras.layers.Layer):
    """Layers above each other, with dropout between them in training.

    Args:
        layers: each from `[batch, time, features]` to the next one's input, and taking a mask.
        dropout: share of the features dropped between them, in [0, 1).
        name: of the layer.

    Raises:
        ValueError: `dropout` is out of its range.

    Example:
        >>> stack = Stack([GRU(7, return_sequences=True), GRU(6, return_sequences=True)])
        >>> stack(ops.ones((3, 5, 4))).shape
        TensorShape([3, 5, 6])
    """

    def __init__(
        self,
        layers: Sequence[keras.layers.Layer],
        dropout: float = 0.0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.layers = list(layers)
        self.dropout = fraction("dropout", dropout)
        self.dropouts = [
            keras.layers.Dropout(self.dropout, dtype=self.dtype_policy) for _ in self.layers[1:]
        ]
        self.supports_masking = True
        pass_on_trainable(self)

    def build(self, input_shape: tuple) -> None:
        """Make the weights, for inputs `[batch, time, features]`."""
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Return the last layer's outputs `[batch, time, features]`."""
        x = self.layers[0](inputs, mask=mask, training=training)
        for dropout, layer in zip(self.dropouts, self.layers[1:], strict=True):
            x = layer(dropout(x, training=training), mask=mask, training=training)
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return `(batch, time, features of the last layer)`."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layers' own configurations and the dropout."""
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        own = {"layers": layers, "dropout": self.dropout}
        return {**super().get_config(), **trainable_config(self), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Stack:
        """Make the stack of `get_config`, with new weights."""
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return made_from(cls, {**config, "layers": layers})


@keras.saving.register_keras_serializable(package="gru_zoo")
class Transformer(keras.layers.Layer):
    """A Transformer's encoder (Vaswani et al. 2017), normalized before each branch.

        x = W s + b + p                      p_(t,2i) = sin(t / 10000^(2i/d)), p_(t,2i+1) = cos
        x = x + attention(LN(x))             4 heads of d // 4 features, 2 or more
        x = x + W2 relu(W1 LN(x))            W1 from d to 4 d features
        y = LN(x)                            after the last block

    The norms stand before the branches, as in Xiong et al. 2020: so it trains without a warm-up.

    Args:
        units: the width d.
        num_layers: blocks above each other.
        causal: a step attends to itself and earlier ones only.
        dropout: share dropped of the input and of what each branch adds, in training.

    Call arguments:
        inputs: `[batch, time, features]` float.
        mask: `[batch, time]` bool or None; no step attends to one that is False.

    Returns:
        `[batch, time, units]`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> Transformer(8, num_layers=2)(ops.ones((3, 5, 4))).shape
        TensorShape([3, 5, 8])
    """

    def __init__(
        self,
        units: int,
        num_layers: int = 1,
        causal: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.num_layers = positive_int("num_layers", num_layers)
        require_flags(causal=causal)
        self.causal, self.dropout = bool(causal), fraction("dropout", dropout)
        self.supports_masking = True
        same = {"dtype": self.dtype_policy}
        self.project = keras.layers.Dense(self.units, name="project", **same)
        self.input_dropout = keras.layers.Dropout(self.dropout, name="input_dropout", **same)
        self.blocks = [
            _Block(self.units, self.dropout, name=f"block_{number}", **same)
            for number in range(self.num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(name="norm", **same)
        pass_on_trainable(self)

    def build(self, input_shape: tuple) -> None:
        """Make the weights, for inputs `[batch, time, features]`."""
        self.project.build(input_shape)
        width = (*input_shape[:2], self.units)
        for layer in (*self.blocks, self.norm):
            layer.build(width)

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Return `[batch, time, units]`."""
        time = ops.shape(inputs)[1]
        x = self.project(inputs) + ops.cast(self._positions(time), self.compute_dtype)
        x = self.input_dropout(x, training=training)
        seen = None if mask is None else ops.cast(mask, "bool")[:, None, :]  # [batch, 1, time]
        if self.causal:
            steps = ops.arange(time)
            earlier = (steps[None, :] <= steps[:, None])[None]  # [1, time, time]
            seen = earlier if seen is None else ops.logical_and(seen, earlier)
        for block in self.blocks:
            x = block(x, seen=seen, training=training)
        return self.norm(x)

    def _positions(self, time: Any) -> Any:
        """Return the position vectors p, `[time, units]`."""
        feature = np.arange(self.units)
        rate = 10_000.0 ** (-(feature - feature % 2) / self.units)
        # cos a = sin(a + pi / 2): one formula for both, and an odd width needs nothing special.
        shift = np.where(feature % 2, np.pi / 2, 0.0)
        steps = ops.cast(ops.arange(time), "float32")[:, None]
        return ops.sin(steps * rate.astype("float32") + shift.astype("float32"))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return `(batch, time, units)`."""
        return (*input_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        names = ("units", "num_layers", "causal", "dropout")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **trainable_config(self), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Transformer:
        """Make the layer of `get_config`, with new weights."""
        return made_from(cls, config)


class _Block(keras.layers.Layer):
    """Attention and a feed-forward network, each added to what it read."""

    def __init__(self, units: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        same = {"dtype": self.dtype_policy}
        self.attention_norm = keras.layers.LayerNormalization(name="attention_norm", **same)
        # With one feature a head Keras 3 adds the heads' bias [4, 1] to a sequence of four steps
        # along its time: to `keras.ops.add` it looks like the bias of channels that come first.
        size = max(2, units // _HEADS)
        self.attention = keras.layers.MultiHeadAttention(_HEADS, size, name="attention", **same)
        self.forward_norm = keras.layers.LayerNormalization(name="forward_norm", **same)
        self.widen = keras.layers.Dense(4 * units, activation="relu", name="widen", **same)
        self.narrow = keras.layers.Dense(units, name="narrow", **same)
        self.attention_dropout = keras.layers.Dropout(dropout, name="attention_dropout", **same)
        self.forward_dropout = keras.layers.Dropout(dropout, name="forward_dropout", **same)

    def build(self, input_shape: tuple) -> None:
        self.attention.build(input_shape, input_shape)
        pass_on_trainable(self.attention)  # It makes its parts only now.
        for layer in (self.attention_norm, self.forward_norm, self.widen):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:2], 4 * input_shape[-1]))

    def call(self, x: Any, seen: Any = None, training: bool = False) -> Any:
        normed = self.attention_norm(x)
        added = self.attention(normed, normed, attention_mask=seen, training=training)
        x = x + self.attention_dropout(added, training=training)
        added = self.narrow(self.widen(self.forward_norm(x)))
        return x + self.forward_dropout(added, training=training)
