"""A user's own recording: read with care, and answered stretch by stretch."""

import json

import numpy as np
import pytest

from gru_zoo.data.watch_exercises import CHANNELS, EXERCISES
from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.models.signals import signal_model
from recipes import activity_recognition
from recipes.activity_recognition_timeline import read_recording, stretches


def test_columns_may_come_in_any_order_with_others_between(tmp_path):
    path = tmp_path / "watch.csv"
    path.write_bytes(b"\xef\xbb\xbfwz, note,ax\r\n1,far,-2.5e1\r\n\r\n3,,4\r\n")
    read = read_recording(path, ["ax", "wz"])
    assert read.dtype == np.float32 and read.tolist() == [[-25.0, 1.0], [4.0, 3.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first row that names x, y once each; x is there 0 times"),
        ("x,z\n1,2\n", "first row that names x, y once each; y is there 0 times"),
        ("x,y,x\n1,2,3\n", "first row that names x, y once each; x is there 2 times"),
        ("x,y\n", "must have rows below its header; it has none"),
        ("x,y\n1,2\n3\n", "line 3: must have 2 values, as the header has; it has 1"),
        ("x,y\n1,two\n", "line 2: y must be a finite number; got 'two'"),
        ("x,y\n1,2\nnan,2\n", "line 3: x must be a finite number; got 'nan'"),
        ("x,y\n1,\n", "line 2: y must be a finite number; got ''"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="bad.csv") as error:
        read_recording(path, ["x", "y"])
    assert message in str(error.value)


def test_neighbours_of_one_label_are_one_stretch():
    said = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.6, 0.4], [0.6, 0.4]], np.float32)
    found = stretches(said, ["rest", "walk"], rate=4, smooth=0)
    assert [(each.start, each.end, each.label) for each in found] == [
        (0.0, 0.5, "rest"),
        (0.5, 0.75, "walk"),
        (0.75, 1.25, "rest"),
    ]
    np.testing.assert_allclose([each.probability for each in found], [0.8, 0.6, 0.6], rtol=1e-6)
    # Over three quarters of a second one answer of another mind is outvoted.
    smoothed = stretches(said, ["rest", "walk"], rate=4, smooth=0.75)
    assert [(each.start, each.end, each.label) for each in smoothed] == [(0.0, 1.25, "rest")]
    # Only the past counts: what comes does not change an answer that was given.
    late = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 4)
    assert stretches(late, ["rest", "walk"], rate=1, smooth=3)[0].end == 4.0
    with pytest.raises(ValueError, match=r"smooth must be a number of at least 0; got -1"):
        stretches(said, ["rest", "walk"], rate=4, smooth=-1)


def test_a_recording_is_told_apart(tmp_path, capsys):
    model = signal_model([0] * 6, [1] * 6, len(EXERCISES), units=3)
    # The head alone decides: the second exercise whatever comes.
    kernel, bias = model.get_layer("probabilities").get_weights()
    model.get_layer("probabilities").set_weights([0 * kernel, 3 * (np.arange(7) == 1) + 0 * bias])
    run = tmp_path / "run"
    run.mkdir()
    save_keras_file(model, run / "model.keras")
    flags = {key: getattr(activity_recognition.Train(), key) for key in ("fold", "units", "seed")}
    (run / "config.json").write_text(json.dumps(flags))
    path = tmp_path / "mine.csv"
    rows = "\n".join(",".join(["0.5"] * 6) for _ in range(75))
    path.write_text(",".join(CHANNELS) + "\n" + rows + "\n")
    words = ["predict", str(path), "--run", str(run)]
    assert activity_recognition.main(words) == 0
    assert capsys.readouterr().out == "    0.00 s to     1.50 s  abduction (77 %)\n"
    assert activity_recognition.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["label"] == "abduction" and found["end"] == 1.5
    assert activity_recognition.main(["predict", str(tmp_path / "none.csv")]) == 2
    assert "recording must be a file" in capsys.readouterr().err
