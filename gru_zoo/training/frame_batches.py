"""Sequences of frames, each to be told from those before it: batches, the loss, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from gru_zoo.arguments import TooFew, positive_int
from gru_zoo.training.batching import epochs_dataset, fitting_length

if TYPE_CHECKING:
    import tensorflow as tf

# Rows that are read side by side where nothing is learnt.
_READERS = 8


class FrameBatches:
    """Shuffled training batches of frames and of the frames that follow them.

    Long sequences are cut into pieces; a piece is padded with zeros to one of few lengths, and its
    padding has weight 0. The order of epoch `e` is a function of `(seed, e)` alone.

    Args:
        sequences: `[frames, features]` each, 0 or 1, two frames or more.
        steps: frames of a piece at most; gradients reach no further back.
        batch_size: pieces of a batch.
        seed: of the order.

    Raises:
        ValueError: fewer pieces than one batch.

    Example:
        >>> batches = FrameBatches([np.ones((9, 3)), np.ones((4, 3))], 5, 2, seed=0)
        >>> frames, following, weights = next(batches.epoch(0))
        >>> len(batches), frames.shape, following.shape, weights.shape
        (1, (2, 5, 3), (2, 5, 3), (2, 5))
    """

    def __init__(
        self, sequences: Sequence[np.ndarray], steps: int, batch_size: int, seed: int
    ) -> None:
        positive_int("steps", steps)
        positive_int("batch_size", batch_size)
        # A piece begins with the last frame of the one before: every frame but a sequence's first
        # is learnt once.
        self.pieces = [
            sequence[start : start + steps + 1]
            for sequence in sequences
            for start in range(0, len(sequence) - 1, steps)
        ]
        if len(self.pieces) < batch_size:
            raise TooFew(
                f"sequences must give at least {batch_size} pieces of {steps} frames; "
                f"they give {len(self.pieces)}."
            )
        self.batch_size, self.seed = batch_size, seed
        self.lengths = sorted({-(-steps * part // 8) for part in range(1, 9)})

    def __len__(self) -> int:
        return len(self.pieces) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield frames and following frames `[batch, time, features]`, weights `[batch, time]`.

        The weights' mean is 1, for Keras divides a loss by the number of all of them.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pieces))
        for rows in order[: len(self) * self.batch_size].reshape(-1, self.batch_size):
            frames, following, weights = _padded([self.pieces[r] for r in rows], self.lengths)
            yield frames, following, weights / weights.mean()

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        features = self.pieces[0].shape[1]
        frames = tf.TensorSpec([None, None, features], tf.float32)
        weights = tf.TensorSpec([None, None], tf.float32)
        signature = (frames, frames, weights)
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)


def frame_loss(following: Any, probabilities: Any) -> Any:
    """Return each frame's negative log-likelihood, in nats: the sum over its features.

    Args:
        following: `[batch, time, features]`, 0 or 1.
        probabilities: the same shape, of a 1.

    Example:
        >>> frame_loss(np.ones((1, 1, 3), "float32"), np.full((1, 1, 3), 0.5, "float32")).shape
        TensorShape([1, 1])
    """
    return ops.sum(ops.binary_crossentropy(following, probabilities), axis=-1)


def frame_figures(model: keras.Model, sequences: Sequence[np.ndarray]) -> dict[str, float]:
    """Return how well a model tells frames, each sequence read as a whole.

    "loss" is the mean over all frames but the first of each sequence, in nats; "accuracy" is Bay
    et al. 2009's, of what was said or is true at a threshold of 0.5 the share that is both.

    Args:
        model: `[batch, time, features]` -> probabilities of the following frame, the same shape.
        sequences: `[frames, features]` each, 0 or 1; those of a single frame are passed over.

    Raises:
        TooFew: none has two frames or more.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(3, "sigmoid")])
        >>> sorted(frame_figures(model, [np.ones((5, 3))]))
        ['accuracy', 'loss']
    """
    # Of a single frame there is nothing to tell.
    ordered = sorted((sequence for sequence in sequences if len(sequence) > 1), key=len)
    if not ordered:
        raise TooFew(
            "sequences must be of two frames or more, one of them at least; "
            f"got {len(sequences)} that are shorter."
        )
    loss, frames, both, either = 0.0, 0, 0, 0
    for start in range(0, len(ordered), _READERS):
        some = ordered[start : start + _READERS]
        longest = len(some[-1]) - 1
        given, following, weights = _padded(some, [-(-longest // 64) * 64])
        said = model.predict_on_batch(given).astype(np.float32)  # of mixed precision too
        loss += float((ops.convert_to_numpy(frame_loss(following, said)) * weights).sum())
        frames += int(weights.sum())
        true, told = following > 0.5, (said > 0.5) & (weights[..., None] > 0)
        both += int((true & told).sum())
        either += int((true | told).sum())
    return {"loss": loss / frames, "accuracy": both / max(either, 1)}


def _padded(
    pieces: Sequence[np.ndarray], lengths: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, following frames and weights, padded to a length that holds all pieces."""
    length = fitting_length(max(len(piece) for piece in pieces) - 1, lengths)
    both = np.zeros((2, len(pieces), length, pieces[0].shape[1]), np.float32)
    weights = np.zeros((len(pieces), length), np.float32)
    for row, piece in enumerate(pieces):
        both[0, row, : len(piece) - 1], both[1, row, : len(piece) - 1] = piece[:-1], piece[1:]
        weights[row, : len(piece) - 1] = 1
    return both[0], both[1], weights
