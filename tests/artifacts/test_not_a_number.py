"""A file that gives NaN is refused by every kind of artifact that compares numbers."""

import keras
import numpy as np
import pytest

from gru_zoo.artifacts import frames, language_model, signals, translator
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.models.frames import frame_model
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.models.signals import signal_model
from gru_zoo.text.characters import CharacterTokenizer


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(3)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model_int8.tflite").touch()
    return tmp_path / "model_int8.tflite"


@pytest.mark.parametrize("share", ["all", "one"])
def test_frames(file, monkeypatch, share):
    sequence = np.ones((9, 5), np.float32)
    model = frame_model(5, units=7)
    parts = frames.frame_parts(model, [sequence, sequence], [sequence])

    def read(rows):
        given = np.full((len(rows), 5), np.nan if share == "all" else 0.5, np.float32)
        given[3, 2] = np.nan
        return given

    monkeypatch.setattr(frames, "open_steps", lambda path: read)
    for name in ("model_int8.tflite", "model_float32.tflite"):
        with pytest.raises(Refused, match="got a difference of nan|must be within"):
            parts["compare"](file, name)


def test_signals(file, monkeypatch):
    windows = np.ones((4, 9, 3), np.float32)
    model = signal_model([0, 0, 0], [1, 1, 1], labels=2, units=5)
    parts = signals.signal_parts(model, windows, np.zeros(4, int), windows, ["a", "b"])
    given = np.full((9, 2), 0.5, np.float32)
    given[-1, 1] = np.nan
    monkeypatch.setattr(signals, "open_steps", lambda path: lambda window: given)
    monkeypatch.setattr(signals, "inspect", lambda path: {})
    with pytest.raises(Refused, match="got a difference of nan"):
        parts["compare"](file, "model_int8.tflite")


def test_language_models(file, monkeypatch):
    model = LanguageModel(CharacterTokenizer("abn"), embedding_dim=4, units=5)
    ids = np.array([[1, 3, 5, 3], [1, 4, 5, 3]])
    parts = language_model.language_model_parts(model, ids)
    tokens = len(model.tokenizer.vocabulary)
    monkeypatch.setattr(
        language_model, "_open", lambda path: lambda row: np.full((len(row), tokens), np.nan)
    )
    with pytest.raises(Refused, match="got a difference of nan"):
        parts["compare"](file, "model_int8.tflite")


def test_what_a_translator_read(monkeypatch):
    class Reader:
        def read(self, source):
            return {"keys": np.full((1, 4), np.nan), "values": np.ones((1, 4))}

    row = type("Wanted", (), {"source": "a", "keys": np.ones((1, 4)), "values": np.ones((1, 4))})
    compared = translator._Comparison.__new__(translator._Comparison)
    compared.wanted = [row, row]
    worst, _ = compared._encoder(Reader())
    assert np.isnan(worst)
