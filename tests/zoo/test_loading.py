"""Formats and variants that a card has not are refused by it; texts are read alike in both."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gru_zoo import load, verify
from gru_zoo.zoo.__main__ import main
from gru_zoo.zoo.registry import models_folder
from tests.zoo.conftest import NAME, TEXTS


def test_a_format_that_the_card_has_not_is_refused_by_it(zoo):
    message = f"format of {NAME} must be one of 'keras', 'tflite'; got 'saved_model'"
    with pytest.raises(ValueError, match=message):
        load(NAME, format="saved_model")


@pytest.mark.parametrize("format", ["keras", "saved_model"])
def test_a_variant_goes_with_tflite_only(zoo, format):
    with pytest.raises(ValueError, match="variant must .* format='tflite'; got 'int8' with"):
        load(NAME, format=format, variant="int8")


def test_an_artifact_is_loaded_by_its_path(zoo, tmp_path, monkeypatch):
    shutil.copytree(models_folder() / NAME, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    expected = load(NAME).predict(TEXTS, verbose=0)
    np.testing.assert_array_equal(load("./mine").predict(TEXTS, verbose=0), expected)
    np.testing.assert_array_equal(load(f"{tmp_path}/mine").predict(TEXTS, verbose=0), expected)
    lite = load("./mine", format="tflite")
    np.testing.assert_allclose(lite.predict(TEXTS), expected, atol=1e-5)
    assert "model.keras" in verify("./mine")
    np.testing.assert_array_equal(load(Path("mine")).predict(TEXTS, verbose=0), expected)
    assert "model.keras" in verify(Path("mine"))
    with pytest.raises(ValueError, match="name must be a string or an os.PathLike; got None"):
        load(None)
    assert main(["verify", "./mine"]) == 0
    with pytest.raises(ValueError, match="name must be a folder with a card.json .*'./none'"):
        load("./none")
    with pytest.raises(ValueError, match="name must be one of the zoo's models"):
        load("mine")
    (tmp_path / "mine" / "model.keras").write_bytes(b"another")
    with pytest.raises(ValueError, match="./mine: model.keras must have SHA-256"):
        load("./mine")


def test_one_text_is_one_row(zoo):
    model, lite = load(NAME), load(NAME, format="tflite")
    for text in TEXTS[:2]:
        expected = model.predict(text, verbose=0)
        for given in (text, text.encode(), [text]):
            np.testing.assert_allclose(lite.predict(given), expected, atol=1e-5)
    assert expected.shape == (1, 2)
