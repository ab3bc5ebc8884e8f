"""A reader that answers with a span of a paragraph, after DrQA (Chen et al. 2017, section 3.2).

With c_i a word of the paragraph and q_j one of the question:

    a_i = sum_j softmax_j(relu(W c_i) . relu(W q_j)) q_j     the question, as c_i sees it
    p   = bidirectional GRUs over [c_i, a_i, whether c_i is in the question]
    q   = sum_j softmax_j(w y_j) y_j                         y a bidirectional GRU over q_j
    P_start(i) = softmax_i(p_i . U q),  P_end(i) = softmax_i(p_i . V q)

DrQA has pretrained word vectors and tags besides; here vectors are learnt with affixes and shape.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers.encoders import CELLS, encoder
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.spans import SpanText

_NEVER = -1e4  # before a softmax; float16 still holds it


@keras.saving.register_keras_serializable(package="gru_zoo")
class SpanReader(keras.Model):
    """Give every word of a paragraph a probability to begin the answer, and one to end it.

    Args:
        text: turns words into arrays; kept inside the model and its `.keras` file.
        embedding_dim: size of a word's vector; a fourth of it for prefixes, suffixes and shape.
        units: size of the recurrent state, of each direction.
        num_layers: of the paragraph's encoder.
        cell: see `gru_zoo.layers.encoders`.
        dropout: share of features dropped before and between encoders in training.
        name: of the model.
        trainable: whether its weights are learnt.
        dtype: policy of every layer, such as "mixed_float16"; None is that of the process.

    Call arguments:
        inputs: as `SpanText.encode` gives them.

    Returns:
        `start` and `end`, `[batch, context]` float32, each adding up to 1.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> text = SpanText(WordFeatures.fit([("Eva", "left")] * 2), 9, 5)
        >>> model = SpanReader(text, embedding_dim=8, units=3)
        >>> model(text.encode([["Eva", "left"]], [["Who", "left"]]))["start"].shape
        TensorShape([1, 2])
    """

    def __init__(
        self,
        text: SpanText,
        embedding_dim: int = 64,
        units: int = 64,
        num_layers: int = 2,
        cell: str = "gru",
        dropout: float = 0.3,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        sizes = {"embedding_dim": embedding_dim, "units": units, "num_layers": num_layers}
        for size in sizes:
            positive_int(size, sizes[size])
        one_of("cell", cell, CELLS)
        fraction("dropout", dropout)
        with dtype_policy_scope(dtype):
            inputs, context, question = _vectors(text, embedding_dim, dropout)
            there = ops.not_equal(inputs["context_word"], 0)  # [batch, context]
            asked = ops.not_equal(inputs["question_word"], 0)
            seen = _aligned(context, question, asked, units)
            x = layers.Concatenate(name="seen")([context, seen, inputs["same"]])
            options = {"bidirectional": True, "dropout": dropout}
            read = encoder(cell, units, num_layers=num_layers, **options, name="paragraph")
            x = read(x, mask=there)
            y = encoder(cell, units, **options, name="asked")(question, mask=asked)
            y = layers.Dropout(dropout, name="asked_dropout")(y)
            weight = ops.where(asked, ops.squeeze(layers.Dense(1, name="weight")(y), -1), _NEVER)
            whole = ops.sum(ops.softmax(weight)[:, :, None] * y, axis=1)  # [batch, 2 * units]
            x = layers.Dropout(dropout, name="paragraph_dropout")(x)
            outputs = {}
            for end in ("start", "end"):
                key = layers.Dense(2 * units, name=f"{end}_key")(whole)
                score = ops.sum(x * key[:, None], axis=-1)
                softmax = layers.Softmax(name=end)
                outputs[end] = softmax(ops.where(there, score, _NEVER))
            super().__init__(inputs=inputs, outputs=outputs, name=name, trainable=trainable)
        pass_on_trainable(self)
        self.text, self.options = text, {**sizes, "cell": cell, "dropout": dropout}

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the text's as its own configuration."""
        own = {"text": self.text.get_config(), **self.options}
        return {**super().get_config(), **trainable_config(self), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SpanReader:
        """Make the model of `get_config`, with new weights."""
        return made_from(cls, {**config, "text": SpanText.from_config(config["text"])})


def _vectors(text: SpanText, dim: int, dropout: float) -> tuple[dict[str, Any], Any, Any]:
    """Return the inputs by name, and the words' vectors of paragraph and question."""
    inputs, both = {}, []
    tables = {
        name: layers.Embedding(size, dim if name == "word" else max(1, dim // 4), name=name)
        for name, size in text.features.sizes.items()
    }
    drop = layers.Dropout(dropout, name="word_dropout")
    for part in ("context", "question"):
        found = []
        for name, table in tables.items():
            ids = keras.Input((None,), dtype="int32", name=f"{part}_{name}")
            inputs[f"{part}_{name}"] = ids
            found.append(table(ids))
        both.append(drop(layers.Concatenate(name=f"{part}_words")(found)))
    inputs["same"] = keras.Input((None, 2), name="same")
    return inputs, *both


def _aligned(context: Any, question: Any, asked: Any, units: int) -> Any:
    """Return for every word of the paragraph the question's words it is most like."""
    project = layers.Dense(units, "relu", name="align")
    scores = ops.matmul(project(context), ops.transpose(project(question), (0, 2, 1)))
    shares = ops.softmax(ops.where(asked[:, None], scores, _NEVER), axis=-1)
    return ops.matmul(shares, question)


def best_span(start: np.ndarray, end: np.ndarray, longest: int = 15) -> tuple[int, int, float]:
    """Return first and last word of the likeliest span, and P_start * P_end.

    Args:
        start: probabilities, [words].
        end: probabilities, [words].
        longest: most words of a span.

    Example:
        >>> best_span(np.array([0.1, 0.2, 0.7]), np.array([0.8, 0.1, 0.1]), longest=2)[:2]
        (0, 0)
    """
    scores = np.tril(np.triu(np.outer(start, end)), longest - 1)
    first, last = np.unravel_index(scores.argmax(), scores.shape)
    return int(first), int(last), float(scores[first, last])
