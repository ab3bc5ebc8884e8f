"""From one sequence of subwords to another: an encoder, attention, a decoder in two layers."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from gru_zoo.arguments import fraction, positive_int
from gru_zoo.layers.attention import Attention, rows_of
from gru_zoo.layers.encoders import encoder
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.subwords import PAD, Subwords


@keras.saving.register_keras_serializable(package="gru_zoo")
class TiedEmbedding(keras.layers.Layer):
    """Vectors of tokens, and with the same matrix the logits of tokens (Press and Wolf 2017).

        x = sqrt(d) E[w]            logits = y E^T + b            E [tokens, d]

    Args:
        tokens: how many there are.
        dim: size d of a vector.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: ids `[...]` int. Returns vectors `[..., dim]`.

    Example:
        >>> layer = TiedEmbedding(9, 4)
        >>> layer.logits(layer(tf.ones((3, 5), tf.int32))).shape
        TensorShape([3, 5, 9])
    """

    def __init__(self, tokens: int, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens, self.dim = positive_int("tokens", tokens), positive_int("dim", dim)

    def build(self, input_shape: Any = None) -> None:
        """Make E and b."""
        # Products with E^T start at about 1, as the products of its rows do.
        normal = keras.initializers.RandomNormal(stddev=self.dim**-0.5)
        self.embeddings = self.add_weight((self.tokens, self.dim), normal, name="embeddings")
        self.bias = self.add_weight((self.tokens,), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Return vectors `[..., dim]` for ids `[...]`."""
        return tf.gather(self.embeddings.value, inputs) * self.dim**0.5

    def logits(self, features: Any) -> Any:
        """Return logits `[..., tokens]` for features `[..., dim]`."""
        # Not `@`: of a stack of rows it makes a product a sentence, which takes ten times as long.
        return ops.matmul(features, ops.transpose(self.embeddings.value)) + self.bias.value

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "tokens": self.tokens, "dim": self.dim}


@keras.saving.register_keras_serializable(package="gru_zoo")
class Seq2Seq(keras.Model):
    """Translate: give every subword a probability of being the translation's next one.

        m = bidirectional layers over the source
        s = layer over the target so far            c_i = attention of s_i to m
        o = layer over [s; c]                       p = softmax over E (W [o; c] + a)

    Attention stands between two causal layers, not inside one (the form of GNMT, Wu et al. 2016):
    so in training every layer reads its whole sequence at once, and nothing loops over steps. One
    matrix E embeds source and target and gives the logits. The causal layers start from zeros.

    Args:
        subwords: turns text into ids; kept inside the model and its `.keras` file.
        cell: "gru", "lstm", "rnn" or "transformer", every layer's.
        dim: size of a subword's vector.
        units: size of the state, of each direction.
        num_layers: bidirectional layers above each other.
        heads: of the attention.
        kind: of the attention, "dot" or "additive".
        dropout: share of the features dropped before each layer in training, in [0, 1).

    Call arguments:
        inputs: {"source": ids `[batch, time]`, "target": ids `[batch, steps]`} int32, 0 is
            padding; a target starts with <s>.

    Returns:
        logits `[batch, steps, subwords]` float32; those of step i are of the subword after it.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> subwords = Subwords.fit(["ein Haus", "a house"], size=20, longest=10)
        >>> model = Seq2Seq(subwords, dim=4, units=6, heads=2)
        >>> ids = tf.ones((3, 5), tf.int32)
        >>> model({"source": ids, "target": ids[:, :4]}).shape == (3, 4, len(subwords))
        True
    """

    def __init__(
        self,
        subwords: Subwords,
        cell: str = "gru",
        dim: int = 256,
        units: int = 256,
        num_layers: int = 1,
        heads: int = 4,
        kind: str = "dot",
        dropout: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.subwords, self.cell = subwords, cell
        self.dim, self.units = positive_int("dim", dim), positive_int("units", units)
        self.num_layers = positive_int("num_layers", num_layers)
        self.dropout = fraction("dropout", dropout)
        # Rounded up, so that any units go with any heads.
        width = -(-self.units // positive_int("heads", heads)) * heads
        with dtype_policy_scope(self.dtype_policy):
            self.embedding = TiedEmbedding(len(subwords), self.dim, name="embedding")
            self.readers = [
                encoder(cell, units, bidirectional=True, name=f"reader_{i}")
                for i in range(num_layers)
            ]
            self.lower = encoder(cell, units, causal=True, name="lower")
            self.attention = Attention(width, kind, heads, name="attention")
            self.upper = encoder(cell, units, causal=True, name="upper")
            self.project = keras.layers.Dense(self.dim, name="project")
            places = ("source", "target", "memory", "middle", "out")
            self.drop = {p: keras.layers.Dropout(self.dropout, name=f"drop_{p}") for p in places}
        self.build()
        pass_on_trainable(self)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights."""
        self.embedding.build()
        shape = (None, None, self.dim)
        for reader in self.readers:
            reader.build(shape)
            shape = reader.compute_output_shape(shape)
        self.lower.build((None, None, self.dim))
        self.attention.build((None, None, self.units), shape)
        self.upper.build((None, None, self.units + self.attention.units))
        self.project.build((None, None, self.units + self.attention.units))
        self.built = True

    def read(self, source: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Return what the decoder needs to know of the source.

        Args:
            source: ids `[batch, time]` int32, 0 is padding.
            training: whether to drop features.

        Returns:
            keys and values `[batch, time, attention.units]`, mask `[batch, time]` bool.
        """
        mask = tf.not_equal(source, PAD)
        x = self.drop["source"](self.embedding(source), training=training)
        for number, reader in enumerate(self.readers):
            if number:
                x = self.drop["memory"](x, training=training)
            x = reader(x, mask=mask, training=training)
        return (*self.attention.prepare(self.drop["memory"](x, training=training)), mask)

    def features(self, target: Any, memory: tuple[Any, Any, Any], training: bool = False) -> Any:
        """Return features `[batch, steps, dim]`, whose `embedding.logits` are the logits.

        Args:
            target: ids `[batch, steps]` int32, from <s> on.
            memory: of `read`.
            training: whether to drop features.
        """
        x = self.drop["target"](self.embedding(target), training=training)
        s = self.lower(x, training=training)
        context, _ = self.attention.attend(s, *memory)
        x = self.drop["middle"](tf.concat([s, context], -1), training=training)
        o = self.upper(x, training=training)
        x = self.drop["middle"](tf.concat([o, context], -1), training=training)
        return self.drop["out"](self.project(x), training=training)

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Return logits; see the class."""
        memory = self.read(inputs["source"], training=training)
        return self.embedding.logits(self.features(inputs["target"], memory, training=training))

    def weights_of(self, source: Any, target: Any) -> Any:
        """Return the attention `[batch, steps, time]` of targets to sources, mean of the heads."""
        s = self.lower(self.embedding(target))
        return tf.reduce_mean(self.attention.attend(s, *self.read(source))[1], axis=1)

    def start(self, sentences: int, beams: int) -> list[Any]:
        """Return the state before the first step, one array `[sentences, beams, size]` a part."""
        if self.cell == "transformer":  # It keeps what it wrote, and reads it anew at each step.
            return [tf.zeros((sentences, beams, 0), tf.int32)]
        sizes = self.state_sizes
        return [tf.zeros((sentences, beams, size), self.compute_dtype) for size in sizes]

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of a recurrent decoder's state, the lower layer's first."""
        return [*_sizes(self.lower), *_sizes(self.upper)]

    def step(
        self, ids: Any, state: list[Any], memory: tuple[Any, Any, Any]
    ) -> tuple[Any, list[Any]]:
        """Return logits `[sentences, beams, subwords]` of the next subword, and the next state.

        Args:
            ids: the last subword of each beam, int32 `[sentences, beams]`.
            state: of `start` or of the step before.
            memory: of `read`, for each sentence.
        """
        if self.cell == "transformer":
            return self._reread(ids, state[0], memory)
        return self.step_from(self.embedding(ids), state, memory)

    def step_from(
        self, vectors: Any, state: list[Any], memory: tuple[Any, Any, Any]
    ) -> tuple[Any, list[Any]]:
        """Do a step of a recurrent cell for subwords that are looked up: `[..., beams, dim]`."""
        cut = len(_sizes(self.lower))
        s, below = _advance(self.lower, vectors, state[:cut])
        context, _ = self.attention.attend(s, *memory)
        o, above = _advance(self.upper, tf.concat([s, context], -1), state[cut:])
        features = self.project(tf.concat([o, context], -1))
        return self.embedding.logits(features), [*below, *above]

    def _reread(self, ids: Any, before: Any, memory: tuple[Any, Any, Any]) -> tuple[Any, list[Any]]:
        """Do a step of a decoder without a state: read all that was written."""
        written = tf.concat([before, ids[:, :, None]], axis=-1)
        beams, steps = tf.shape(ids)[1], tf.shape(written)[2]
        memory = tuple(tf.repeat(part, beams, axis=0) for part in memory)
        features = self.features(tf.reshape(written, (-1, steps)), memory)[:, -1]
        logits = self.embedding.logits(features)
        return tf.reshape(logits, (-1, beams, logits.shape[-1])), [written]

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the subwords as their own configuration."""
        own = ("cell", "dim", "units", "num_layers", "dropout")
        return {
            **super().get_config(),
            **trainable_config(self),
            "subwords": self.subwords.get_config(),
            **{name: getattr(self, name) for name in own},
            "heads": self.attention.heads,
            "kind": self.attention.kind,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Seq2Seq:
        """Make the model of `get_config`, with new weights."""
        subwords = Subwords.from_config(config["subwords"])
        return made_from(cls, {**config, "subwords": subwords})


def _sizes(layer: keras.layers.Layer) -> list[int]:
    return keras.tree.flatten(layer.cell.state_size)


def _advance(layer: Any, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """Run a recurrent layer's cell on rows `[sentences, beams, features]`."""
    flat = [tf.reshape(part, (-1, part.shape[-1])) for part in (x, *state)]
    output, after = layer.cell(flat[0], flat[1:])
    back = [tf.reshape(part, (*rows_of(x), part.shape[-1])) for part in (output, *after)]
    return back[0], back[1:]
