"""Signals cut into windows: batches with the variety a worn sensor has, and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from gru_zoo.arguments import TooFew, fraction, number, positive_int
from gru_zoo.training.batching import epochs_dataset

if TYPE_CHECKING:
    import tensorflow as tf

# Windows that are read side by side where nothing is learnt.
_READERS = 256


class WindowBatches:
    """Shuffled training batches of windows, whose label is the target of every sample.

    In each epoch the cuts are elsewhere; each window is mirrored, turned in space, made faster or
    slower and stronger or weaker at random (Um et al. 2017), as another wearer would. The windows
    of epoch `e` are a function of `(seed, e)` alone.

    Args:
        signals: `[samples, channels]` float32 each; where they are turned or mirrored, channels
            are x, y and z of one sensor after another.
        labels: class number of each signal.
        length: samples of a window.
        batch_size: windows of a batch.
        seed: of the order and the variety.
        turn: standard deviation of the turn, in degrees, about an axis of any direction.
        pace: standard deviation of the logarithm of the speed.
        gain: standard deviation of the logarithm of the strength.
        mirror: share of windows that are mirrored, x against -x, as worn on the other arm.
        angular: places of the channels that are angular velocities: a movement twice as fast has
            them twice as high, and in a mirror the other two axes change their sign.

    Raises:
        TooFew: fewer windows than one batch.
        ValueError: an argument is out of its range, or signals are to be turned or mirrored whose
            channels are not three a sensor, all of them angular velocities or none.

    Example:
        >>> batches = WindowBatches([np.ones((50, 6), "float32")] * 3, [0, 1, 2], 20, 2, seed=0)
        >>> windows, targets = next(batches.epoch(0))
        >>> len(batches), windows.shape, targets.shape
        (3, (2, 20, 6), (2, 20))
    """

    def __init__(
        self,
        signals: Sequence[np.ndarray],
        labels: Sequence[int],
        length: int,
        batch_size: int,
        seed: int,
        turn: float = 0.0,
        pace: float = 0.0,
        gain: float = 0.0,
        mirror: float = 0.0,
        angular: Sequence[int] = (),
    ) -> None:
        self.length = positive_int("length", length)
        self.batch_size = positive_int("batch_size", batch_size)
        for name, value in ("turn", turn), ("pace", pace), ("gain", gain):
            if not 0 <= number(name, value) < np.inf:
                raise ValueError(f"{name} must be a number of at least 0; got {value}.")
        if not 0 <= number("mirror", mirror) <= 1:
            raise ValueError(f"mirror must be a number from 0 to 1; got {mirror}.")
        kept = [row for row, signal in enumerate(signals) if len(signal) >= length]
        self.signals = [np.asarray(signals[row], np.float32) for row in kept]
        self.labels = np.asarray(labels, np.int32)[kept]
        channels = self.signals[0].shape[1] if self.signals else 0
        rotates = np.isin(np.arange(channels), angular)
        if turn or mirror:
            if channels % 3:
                raise ValueError(
                    "turn and mirror must be 0 unless channels are x, y and z of each sensor; got "
                    f"{channels} channels."
                )
            sensors = rotates.reshape(-1, 3)
            if (sensors != sensors[:, :1]).any():
                raise ValueError(
                    "angular must be all three channels of a sensor or none, unless turn and "
                    f"mirror are 0; got {list(angular)} of {channels}."
                )
        self.counts = np.array([len(signal) // length for signal in self.signals], int)
        if self.counts.sum() < batch_size:
            raise TooFew(
                f"signals must give at least {batch_size} windows of {length} samples; "
                f"they give {self.counts.sum()}."
            )
        self.seed, self.turn, self.pace, self.gain = seed, turn, pace, gain
        self.mirror, self.angular = mirror, list(angular)
        # In a mirror normal to x an acceleration along x changes its sign; of a rotation, which is
        # an axial vector, what is about the other two axes does.
        self.signs = np.where((np.arange(channels) % 3 == 0) != rotates, -1.0, 1.0)

    def __len__(self) -> int:
        return int(self.counts.sum()) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield windows `[batch, time, channels]` float32 and labels `[batch, time]` int32."""
        random = np.random.default_rng([self.seed, epoch])
        rows = random.permutation(np.repeat(np.arange(len(self.signals)), self.counts))
        for some in rows[: len(self) * self.batch_size].reshape(-1, self.batch_size):
            windows = np.stack([self._window(self.signals[row], random) for row in some])
            yield windows, np.repeat(self.labels[some][:, None], self.length, axis=1)

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        channels = self.signals[0].shape[1]
        signature = (
            tf.TensorSpec([None, self.length, channels], tf.float32),
            tf.TensorSpec([None, self.length], tf.int32),
        )
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)

    def _window(self, signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return a piece from anywhere in a signal, as another wearer would have made it."""
        pace = np.exp(self.pace * random.normal())
        span = min(self.length * pace, len(signal))
        if self.pace:
            start = random.uniform(0, len(signal) - span)
            window = at(signal, start + span / self.length * np.arange(self.length))
        else:  # Samples as they are: what is between two of them is smoother.
            start = random.integers(len(signal) - self.length + 1)
            window = signal[start : start + self.length].astype(np.float64)
        window[:, self.angular] *= span / self.length
        if random.random() < self.mirror:
            window *= self.signs
        axis, angle = random.normal(size=3), np.deg2rad(self.turn) * random.normal()
        turned = window.reshape(self.length, -1, 3) @ rotation(axis, angle).T if angle else window
        gain = np.exp(self.gain * random.normal())
        return (gain * turned.reshape(window.shape)).astype(np.float32)


def at(signal: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a signal between its samples, on the cubic curves of Catmull and Rom (1974).

    Straight lines would flatten fast movements, which a device then feels as they are.

    Args:
        signal: `[samples, channels]`; one sample alone stays.
        places: `[n]`, from 0 to the number of samples; beyond the last sample it goes straight on.

    Returns:
        `[n, channels]` float64.

    Example:
        >>> at(np.array([[0.0], [1.0], [4.0], [9.0]]), np.array([1.5, 2.0])).tolist()
        [[2.25], [4.0]]
    """
    if len(signal) == 1:
        return np.repeat(signal.astype(np.float64), len(places), axis=0)
    first, last = signal[:1] - signal[1:2], signal[-1:] - signal[-2:-1]
    whole = np.concatenate([signal[:1] + first, signal, signal[-1:] + last, signal[-1:] + 2 * last])
    before = np.minimum(places.astype(int), len(signal) - 1)
    t = (places - before)[:, None]
    p, q, r, s = (whole[before + shift].astype(np.float64) for shift in range(4))
    return q + t / 2 * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)))


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Return the matrix that turns about an axis (Rodrigues' formula).

    Args:
        axis: `[3]`, of any length but 0.
        angle: in radians.

    Example:
        >>> rotation(np.array([0, 0, 2.0]), np.pi / 2).round(12).tolist()
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def windows(
    signals: Sequence[np.ndarray], labels: Sequence[int], length: int, overlap: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return every window of some signals, one beginning where the last has run for a while.

    Args:
        signals: `[samples, channels]` each; shorter ones than a window give none.
        labels: class number of each.
        length: samples of a window.
        overlap: share of a window that the next one has too, in [0, 1).

    Returns:
        `[windows, length, channels]` float32, and labels `[windows]` int32.

    Raises:
        TooFew: no signal is as long as a window.

    Example:
        >>> found, of = windows([np.ones((10, 6)), np.ones((3, 6))], [1, 0], length=4)
        >>> found.shape, of.tolist()
        ((4, 4, 6), [1, 1, 1, 1])
    """
    hop = max(1, round(positive_int("length", length) * (1 - fraction("overlap", overlap))))
    found, of = [], []
    for signal, label in zip(signals, labels, strict=True):
        for start in range(0, len(signal) - length + 1, hop):
            found.append(signal[start : start + length])
            of.append(label)
    _require_one(signals, length)
    return np.stack(found).astype(np.float32), np.array(of, np.int32)


def window_figures(model: keras.Model, given: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return how well a model knows windows by their end: its answer after the last sample.

    Args:
        model: `[batch, time, channels]` -> probabilities `[batch, time, labels]`.
        given: `[windows, time, channels]`.
        labels: `[windows]` class numbers.

    Returns:
        "accuracy", and "loss": the mean negative log-likelihood, in nats.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 6)), keras.layers.Dense(3, "softmax")])
        >>> sorted(window_figures(model, np.ones((2, 4, 6), "float32"), np.array([0, 2])))
        ['accuracy', 'loss']
    """
    said = last_answers(model, given)
    true = said[np.arange(len(labels)), labels]
    return {
        "accuracy": float(np.mean(said.argmax(axis=1) == labels)),
        "loss": float(-np.log(np.maximum(true, 1e-7)).mean()),
    }


def streamed_accuracy(
    model: keras.Model, signals: Sequence[np.ndarray], labels: Sequence[int], length: int
) -> float:
    """Return the share of samples after which a model is right that is never reset.

    Args:
        model: as for `window_figures`.
        signals: `[samples, channels]` each, read from beginning to end.
        labels: class number of each.
        length: samples that must have been read; of a shorter signal none counts.

    Raises:
        TooFew: no signal has so many.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(2, "softmax")])
        >>> 0 <= streamed_accuracy(model, [np.ones((5, 3))], [1], length=2) <= 1
        True
    """
    _require_one(signals, positive_int("length", length))
    right = []
    for signal, label in zip(signals, labels, strict=True):
        said = answers(model, signal)
        right.append(said[length - 1 :].argmax(axis=1) == label)
    return float(np.mean(np.concatenate(right)))


def answers(model: keras.Model, signal: np.ndarray) -> np.ndarray:
    """Return the probabilities after each sample of a signal of any length, `[samples, labels]`.

    Args:
        model: causal, as for `window_figures`.
        signal: `[samples, channels]`.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 6)), keras.layers.Dense(3, "softmax")])
        >>> answers(model, np.ones((5, 6))).shape
        (5, 3)
    """
    # Few shapes, each of which is compiled; what follows a sample changes nothing before it.
    length = max(256, 1 << (len(signal) - 1).bit_length())
    given = np.pad(np.asarray(signal, np.float32), [(0, length - len(signal)), (0, 0)])
    return model.predict_on_batch(given[None])[0, : len(signal)]


def last_answers(model: keras.Model, given: np.ndarray) -> np.ndarray:
    """Return the probabilities after each window's last sample, `[windows, labels]` float32.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 6)), keras.layers.Dense(3, "softmax")])
        >>> last_answers(model, np.ones((2, 4, 6), "float32")).shape
        (2, 3)
    """
    return np.concatenate(
        [
            model.predict_on_batch(given[start : start + _READERS])[:, -1].astype(np.float32)
            for start in range(0, len(given), _READERS)
        ]
    )


def _require_one(signals: Sequence[np.ndarray], length: int) -> None:
    """Raise TooFew if no signal has as many samples as a window."""
    longest = max(map(len, signals), default=0)
    if longest < length:
        raise TooFew(
            f"signals must have one of {length} samples or more; the longest has {longest}."
        )
