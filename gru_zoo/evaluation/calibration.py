"""Is a model as often right as it is sure? Expected calibration error, and a temperature.

ECE = sum over bins b of  |b| / n * |accuracy(b) - confidence(b)|          (Guo et al. 2017)
p_T = softmax(log p / T)         T > 1 makes a model less sure, T < 1 surer; labels stay
"""

from __future__ import annotations

import numpy as np

BINS = 15


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the expected calibration error in 15 bins of the same width.

    Args:
        probabilities: `[examples, labels]`.
        labels: `[examples]` true classes.

    Raises:
        ValueError: no examples, another number of labels, or a label without a column.

    Example:
        >>> error = expected_calibration_error(np.array([[0.2, 0.8], [0.3, 0.7]]), np.array([1, 0]))
        >>> round(error, 2)
        0.45
    """
    _check(probabilities, labels)
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def negative_log_likelihood(
    probabilities: np.ndarray, labels: np.ndarray, temperature: float = 1.0
) -> float:
    """Return the mean of -log p of the true class, after scaling by a temperature.

    Raises:
        ValueError: no examples, another number of labels, or a label without a column.

    Example:
        >>> round(negative_log_likelihood(np.array([[0.5, 0.5]]), np.array([1])), 4)
        0.6931
    """
    _check(probabilities, labels)
    logits = _logits(probabilities, temperature)
    chosen = logits[np.arange(len(labels)), labels]
    # Not the logarithm of what is scaled: that may be 0, and a floor under it would be flat.
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return `softmax(log p / T)`, float64 `[examples, labels]`.

    Raises:
        ValueError: T is not above 0.

    Example:
        >>> with_temperature(np.array([[0.2, 0.8]]), 2.0).round(3).tolist()
        [[0.333, 0.667]]
    """
    exponentials = np.exp(_logits(probabilities, temperature))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature in [1/20, 20] of the smallest negative log-likelihood.

    The likelihood is convex in 1/T, so that it has one minimum, found by golden section over
    log T to 1e-4.

    Args:
        probabilities: `[examples, labels]` of validation data.
        labels: `[examples]` true classes.

    Raises:
        ValueError: no examples, another number of labels, or a label without a column.

    Example:
        >>> sure = np.array([[0.01, 0.99]] * 4)
        >>> scaled = with_temperature(sure, fit_temperature(sure, np.array([1, 1, 1, 0])))
        >>> scaled[0].round(2).tolist()
        [0.25, 0.75]
    """
    low, high = np.log(1 / 20), np.log(20)
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        losses = [negative_log_likelihood(probabilities, labels, np.exp(t)) for t in (left, right)]
        low, high = (low, right) if losses[0] < losses[1] else (left, high)
    return float(np.exp((low + high) / 2))


def _logits(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return `log p / T`, a row's largest 0; a probability of 0 counts as 1e-12."""
    if not temperature > 0:
        raise ValueError(f"temperature must be a number above 0; got {temperature!r}.")
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) / temperature
    return logits - logits.max(axis=1, keepdims=True)


def _check(probabilities: np.ndarray, labels: np.ndarray) -> None:
    rows, classes = np.shape(probabilities)
    if not rows or np.shape(labels) != (rows,):
        raise ValueError(
            f"labels must be one for each of {rows} rows of probabilities, at least one, on one "
            f"axis; got shape {np.shape(labels)}."
        )
    if np.min(labels) < 0 or np.max(labels) >= classes:
        raise ValueError(
            f"labels must be 0 to {classes - 1}; got {np.min(labels)} to {np.max(labels)}."
        )
