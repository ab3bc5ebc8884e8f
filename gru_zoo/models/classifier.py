"""Text to one of several labels: embedding, a recurrent layer, pooling, softmax."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.arguments import fraction, one_of, positive_int, texts
from gru_zoo.layers import encoders
from gru_zoo.layers.checks import require_flags
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.pooling import MaskedPooling
from gru_zoo.models.keras_file import load_keras_file
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.tokenizers import WordTokenizer, string_tensor
from gru_zoo.text.wordpiece import WordPieceTokenizer

# "keras_gru" is the same network around Keras' own layer: the baseline that speed is measured by.
CELLS = (*encoders.CELLS, "keras_gru")


@keras.saving.register_keras_serializable(package="gru_zoo")
class SequenceClassifier(keras.Model):
    """Give each text a probability for every label.

    `softmax(W [h_T; max(h); mean(h)] + b)` over the states h of one recurrent layer that reads
    word embeddings; the pooling is that of Howard and Ruder 2018, section 3.3. A GRU with
    `bidirectional=False` is causal, so a text can also be fed word by word: `initial_state`,
    `step` for each id, `output` at any time.

    Args:
        tokenizer: turns text into ids; kept inside the model and its `.keras` file.
        labels: names of the classes, in the order of the probabilities.
        embedding_dim: size of a word vector.
        units: size of the recurrent state.
        cell: "gru" (ours), "lstm", "rnn" or "transformer", see `encoder`; or "keras_gru"
            (`keras.layers.GRU`, for comparison).
        dropout: share of embeddings and of pooled features dropped in training, in [0, 1).
        bidirectional: read in both directions; such a model cannot stream.
        kernel: how our GRU runs its sequence, see `gru_zoo.GRU`.

    Call arguments:
        inputs: ids `[batch, time]` int32, 0 is padding; or raw texts, a string tensor `[batch]`.
            `predict` takes texts of Python, NumPy and pandas too.

    Returns:
        probabilities `[batch, len(labels)]` float32.

    Raises:
        ValueError: an argument is out of its range, or labels are fewer than two or repeated.

    Example:
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = SequenceClassifier(tokenizer, embedding_dim=4, units=5)
        >>> model.predict(["a fine film"], verbose=0).shape
        (1, 2)
    """

    def __init__(
        self,
        tokenizer: WordTokenizer | WordPieceTokenizer,
        labels: Sequence[str] = ("negative", "positive"),
        embedding_dim: int = 64,
        units: int = 128,
        cell: str = "gru",
        dropout: float = 0.3,
        bidirectional: bool = False,
        kernel: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.labels = tuple(labels)
        for label in self.labels:
            if not isinstance(label, str) or not label or label.splitlines() != [label]:
                raise ValueError(f"labels must be texts of one line; got {label!r}.")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be two or more different names; got {self.labels!r}.")
        self.tokenizer = tokenizer
        self.embedding_dim = positive_int("embedding_dim", embedding_dim)
        self.units = positive_int("units", units)
        self.cell = one_of("cell", cell, CELLS)
        self.dropout = fraction("dropout", dropout)
        require_flags(bidirectional=bidirectional)
        self.bidirectional = bool(bidirectional)
        self.kernel = kernel
        with dtype_policy_scope(self.dtype_policy):
            self.embedding = keras.layers.Embedding(
                len(tokenizer.vocabulary), self.embedding_dim, mask_zero=True, name="embedding"
            )
            # Whole word vectors are kept aligned over time: one pattern of dropped features a text.
            self.embedding_dropout = keras.layers.SpatialDropout1D(
                self.dropout, name="word_dropout"
            )
            self.rnn = self._recurrent_layer()
            self.pooling = MaskedPooling(name="pooling")
            self.pooled_dropout = keras.layers.Dropout(self.dropout, name="pooled_dropout")
            self.head = keras.layers.Dense(len(self.labels), activation="softmax", name="head")
        self.build((None, tokenizer.sequence_length))
        pass_on_trainable(self)

    def _recurrent_layer(self) -> keras.layers.Layer:
        if self.cell == "gru":
            layer = GRU(self.units, return_sequences=True, kernel=self.kernel, name="rnn")
        elif self.cell == "keras_gru":
            layer = keras.layers.GRU(self.units, return_sequences=True, name="rnn")
        else:
            # Without dropout inside of a Transformer: recurrent cells have none either.
            reader = {"bidirectional": self.bidirectional, "name": "rnn"}
            return encoders.encoder(self.cell, self.units, **reader)
        return encoders.both_directions(layer, "rnn") if self.bidirectional else layer

    def build(self, input_shape: tuple) -> None:
        """Make the weights, for ids `[batch, time]`."""
        features = (input_shape[0], input_shape[1], self.embedding_dim)
        width = self.units * (2 if self.bidirectional else 1)
        self.embedding.build(input_shape)
        self.rnn.build(features)
        self.head.build((input_shape[0], 3 * width))
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return probabilities `[batch, labels]` for ids `[batch, time]` or texts `[batch]`."""
        ids = self.tokenizer(inputs) if inputs.dtype == tf.string else inputs
        return self.read(self.embedding(ids), self.embedding.compute_mask(ids), training)

    def read(
        self, vectors: Any, mask: Any, training: bool = False, save_gates: bool = False
    ) -> Any:
        """Return probabilities `[batch, labels]` for word vectors `[batch, time, embedding_dim]`.

        Args:
            vectors: of the words, float32.
            mask: `[batch, time]` bool, False for padding.
            training: whether to drop features.
            save_gates: whether a gradient will be asked for although nothing is dropped: our GRU
                then keeps what that needs, as it does in training, and need not compute it again.
        """
        vectors = self.embedding_dropout(vectors, training=training)
        # Our GRU here has no dropout of its own, so that training changes no result of it.
        keep = training or (save_gates and self.cell == "gru")
        states = self.rnn(vectors, mask=mask, training=keep)  # [batch, time, units]
        pooled = self.pooling(states, mask=mask)  # [batch, 3 * units]
        return self.head(self.pooled_dropout(pooled, training=training))

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Return probabilities as NumPy, `[batch, len(labels)]`.

        Args:
            x: one text, or several as a list, a tuple, a NumPy array or a pandas Series: strings,
                or UTF-8 as bytes. Or what `keras.Model.predict` takes: ids, a data set.
            **kwargs: of `keras.Model.predict`.

        Raises:
            ValueError: a collection without a text, or with something else beside the texts.
        """
        given = texts("x", x)
        x = x if given is None else string_tensor(given)
        return super().predict(x, **kwargs)

    def initial_state(self, batch: int) -> dict[str, Any]:
        """Return the state before the first word, each entry `[batch, ...]` as the weights are.

        Raises:
            ValueError: the model reads in both directions, or its cell is not our GRU.
        """
        if self.cell != "gru":
            raise ValueError(f"cell must be 'gru' for streaming; got {self.cell!r}.")
        if self.bidirectional:
            raise ValueError(
                "bidirectional must be False for streaming; got True: "
                "the backward direction starts at the last word."
            )
        return self.pooling.initial_state(batch, self.units)

    def step(self, ids: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after one more word of each stream: ids `[batch]`, not padding."""
        projected = self.rnn.cell.project(self.embedding(ids))
        return self.pooling.update(state, self.rnn.cell.recur(projected, state["last"]))

    def output(self, state: dict[str, Any]) -> Any:
        """Return probabilities `[batch, labels]` for what was read so far."""
        return self.head(self.pooling.result(state))

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the tokenizer as its vocabulary and length."""
        return {
            **super().get_config(),
            **trainable_config(self),
            "tokenizer": self.tokenizer.get_config(),
            "labels": list(self.labels),
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "cell": self.cell,
            "dropout": self.dropout,
            "bidirectional": self.bidirectional,
            "kernel": self.kernel,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SequenceClassifier:
        """Make the model of `get_config`, with new weights."""
        tokenizer = WordPieceTokenizer if "pieces" in config["tokenizer"] else WordTokenizer
        read = tokenizer.from_config(config["tokenizer"])
        return made_from(cls, {**config, "tokenizer": read})


def load_classifier(path: str | os.PathLike) -> SequenceClassifier:
    """Read a classifier from its `.keras` file, with Keras' safe mode on.

    Raises:
        ValueError: the file is missing, corrupt or cut short, or holds another kind of model.

    Example:
        >>> load_classifier("missing.keras")
        Traceback (most recent call last):
        ValueError: path must be a .keras file; missing.keras does not exist.
    """
    model = load_keras_file(path)
    if not isinstance(model, SequenceClassifier):
        raise ValueError(f"path must hold a SequenceClassifier; got a {type(model).__name__}.")
    return model
