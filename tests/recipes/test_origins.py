"""What a run begins with or learns from is to stay what it was."""

import json

import numpy as np
import pytest

from gru_zoo.files import write_json
from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.training.runs import RunFolder
from recipes.shared import origins
from recipes.shared.publishing import before
from tests.export.conftest import make_classifier


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A finished run, its model."""
    monkeypatch.chdir(tmp_path)
    run = RunFolder("runs/some/teacher", {"seed": 0})
    model = make_classifier()
    save_keras_file(model, run.path / "model.keras")
    (run.path / "opinions.npz").write_bytes(b"said")
    return model


def change(model):
    model.set_weights([weights + 1 for weights in model.get_weights()])
    save_keras_file(model, "runs/some/teacher/model.keras")


def begin(*places, **pinned):
    run = RunFolder("runs/some/student", {"seed": 1, "teachers": ["runs/some/teacher"]})
    origins.pin(run, places, **pinned)
    return run


def learn(run):
    run.history.append({"epoch": 1, "val_loss": 0.5})
    run.save_checkpoint({"a": np.ones(3)})


def test_a_run_goes_on_with_what_it_began_with_alone(teacher):
    run = begin("runs/some/teacher", None, "", "sentiment_imdb_gru_small")
    assert [*json.loads((run.path / "origins.json").read_text())] == ["runs/some/teacher"]
    change(teacher)
    origins.pin(run, ["runs/some/teacher"])  # It has learnt nothing yet.
    learn(run)
    save_keras_file(teacher, "runs/some/teacher/model.keras")  # as resuming it does
    origins.pin(run, ["runs/some/teacher"])
    assert before(run) == ["python -m recipes.some train --name teacher --seed 0"]
    change(teacher)
    said = "runs/some/teacher must be what the run in .*student began with; it has another model.k"
    for compare in (lambda: origins.pin(run, ["runs/some/teacher"]), lambda: before(run)):
        with pytest.raises(ValueError, match=said):
            compare()


@pytest.mark.parametrize("name", ["opinions.npz", "ngrams.npz"])
def test_what_a_teacher_says_is_pinned(teacher, tmp_path, name):
    path = tmp_path / "runs" / "some" / "teacher" / name
    path.write_bytes(b"said")
    run = begin(teachers=["runs/some/teacher"])
    learn(run)
    before(run)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=f"it has another {name} now"):
        before(run)
    path.unlink()
    with pytest.raises(ValueError, match=f"it has no {name} now"):
        before(run)


def test_a_file_of_keras_is_pinned(teacher, tmp_path):
    run = begin("runs/some/teacher/model.keras")
    learn(run)
    origins.require_unchanged(run)
    change(teacher)
    with pytest.raises(ValueError, match="model.keras must be what the run in"):
        origins.require_unchanged(run)


def test_a_run_that_was_trained_further_tells_of_the_one_before(teacher):
    run = RunFolder("runs/some/student", {"seed": 1, "start": "runs/some/teacher"})
    origins.pin(run, ["runs/some/teacher"])
    learn(run)
    assert before(run) == ["python -m recipes.some train --name teacher --seed 0"]
    change(teacher)
    with pytest.raises(ValueError, match="it has another model.keras now"):
        before(run)
    # A preset is loaded as it is, and a file of Keras is no run.
    for number, start in enumerate(("sentiment_imdb_gru_small", "mine.keras", "")):
        other = RunFolder(f"runs/some/{number}", {"seed": 1, "start": start})
        assert before(other) == []


def test_a_run_that_went_on_from_an_artifact_can_be_published(teacher):
    write_json("runs/some/teacher/artifact/card.json", {})
    save_keras_file(teacher, "runs/some/teacher/artifact/model.keras")
    for number, start in enumerate(("runs/some/teacher/artifact", "hf://me/mine", "hf://me/m@v1")):
        run = RunFolder(f"runs/some/{number}", {"seed": 1, "start": start})
        origins.pin(run, [start])
        learn(run)
        assert before(run) == []
    run = RunFolder.open("runs/some/0")
    teacher.set_weights([weights + 1 for weights in teacher.get_weights()])
    save_keras_file(teacher, "runs/some/teacher/artifact/model.keras")
    with pytest.raises(ValueError, match="runs/some/teacher/artifact must be what the run in .*0 "):
        before(run)
    gone = RunFolder("runs/some/gone", {"seed": 1, "start": "runs/some/nothing"})
    with pytest.raises(FileNotFoundError, match="got 'runs/some/nothing'"):
        before(gone)


def test_a_preset_is_not_mistaken_for_a_folder_of_its_name(teacher):
    write_json("sentiment_imdb_gru_small/card.json", {})
    save_keras_file(teacher, "sentiment_imdb_gru_small/model.keras")
    run = begin("sentiment_imdb_gru_small")
    assert not (run.path / "origins.json").exists()


def test_an_older_run_has_no_record_and_goes_on(teacher):
    run = RunFolder("runs/some/student", {"seed": 1, "teachers": ["runs/some/teacher"]})
    learn(run)
    origins.pin(run, ["runs/some/teacher"])
    assert not (run.path / "origins.json").exists() and len(before(run)) == 1


def test_a_run_that_fails_at_its_start_leaves_no_record(teacher):
    run = begin("runs/some/teacher")
    run.discard_unless_begun()
    assert not run.path.exists()
