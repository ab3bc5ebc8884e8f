"""The cells that tests of every model are run with: some at once, the others among the slow."""

import pytest

from gru_zoo.models.classifier import CELLS as OF_CLASSIFIERS

_QUICK = ("gru", "transformer")


def some_slow(cells=OF_CLASSIFIERS):
    """Return pytest parameters, the plain RNN and the LSTMs of which are slow tests."""
    slow = pytest.mark.slow
    return [cell if cell in _QUICK else pytest.param(cell, marks=slow) for cell in cells]
