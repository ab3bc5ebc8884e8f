import numpy as np
import pytest

from gru_zoo.training.metrics import confusion_matrix, per_class


def test_confusion_counts_every_pair_but_those_without_truth():
    truth = np.array([[0, 1, 2, -1], [2, 2, 1, -1]])
    predicted = np.array([[0, 2, 2, 1], [2, 0, 1, 0]])
    assert confusion_matrix(truth, predicted, 3).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 2]]


def test_figures_of_each_class():
    figures = per_class(np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]]), ["a", "b", "never"])
    assert figures["a"] == pytest.approx(
        {"count": 10, "precision": 8 / 9, "recall": 0.8, "f1": 16 / 19}
    )
    assert figures["b"]["precision"] == pytest.approx(3 / 5)
    assert figures["never"] == {"count": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}
