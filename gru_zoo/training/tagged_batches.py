"""Sentences with tags: training batches, targets and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from gru_zoo.data.universal_dependencies import Sentence
from gru_zoo.models.tagger import LENGTHS, Tagger
from gru_zoo.text.word_features import UNKNOWN
from gru_zoo.training.batching import BucketedBatches, epochs_dataset
from gru_zoo.training.word_dropout import WordDropout


class TaggedBatches:
    """Training batches of sentences of similar length, rare words hidden now and then.

    A hidden word's id becomes that of unknown words, while its affixes stay (Kiperwasser and
    Goldberg 2016, section 4.1; `gru_zoo.training.word_dropout`).

    Args:
        model: its features and tags are used.
        sentences: what is trained on.
        batch_size: sentences of a batch.
        word_dropout: a word that was seen so often is hidden half of the time; 0 hides none.
        seed: of order and hiding; the same for the same epoch.

    Raises:
        ValueError: fewer sentences than one batch, or one that is too long.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> sentences = 4 * [Sentence(("a", "film"), ("DET", "NOUN"))]
        >>> features = WordFeatures.fit([sentence.words for sentence in sentences])
        >>> model = Tagger(features, ["DET", "NOUN"], units=5, num_layers=1)
        >>> ids, targets = next(TaggedBatches(model, sentences, 2, 0.25, seed=0).epoch(0))
        >>> ids["word"].shape, targets[0].tolist()
        ((2, 8), [0, 1, -1, -1, -1, -1, -1, -1])
    """

    def __init__(
        self,
        model: Tagger,
        sentences: Sequence[Sentence],
        batch_size: int,
        word_dropout: float,
        seed: int,
    ) -> None:
        self.features = model.features.encode([s.words for s in sentences], LENGTHS[-1])
        self.targets = targets(model, sentences)
        self.seed = seed
        rows = np.arange(len(sentences), dtype=np.int32)
        words = self.features["word"]
        self.batches = BucketedBatches(words, rows, batch_size, LENGTHS, seed)
        self.hide = WordDropout(words, word_dropout, UNKNOWN, size=int(words.max()) + 1)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Yield ids by feature and targets, [batch, length] each."""
        random = np.random.default_rng([self.seed, epoch, 1])
        for words, rows in self.batches.epoch(epoch):
            length = words.shape[1]
            ids = {name: array[rows, :length] for name, array in self.features.items()}
            ids["word"] = self.hide(words, random)
            yield ids, self.targets[rows, :length]

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        ids = tf.TensorSpec([self.batches.batch_size, None], tf.int32)
        signature = (dict.fromkeys(self.features, ids), ids)
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)


def targets(model: Tagger, sentences: Sequence[Sentence]) -> np.ndarray:
    """Return tags as numbers, int32 [sentences, time], -1 where there is no word or no such tag."""
    numbers = {tag: number for number, tag in enumerate(model.tags)}
    rows = np.full((len(sentences), LENGTHS[-1]), -1, np.int32)
    for row, sentence in zip(rows, sentences, strict=True):
        row[: len(sentence.tags)] = [numbers.get(tag, -1) for tag in sentence.tags]
    return rows


def true_tags(model: Tagger, sentences: Sequence[Sentence]) -> np.ndarray:
    """Return the tags of all words in a row as numbers, [words], -1 for one the model lacks."""
    rows = zip(targets(model, sentences), sentences, strict=True)
    return np.concatenate([row[: len(sentence.words)] for row, sentence in rows])


def score(model: Tagger, sentences: Sequence[Sentence]) -> dict[str, float]:
    """Return cross entropy and accuracy over all words; a tag never seen in training is wrong."""
    given = np.concatenate(model.probabilities([sentence.words for sentence in sentences]))
    truth = true_tags(model, sentences)
    of_truth = np.where(truth < 0, 0.0, given[np.arange(len(truth)), truth])
    return {
        "loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
        "accuracy": float((given.argmax(axis=1) == truth).mean()),
    }
