"""Sequences of many lengths into batches of few shapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.arguments import TooFew, positive_int

if TYPE_CHECKING:
    import tensorflow as tf


def epochs_dataset(
    epoch: Callable[[int], Iterator[Any]],
    signature: Any,
    first_epoch: int,
    epochs: int,
    prefetch: int = 4,
) -> tf.data.Dataset:
    """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other.

    Args:
        epoch: gives the batches of the epoch of this index.
        signature: `tf.TensorSpec`s of a batch, in its structure.
        first_epoch: index of the first epoch.
        epochs: index after the last one.
        prefetch: batches that are made ahead.

    Example:
        >>> import tensorflow as tf
        >>> batches = lambda epoch: (np.full(2, epoch) for _ in range(2))
        >>> made = epochs_dataset(batches, tf.TensorSpec([2], tf.int64), 1, 3)
        >>> [batch.numpy().tolist() for batch in made]
        [[1, 1], [1, 1], [2, 2], [2, 2]]
    """
    import tensorflow as tf

    def generate() -> Iterator[Any]:
        for index in range(first_epoch, epochs):
            yield from epoch(index)

    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return dataset.prefetch(prefetch)


class BucketedBatches:
    """Shuffled training batches in which rows have similar lengths.

    Each batch is cut to the shortest allowed length that holds its longest row, so short texts
    cost little and a compiled kernel meets `len(lengths)` shapes only. The order of epoch `e`
    is a function of `(seed, e)` alone: a resumed run sees the batches that an undisturbed one
    would have seen. The last rows that fill no whole batch are left out of that epoch.

    Args:
        ids: `[examples, time]` int32, padded on the right with 0.
        targets: `[examples, ...]`.
        batch_size: rows of a batch.
        lengths: allowed lengths, ascending; the last one is `time`.
        seed: of the order.
        change: what is done to each batch's ids, (ids, random) -> ids, or None.

    Raises:
        TooFew: fewer examples than one batch.
        ValueError: lengths that do not end in `time`.

    Example:
        >>> batches = BucketedBatches(np.ones((8, 4), "int32"), np.zeros(8), 2, [2, 4], seed=0)
        >>> len(batches), next(batches.epoch(0))[0].shape
        (4, (2, 4))
    """

    # Rows are sorted by length within pools of this many batches: enough to find close lengths,
    # few enough that the composition of batches still changes from epoch to epoch.
    POOL = 50

    def __init__(
        self,
        ids: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        lengths: Sequence[int],
        seed: int,
        change: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    ) -> None:
        positive_int("batch_size", batch_size)
        if len(ids) < batch_size:
            raise TooFew(f"ids must have at least {batch_size} rows; got {len(ids)}.")
        if list(lengths) != sorted(set(lengths)) or lengths[-1] != ids.shape[1]:
            raise ValueError(f"lengths must ascend to {ids.shape[1]}; got {list(lengths)}.")
        self.ids, self.targets = ids, targets
        self.batch_size, self.lengths, self.seed = batch_size, list(lengths), seed
        self.row_lengths, self.change = np.count_nonzero(ids, axis=1), change

    def __len__(self) -> int:
        return len(self.ids) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches of one epoch: ids `[batch, length]` and targets `[batch, ...]`."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.ids))[: len(self) * self.batch_size]
        pool = self.POOL * self.batch_size
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        order = np.concatenate(
            [rows[np.argsort(self.row_lengths[rows], kind="stable")] for rows in pools]
        )
        for rows in random.permutation(order.reshape(-1, self.batch_size)):
            length = fitting_length(self.row_lengths[rows].max(), self.lengths)
            ids = self.ids[rows, :length]
            yield ids if self.change is None else self.change(ids, random), self.targets[rows]

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        signature = (
            tf.TensorSpec([self.batch_size, None], self.ids.dtype),
            tf.TensorSpec([self.batch_size, *self.targets.shape[1:]], self.targets.dtype),
        )
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)


class StreamBatches:
    """Texts put one after the other, read by many readers at once, piece by piece.

    The texts, in the order of epoch `e`, are one long row of tokens; each of `streams` readers has
    an equal part of it and reads `steps` tokens at a time, so that the state after one piece is
    the state before the next. The order is a function of `(seed, e)` alone. The last tokens that
    fill no whole piece are left out of that epoch.

    Args:
        tokens: of all texts, one after the other, `[tokens]` int32.
        starts: where each text starts in `tokens`, ascending, the first one 0.
        streams: rows of a batch.
        steps: tokens of a piece.
        seed: of the order.

    Raises:
        ValueError: fewer tokens than one piece for each stream.

    Example:
        >>> batches = StreamBatches(np.arange(9, dtype="int32"), [0, 4], streams=2, steps=2, seed=0)
        >>> ids, targets, keep = next(batches.epoch(0))
        >>> ids.shape, bool((targets[:, 0] == ids[:, 1]).all()), keep.tolist()
        ((2, 2), True, [0.0, 0.0])
    """

    def __init__(
        self, tokens: np.ndarray, starts: Sequence[int], streams: int, steps: int, seed: int
    ) -> None:
        self.streams = positive_int("streams", streams)
        self.steps = positive_int("steps", steps)
        if len(tokens) <= streams * steps:
            raise TooFew(f"tokens must be more than {streams * steps}; got {len(tokens)}.")
        self.tokens, self.seed = tokens, seed
        self.texts = np.split(tokens, starts[1:])

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // (self.streams * self.steps)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield ids and the tokens after them `[streams, steps]`, and 0 where a stream begins."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.texts))
        tokens = np.concatenate([self.texts[i] for i in order])
        width = len(self) * self.steps
        ids = tokens[: self.streams * width].reshape(self.streams, width)
        targets = tokens[1 : self.streams * width + 1].reshape(self.streams, width)
        for start in range(0, width, self.steps):
            piece = slice(start, start + self.steps)
            yield ids[:, piece], targets[:, piece], np.full(self.streams, start > 0, np.float32)

    def dataset(self, first_part: int, parts: int, parts_per_epoch: int) -> tf.data.Dataset:
        """Return the batches of parts `first_part` to `parts - 1`, equal parts of an epoch each.

        Raises:
            ValueError: an epoch has fewer batches than parts.
        """
        import tensorflow as tf

        if not 1 <= parts_per_epoch <= len(self):
            raise ValueError(
                f"parts_per_epoch must be 1 to {len(self)}, the batches of an epoch; "
                f"got {parts_per_epoch}."
            )
        size = len(self) // parts_per_epoch

        def generate() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for epoch in range(first_part // parts_per_epoch, -(-parts // parts_per_epoch)):
                before = epoch * parts_per_epoch
                first, end = max(0, first_part - before), min(parts - before, parts_per_epoch)
                yield from itertools.islice(self.epoch(epoch), first * size, end * size)

        shape = self.streams, self.steps
        signature = (tf.TensorSpec(shape, self.tokens.dtype),) * 2
        signature += (tf.TensorSpec(shape[:1], tf.float32),)
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def quarter_lengths(longest: int) -> list[int]:
    """Return the quarters of `longest`, ascending: four shapes for a compiled kernel to meet.

    Example:
        >>> quarter_lengths(400)
        [100, 200, 300, 400]
    """
    return sorted({-(-longest * quarter // 4) for quarter in (1, 2, 3, 4)})


def fitting_length(longest: int, lengths: Sequence[int]) -> int:
    """Return the first of the ascending `lengths` that is at least `longest`.

    Example:
        >>> fitting_length(130, [100, 200])
        200
    """
    return lengths[int(np.searchsorted(lengths, longest))]


def predict_by_length(
    model: Callable[..., Any], ids: np.ndarray, batch_size: int = 64
) -> np.ndarray:
    """Return `model`'s output for every row, in batches of rows of similar length.

    Each batch is cut to its longest row, and one graph is traced for all lengths.

    Args:
        model: a Keras model from ids `[batch, time]` to `[batch, outputs]`.
        ids: `[examples, time]` int32, padded on the right with 0.
        batch_size: rows at a time; the last batch is filled with padding rows.

    Returns:
        `[examples, outputs]` in the order of `ids`.

    Raises:
        ValueError: there are no examples, or `batch_size` is no positive integer.

    Example:
        >>> import keras
        >>> mean = keras.Sequential([keras.layers.Lambda(lambda x: x[:, :1])])
        >>> predict_by_length(mean, np.array([[5, 0, 0], [7, 8, 9]], "int32")).tolist()
        [[5.0], [7.0]]
    """
    import tensorflow as tf

    positive_int("batch_size", batch_size)
    if not len(ids):
        raise ValueError(f"ids must have at least one row; got shape {ids.shape}.")
    # Keras' own predict traces every length anew.
    signature = [tf.TensorSpec([batch_size, None], ids.dtype)]
    run = tf.function(lambda batch: model(batch, training=False), input_signature=signature)
    lengths = np.count_nonzero(ids, axis=1)
    order = np.argsort(lengths, kind="stable")
    found = []
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        # A kernel is compiled for a number of rows: it stays the same.
        batch = np.zeros((batch_size, max(1, lengths[rows[-1]])), ids.dtype)
        batch[: len(rows)] = ids[rows, : batch.shape[1]]
        found.append(run(batch).numpy()[: len(rows)])
    return np.concatenate(found)[np.argsort(order)]
