"""Two exports at once to one path: the second fails, and the first one's file stays."""

import keras
import pytest

from gru_zoo import GRU, export


@pytest.mark.parametrize(
    ("write", "module", "step"),
    [
        ("tflite", "tflite_file", "_require_runtime"),
        ("saved_model", "saved_model_folder", "_compare"),
        ("onnx", "onnx_file", "_compare"),
    ],
)
def test_the_second_does_not_replace_the_first(monkeypatch, tmp_path, write, module, step):
    if write == "onnx":
        pytest.importorskip("onnxruntime")
    path = tmp_path / "model"

    def other(*_):
        """Another process ends while this one checks its file."""
        path.mkdir()
        (path / "saved_model.pb").write_text("first")
        return 0.0

    monkeypatch.setattr(f"gru_zoo.export.{module}.{step}", other)
    model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
    with pytest.raises(FileExistsError, match="path must be new; .*model' was written meanwhile"):
        getattr(export, write)(model, path)
    assert (path / "saved_model.pb").read_text() == "first"
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
