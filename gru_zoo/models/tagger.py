"""A tag for every word of a sentence: embeddings of words and affixes, bidirectional layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers.encoders import CELLS, encoder
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.word_features import WordFeatures, require_at_most

# Few lengths, so that few programs are compiled; the last is the longest sentence a tagger takes.
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 200)
_ROWS = 64


@keras.saving.register_keras_serializable(package="gru_zoo")
class Tagger(keras.Model):
    """Give every word of a sentence a probability for each tag.

    Embeddings of the word, its prefixes, suffixes and shape side by side, bidirectional layers one
    above the other, softmax at every step; the form of Plank et al. 2016, with affixes for their
    characters.

    Args:
        features: turns words into ids; kept inside the model and its `.keras` file.
        tags: names of the tags, in the order of the probabilities.
        word_dim: size of a word's vector.
        affix_dim: size of every other feature's vector.
        units: size of the recurrent state, of each direction.
        num_layers: GRUs above each other.
        dropout: share of features dropped before, between and after the recurrent layers, in
            [0, 1); before and after all blocks of a Transformer.
        cell: "gru", "lstm", "rnn" or "transformer", see `encoder`.
        name: of the model.
        trainable: whether its weights are learnt.
        dtype: policy of every layer, such as "mixed_float16"; None is that of the process.

    Call arguments:
        inputs: name of each feature -> ids `[batch, time]` int32, 0 is padding.

    Returns:
        probabilities `[batch, time, tags]` float32.

    Raises:
        ValueError: an argument is out of its range, or tags are fewer than two or repeated.

    Example:
        >>> features = WordFeatures.fit([("a", "film"), ("a", "film")])
        >>> model = Tagger(features, ["DET", "NOUN"], units=5)
        >>> model(features.encode([("a", "film")], time=3)).shape
        TensorShape([1, 3, 2])
        >>> [len(tags) for tags in model.tag([("a", "film"), ("film",)])]
        [2, 1]
    """

    def __init__(
        self,
        features: WordFeatures,
        tags: Sequence[str],
        word_dim: int = 96,
        affix_dim: int = 24,
        units: int = 128,
        num_layers: int = 2,
        dropout: float = 0.4,
        cell: str = "gru",
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        tags = tuple(tags)
        if len(tags) < 2 or len(set(tags)) != len(tags):
            raise ValueError(f"tags must be two or more different names; got {tags!r}.")
        sizes = {
            "word_dim": word_dim,
            "affix_dim": affix_dim,
            "units": units,
            "num_layers": num_layers,
        }
        for size in sizes:
            positive_int(size, sizes[size])
        fraction("dropout", dropout), one_of("cell", cell, CELLS)
        with dtype_policy_scope(dtype):
            inputs, x = _word_vectors(features, word_dim, affix_dim)
            x = layers.Dropout(dropout, name="dropout_0")(x)
            x = _stacked(x, cell, units, num_layers, dropout)
            x = layers.Dropout(dropout, name="dropout_out")(x)
            x = layers.Dense(len(tags), activation="softmax", name="head")(x)
            super().__init__(inputs=inputs, outputs=x, name=name, trainable=trainable)
        pass_on_trainable(self)
        self.features, self.tags = features, tags
        self.options = {**sizes, "dropout": dropout, "cell": cell}

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the most probable tag of every word of every sentence.

        Raises:
            ValueError: a sentence without a word, or one that is too long.
        """
        best = (found.argmax(axis=1) for found in self.probabilities(sentences))
        return [[self.tags[number] for number in numbers] for numbers in best]

    def probabilities(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return probabilities [words, tags] float32 for each sentence.

        Args:
            sentences: words of each.

        Raises:
            ValueError: a sentence without a word, or one that is too long.
        """
        for number, words in enumerate(sentences, 1):
            # An array has no truth value.
            if words is None or isinstance(words, (str, bytes)) or len(words) == 0:
                raise ValueError(f"sentences must be words each; number {number} is {words!r}.")
        require_at_most(LENGTHS[-1], sentences)
        fitting = np.searchsorted(LENGTHS, [len(words) for words in sentences])
        results: dict[int, np.ndarray] = {}
        for bucket in np.unique(fitting):
            rows = np.flatnonzero(fitting == bucket)
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                # One shape a length: the last rows are filled with padding.
                filled = [sentences[row] for row in part] + [()] * (_ROWS - len(part))
                given = self.predict_on_batch(self.features.encode(filled, LENGTHS[bucket]))
                given = given.astype(np.float32)  # of mixed precision too
                for row, found in zip(part, given[: len(part)], strict=True):
                    results[row] = found[: len(sentences[row])]
        return [results[row] for row in range(len(sentences))]

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the features as their own configuration."""
        return {
            **super().get_config(),
            **trainable_config(self),
            "features": self.features.get_config(),
            "tags": list(self.tags),
            **self.options,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Tagger:
        """Make the model of `get_config`, with new weights."""
        features = WordFeatures.from_config(config["features"])
        return made_from(cls, {**config, "features": features})


def _word_vectors(
    features: WordFeatures, word_dim: int, affix_dim: int
) -> tuple[dict[str, Any], Any]:
    """Return Keras' inputs by name, and what is known of each word `[batch, time, features]`."""
    inputs, vectors = {}, []
    for name, size in features.sizes.items():
        ids = keras.Input((None,), dtype="int32", name=name)
        dim = word_dim if name == "word" else affix_dim
        # All have the same mask: joined to a vector without one, a mask would be lost.
        table = layers.Embedding(size, dim, mask_zero=True, name=f"{name}_vectors")
        inputs[name] = ids
        vectors.append(table(ids))
    return inputs, layers.Concatenate(name="seen")(vectors)


def _stacked(x: Any, cell: str, units: int, num_layers: int, dropout: float) -> Any:
    """Return `[batch, time, 2 units]`, read in both directions."""
    # Its blocks stand above each other by themselves, and drop nothing inside: nor does an RNN.
    if cell == "transformer":
        return encoder(cell, units, bidirectional=True, num_layers=num_layers, name="blocks")(x)
    for layer in range(num_layers):
        if layer:
            x = layers.Dropout(dropout, name=f"dropout_{layer}")(x)
        x = encoder(cell, units, bidirectional=True, name=f"rnn_{layer}")(x)
    return x
