"""Formats and variants that a card has not are refused by it; texts are read alike in both."""

import numpy as np
import pytest

from gru_zoo import load
from tests.zoo.conftest import NAME, TEXTS


def test_a_format_that_the_card_has_not_is_refused_by_it(zoo):
    message = f"format of {NAME} must be one of 'keras', 'tflite'; got 'saved_model'"
    with pytest.raises(ValueError, match=message):
        load(NAME, format="saved_model")


@pytest.mark.parametrize("format", ["keras", "saved_model"])
def test_a_variant_goes_with_tflite_only(zoo, format):
    with pytest.raises(ValueError, match="variant must .* format='tflite'; got 'int8' with"):
        load(NAME, format=format, variant="int8")


def test_one_text_is_one_row(zoo):
    model, lite = load(NAME), load(NAME, format="tflite")
    for text in TEXTS[:2]:
        expected = model.predict(text, verbose=0)
        for given in (text, text.encode(), [text]):
            np.testing.assert_allclose(lite.predict(given), expected, atol=1e-5)
    assert expected.shape == (1, 2)
