"""Sentences and their translations: batches to train on, figures after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import TooFew
from gru_zoo.data.pairs import Pairs
from gru_zoo.decoding.translating import translate_greedily
from gru_zoo.models.seq2seq import Seq2Seq
from gru_zoo.text.subwords import END, START, Subwords, padded
from gru_zoo.training.batching import BucketedBatches, epochs_dataset
from gru_zoo.training.teacher_forcing import TeacherForcing

# Subwords that a sentence may have.
LONGEST = 95
# Sentences whose loss is taken at once.
_AT_ONCE = 128


class PairBatches:
    """Training batches of pairs of similar length, for `TeacherForcing`.

    Args:
        subwords: turn texts into ids.
        pairs: sentences and their translations.
        batch_size: pairs of a batch.
        seed: of the order.

    Raises:
        TooFew: fewer pairs than one batch.
        ValueError: a text that is empty, unknown or too long.

    Example:
        >>> pairs = Pairs(["ein Haus"], ["a house"])
        >>> batches = PairBatches(Subwords.fit(["ein Haus", "a house"], 40, LONGEST), pairs, 1, 0)
        >>> next(batches.epoch(0))["target"].shape
        (1, 4)
    """

    def __init__(self, subwords: Subwords, pairs: Pairs, batch_size: int, seed: int) -> None:
        source, target = _encoded(subwords, pairs)
        self.source, self.target = padded(source), padded(target)
        both = np.concatenate([self.source, self.target], axis=1)
        rows = np.arange(len(both), dtype=np.int32)
        self.batches = BucketedBatches(both, rows, batch_size, [both.shape[1]], seed)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[dict[str, np.ndarray]]:
        """Yield source and target `[batch, longest of the batch]` of each batch."""
        for _, rows in self.batches.epoch(epoch):
            source, target = self.source[rows], self.target[rows]
            yield {"source": source[:, : _longest(source)], "target": target[:, : _longest(target)]}

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        ids = tf.TensorSpec([self.batches.batch_size, None], tf.int32)
        signature = {"source": ids, "target": ids}
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)


class Validation:
    """Figures after each epoch: the loss without smoothing, and what greedy translations score.

    Args:
        model: the translator, as it is when this is called.
        pairs: validation data.
        score: (translations, what they should be) -> BLEU.

    Raises:
        TooFew: no pairs.
        ValueError: a text that is empty, unknown or too long.

    Example:
        >>> pairs = Pairs(["ein Haus"], ["a house"])
        >>> subwords = Subwords.fit(["ein Haus", "a house"], 40, LONGEST)
        >>> model = Seq2Seq(subwords, dim=4, units=6, heads=2)
        >>> sorted(Validation(model, pairs, lambda translations, wanted: 0.0)())
        ['bleu', 'loss']
    """

    def __init__(
        self, model: Seq2Seq, pairs: Pairs, score: Callable[[Sequence[str], Sequence[str]], float]
    ) -> None:
        self.model, self.pairs, self.score = model, pairs, score
        both = zip(*_encoded(model.subwords, pairs), strict=True)
        rows = sorted(both, key=lambda pair: len(pair[0]))
        parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
        self.parts = [
            {"source": padded([one for one, _ in part]), "target": padded([two for _, two in part])}
            for part in parts
        ]
        self.loss = tf.function(TeacherForcing(model, smoothing=0.0), reduce_retracing=True)

    def __call__(self) -> dict[str, float]:
        """Return {"loss": mean over the subwords, "bleu": the score}."""
        counts = [int((part["target"][:, 1:] != 0).sum()) for part in self.parts]
        losses = [float(self.loss(part)) for part in self.parts]
        total = sum(loss * count for loss, count in zip(losses, counts, strict=True))
        translations = translate_greedily(self.model, self.pairs.source)
        return {
            "loss": total / sum(counts),
            "bleu": self.score(translations, self.pairs.target),
        }


def _encoded(subwords: Subwords, pairs: Pairs) -> tuple[list[list[int]], list[list[int]]]:
    """Return sources, </s> their last id, and targets between <s> and </s>."""
    if not pairs.source:
        raise TooFew("pairs must be one or more; got none.")
    source = [[*row, END] for row in subwords.encode(pairs.source)]
    return source, [[START, *row, END] for row in subwords.encode(pairs.target)]


def _longest(ids: np.ndarray) -> int:
    return int(np.count_nonzero(ids, axis=1).max())
