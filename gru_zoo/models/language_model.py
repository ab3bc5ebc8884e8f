"""The next token of a text: embedding, a recurrent layer, softmax over the same embedding."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from gru_zoo.arguments import fraction, positive_int
from gru_zoo.layers.embeddings import embedding_table
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.layers.gru import GRU
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.tokenizers import WordTokenizer


@keras.saving.register_keras_serializable(package="gru_zoo")
class LanguageModel(keras.Model):
    """Give every token a probability of being the next one.

        h_t = GRU(E[w_t], h_(t-1))
        p(w_(t+1) | w_1 ... w_t) = softmax(E (W h_t + a) + b)

    with one matrix E for input and output (Press and Wolf 2017, Inan et al. 2017). Dropout keeps
    one pattern of features for all steps (Gal and Ghahramani 2016). Every part is causal: a text
    can also be fed token by token, by `initial_state`, `step` for each id, `output` at any time.

    Args:
        tokenizer: turns text into ids of words or characters; kept inside the model and its
            `.keras` file.
        embedding_dim: size of a token's vector.
        units: size of the recurrent state.
        dropout: share of vectors' and of projected features dropped in training, in [0, 1).
        kernel: how the GRU runs its sequence, see `gru_zoo.GRU`.

    Call arguments:
        inputs: ids `[batch, time]` int32; a text's first id is `<START>`.

    Returns:
        logits `[batch, time, tokens]` float32; `softmax` of them is the distribution of the token
        after each one.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = LanguageModel(tokenizer, embedding_dim=4, units=5)
        >>> model(keras.ops.ones((2, 7), "int32")).shape
        TensorShape([2, 7, 4])
    """

    def __init__(
        self,
        tokenizer: WordTokenizer | CharacterTokenizer,
        embedding_dim: int = 96,
        units: int = 384,
        dropout: float = 0.1,
        kernel: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.tokens = len(tokenizer.vocabulary)
        self.embedding_dim = positive_int("embedding_dim", embedding_dim)
        self.units = positive_int("units", units)
        self.dropout = fraction("dropout", dropout)
        self.kernel = kernel
        # Vectors are also the softmax's rows. Keras' default of 0.03 starts so close to equal
        # probabilities that learning is slow.
        vectors = keras.initializers.RandomNormal(stddev=0.1)
        with dtype_policy_scope(self.dtype_policy):
            self.embedding = keras.layers.Embedding(
                self.tokens, self.embedding_dim, embeddings_initializer=vectors, name="embedding"
            )
            self.vector_dropout = keras.layers.SpatialDropout1D(self.dropout, name="vector_dropout")
            self.rnn = GRU(
                self.units, return_sequences=True, return_state=True, kernel=kernel, name="rnn"
            )
            self.projection = keras.layers.Dense(self.embedding_dim, name="projection")
            self.projected_dropout = keras.layers.SpatialDropout1D(self.dropout, name="out_dropout")
        self.build((None, None))
        pass_on_trainable(self)

    def build(self, input_shape: tuple) -> None:
        """Make the weights, for ids `[batch, time]`."""
        self.embedding.build(input_shape)
        self.rnn.build((*input_shape, self.embedding_dim))
        self.projection.build((*input_shape, self.units))
        self.token_bias = self.add_weight((self.tokens,), "zeros", name="token_bias")
        self.built = True

    def read(self, ids: Any, state: Any = None, training: bool = False) -> tuple[Any, Any]:
        """Return projected features `[batch, time, embedding_dim]` and the state after the last id.

        Args:
            ids: `[batch, time]` int32.
            state: `[batch, units]` before the first id, or None for zeros.
            training: whether to drop features.
        """
        vectors = self.vector_dropout(self.embedding(ids), training=training)
        states, last = self.rnn(vectors, initial_state=state, training=training)
        return self.projected_dropout(self.projection(states), training=training), last

    def logits(self, projected: Any) -> Any:
        """Return logits `[..., tokens]` for projected features `[..., embedding_dim]`."""
        # Not `@`: of a stack of rows it makes a product a text, which takes several times as long.
        table = ops.transpose(embedding_table(self.embedding))
        return ops.matmul(projected, table) + self.token_bias.value

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return logits `[batch, time, tokens]` for ids `[batch, time]`."""
        return self.logits(self.read(inputs, training=training)[0])

    def initial_state(self, batch: int) -> dict[str, Any]:
        """Return the state before the first token, {"last": [batch, units]} as the weights are."""
        return {"last": tf.zeros((batch, self.units), self.variable_dtype)}

    def step(self, ids: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after one more token of each stream: ids `[batch]`."""
        projected = self.rnn.cell.project(self.embedding(ids))
        return {"last": self.rnn.cell.recur(projected, state["last"])}

    def output(self, state: dict[str, Any]) -> Any:
        """Return probabilities `[batch, tokens]` of the next token."""
        return tf.nn.softmax(self.logits(self.projection(state["last"])))

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the tokenizer as its own configuration."""
        return {
            **super().get_config(),
            **trainable_config(self),
            "tokenizer": self.tokenizer.get_config(),
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "dropout": self.dropout,
            "kernel": self.kernel,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> LanguageModel:
        """Make the model of `get_config`, with new weights."""
        tokenizer = CharacterTokenizer if "characters" in config["tokenizer"] else WordTokenizer
        read = tokenizer.from_config(config["tokenizer"])
        return made_from(cls, {**config, "tokenizer": read})
