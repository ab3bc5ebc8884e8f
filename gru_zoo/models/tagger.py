"""A tag for every word of a sentence: embeddings of words and affixes, bidirectional GRUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from gru_zoo.arguments import fraction, positive_int
from gru_zoo.layers.gru import GRU
from gru_zoo.word_features import WordFeatures


@keras.saving.register_keras_serializable(package="gru_zoo")
class Tagger(keras.Model):
    """Give every word of a sentence a probability for each tag.

    Embeddings of the word, its prefixes, suffixes and shape side by side, bidirectional GRUs one
    above the other, softmax at every step; the form of Plank et al. 2016, with affixes for their
    characters.

    Args:
        features: turns words into ids; kept inside the model and its `.keras` file.
        tags: names of the tags, in the order of the probabilities.
        word_dim: size of a word's vector.
        affix_dim: size of every other feature's vector.
        units: size of the recurrent state, of each direction.
        num_layers: GRUs above each other.
        dropout: share of features dropped before, between and after the GRUs, in [0, 1).

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
        **kwargs: Any,
    ) -> None:
        tags = tuple(tags)
        if len(tags) < 2 or len(set(tags)) != len(tags):
            raise ValueError(f"tags must be two or more different names; got {tags!r}.")
        sizes = {"word_dim": word_dim, "affix_dim": affix_dim, "units": units}
        for name, size in {**sizes, "num_layers": num_layers}.items():
            positive_int(name, size)
        fraction("dropout", dropout)
        inputs, vectors = {}, []
        for name, size in features.sizes.items():
            ids = keras.Input((None,), dtype="int32", name=name)
            dim = word_dim if name == "word" else affix_dim
            # All have the same mask: joined to a vector without one, a mask would be lost.
            table = layers.Embedding(size, dim, mask_zero=True, name=f"{name}_vectors")
            inputs[name] = ids
            vectors.append(table(ids))
        x = layers.Concatenate(name="seen")(vectors)
        for layer in range(num_layers):
            x = layers.Dropout(dropout, name=f"dropout_{layer}")(x)
            gru = GRU(units, return_sequences=True, name=f"gru_{layer}")
            x = layers.Bidirectional(gru, name=f"rnn_{layer}")(x)
        x = layers.Dropout(dropout, name="dropout_out")(x)
        x = layers.Dense(len(tags), activation="softmax", name="head")(x)
        super().__init__(inputs=inputs, outputs=x, **kwargs)
        self.features, self.tags = features, tags
        self.num_layers, self.dropout = num_layers, dropout
        self.word_dim, self.affix_dim, self.units = word_dim, affix_dim, units

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the features as their own configuration."""
        return {
            "name": self.name,
            "features": self.features.get_config(),
            "tags": list(self.tags),
            "word_dim": self.word_dim,
            "affix_dim": self.affix_dim,
            "units": self.units,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Tagger:
        """Make the model of `get_config`, with new weights."""
        config = dict(config)
        config["features"] = WordFeatures.from_config(config["features"])
        return cls(**config)
