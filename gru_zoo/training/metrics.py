"""Confusion matrix, precision, recall and F1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class was taken for each.

    Args:
        truth: true classes, integers of any shape; negative ones are not counted.
        predicted: of the same shape.
        classes: their number.

    Returns:
        `[true class, predicted class]` int64.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1, -1]), np.array([0, 1, 0, 0]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    counted = truth >= 0
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth[counted], predicted[counted]), 1)
    return counts


def per_class(confusion: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return count, precision, recall and F1 of each class (van Rijsbergen 1979).

    Args:
        confusion: `[true class, predicted class]`.
        names: of the classes.

    Returns:
        name -> {"count", "precision", "recall", "f1"}; 0 where a class was never there.

    Example:
        >>> per_class(np.array([[1, 0], [1, 1]]), ["no", "yes"])["yes"]["f1"] # doctest: +ELLIPSIS
        0.666...
    """
    figures = {}
    for k, name in enumerate(names):
        right, true, said = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
        precision, recall = right / max(said, 1), right / max(true, 1)
        f1 = 2 * right / max(true + said, 1)
        figures[name] = {
            "count": int(true),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
        }
    return figures
