"""A TFLite file that is none is named, whoever opens it."""

import shutil

import pytest

from gru_zoo.export.runners.lite_tagger import LiteTagger
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.zoo import models_folder

OPENERS = {"interpreter": interpreter, "Streamer": Streamer, "LiteTagger": LiteTagger}


@pytest.fixture
def folder(tmp_path):
    assets = models_folder() / "pos_ewt_gru_small" / "assets"
    shutil.copytree(assets, tmp_path / "assets")  # what a tagger's file has beside it
    return tmp_path


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("content", ["no model", ""])
def test_what_is_no_tflite_file_is_named(folder, opener, content):
    (folder / "text.tflite").write_text(content)
    with pytest.raises(ValueError, match=r"path must be a .tflite file; .*text.tflite: "):
        OPENERS[opener](folder / "text.tflite")


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_that_is_not_there_is_named(folder, opener):
    with pytest.raises(FileNotFoundError, match=r"path must be a .tflite file; there is none at"):
        OPENERS[opener](folder / "missing.tflite")


@pytest.mark.parametrize("wrong", [3, None, b"model.tflite"])
def test_what_is_no_path_is_named(wrong):
    with pytest.raises(ValueError, match=r"path must be a string or an os.PathLike; got"):
        interpreter(wrong)
