"""The answers to a recording, stretch by stretch."""

import json

import numpy as np
import pytest

from gru_zoo.data.watch_exercises import CHANNELS, EXERCISES
from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.models.signals import signal_model
from recipes import activity_recognition
from recipes.activity_recognition_timeline import stretches


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
    assert len(stretches(said, ["rest", "walk"], rate=4, smooth=1e308)) == 1
    with pytest.raises(ValueError, match=r"smooth must be a number of at least 0; got -1"):
        stretches(said, ["rest", "walk"], rate=4, smooth=-1)


def test_seconds_to_average_over_are_a_flag(tmp_path, capsys, monkeypatch):
    answers = np.array([[0.9, 0.1]] * 50 + [[0.4, 0.6]] + [[0.9, 0.1]] * 49)
    monkeypatch.setattr("gru_zoo.training.signal_windows.answers", lambda *_: answers)
    monkeypatch.setattr(activity_recognition, "_load", lambda run: None)
    form = {"rate": 50, "channels": ["x"], "labels": ["rest", "walk"]}
    for name, content in ("config", {}), ("form", form):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    path = tmp_path / "x.csv"
    path.write_text("x\n" + "1\n" * 100)
    words = ["predict", str(path), "--run", str(tmp_path), "--json"]
    for smooth, count in (("0", 3), ("1", 1)):
        assert activity_recognition.main([*words, "--smooth", smooth]) == 0
        assert len(capsys.readouterr().out.splitlines()) == count


def test_a_recording_is_told_apart(tmp_path, capsys):
    model = signal_model([0] * 6, [1] * 6, len(EXERCISES), units=3)
    # The head alone decides: the second exercise whatever comes.
    kernel, bias = model.get_layer("probabilities").get_weights()
    model.get_layer("probabilities").set_weights([0 * kernel, 3 * (np.arange(7) == 1) + 0 * bias])
    run = tmp_path / "run"
    run.mkdir()
    save_keras_file(model, run / "model.keras")
    (run / "config.json").write_text(json.dumps({"fold": 0, "units": 3, "seed": 0}))
    form = {"rate": 50, "channels": CHANNELS, "labels": EXERCISES}
    (run / "form.json").write_text(json.dumps(form))
    path = tmp_path / "mine.csv"
    rows = "\n".join(",".join(["0.5"] * 6) for _ in range(75))
    path.write_text(",".join(CHANNELS) + "\n" + rows + "\n")
    words = ["predict", str(path), "--run", str(run)]
    assert activity_recognition.main(words) == 0
    assert capsys.readouterr().out == "    0.00 s to     1.50 s  abduction (77 %)\n"
    assert activity_recognition.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["label"] == "abduction" and found["end"] == 1.5
    assert activity_recognition.main([*words, "--smooth", "-1"]) == 2
    assert "smooth must be a number of at least 0; got -1.0" in capsys.readouterr().err
    assert activity_recognition.main(["predict", str(tmp_path / "none.csv"), *words[2:]]) == 2
    assert "recording must be a file" in capsys.readouterr().err
