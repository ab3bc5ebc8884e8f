"""How a training starts: flags that no training can have, and a folder that is not left empty."""

import dataclasses

import numpy as np
import pytest

from gru_zoo.files import write_json
from gru_zoo.training.runs import RunFolder
from recipes import (
    comprehension,
    language_model,
    ngrams,
    polyphonic_music,
    pos_tagging,
    semi_supervised,
    translation,
)
from recipes.sentiment_flags import Train
from recipes.shared.starting import RunFlags, check_flags, flags_of, start_run

TRAININGS = [
    Train,
    *(
        module.Train
        for module in (
            comprehension,
            language_model,
            ngrams,
            polyphonic_music,
            pos_tagging,
            semi_supervised,
            translation,
        )
    ),
]


@pytest.mark.parametrize("train", TRAININGS)
def test_what_a_recipe_begins_with_by_itself_is_allowed(train):
    check_flags(train())


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("dropout", 1.5, "dropout must be a number in"),
        ("dropout", float("nan"), "dropout must be a number in"),
        ("learning_rate", -1.0, "learning_rate must be a number above 0; got -1.0"),
        ("learning_rate", 0.0, "learning_rate must be a number above 0"),
        ("learning_rate", float("nan"), "learning_rate must be a number above 0; got nan"),
        ("learning_rate", float("inf"), "learning_rate must be a number above 0; got inf"),
        ("limit", -5, "limit must be 0 or more; got -5"),
        ("batch_size", 0, "batch_size must be an integer of at least 1"),
        ("epochs", 0, "epochs must be an integer of at least 1"),
        ("parameters", -1, "parameters must be 0 or more"),
        ("patience", -1, "patience must be 0 or more"),
        ("alpha", -1.0, "alpha must be a number of at least 0; got -1.0"),
        ("supports", float("nan"), "supports must be a number of at least 0; got nan"),
    ],
)
def test_what_no_training_can_have_is_refused(flag, value, message):
    have = [t for t in TRAININGS if flag in {field.name for field in dataclasses.fields(t)}]
    assert have
    for train in have:
        with pytest.raises(ValueError, match=message):
            check_flags(dataclasses.replace(train(), **{flag: value}))


def test_a_training_that_has_left_nothing_leaves_no_folder(tmp_path):
    flags = RunFlags(name="a", runs=tmp_path)
    with pytest.raises(ValueError, match="wrong"), start_run(flags) as run:
        run.pin_data({"name": "some", "version": "1", "sha256": {}})
        raise ValueError("wrong")
    assert not (tmp_path / "a").exists()
    with start_run(flags) as run:  # The name is free for the corrected command.
        assert run.path == tmp_path / "a"


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ".", "/tmp/a"])
def test_a_run_is_a_folder_among_the_runs(tmp_path, name):
    message = "name must be a plain folder name, created in"
    with pytest.raises(ValueError, match=message), start_run(RunFlags(name=name, runs=tmp_path)):
        pytest.fail("it was started")
    assert not list(tmp_path.iterdir())


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("recipes.shared.starting.time.strftime", lambda _: "20260102-030405")
    for name in ("20260102-030405", "20260102-030405-2", "20260102-030405-3"):
        with start_run(RunFlags(runs=tmp_path)) as run:
            assert run.path == tmp_path / name
    (tmp_path / "file").touch()
    with pytest.raises(OSError), start_run(RunFlags(runs=tmp_path / "file")):
        pytest.fail("it was started")


def test_what_a_training_has_left_stays(tmp_path):
    flags = RunFlags(name="a", runs=tmp_path)
    with pytest.raises(FloatingPointError), start_run(flags) as run:
        run.history.append({"epoch": 1, "val_loss": 0.5})
        run.save_checkpoint({"a": np.ones(3)})
        raise FloatingPointError
    again = RunFlags(name="a", runs=tmp_path, resume=True)
    with pytest.raises(ValueError, match="again"), start_run(again):
        raise ValueError("again")
    assert (tmp_path / "a" / "checkpoint.npz").exists()


def test_resuming_in_vain_leaves_a_training_that_is_in_its_first_epoch(tmp_path):
    flags = RunFlags(name="a", runs=tmp_path)
    with start_run(flags) as run:
        with (
            pytest.raises(ValueError, match="wrong"),
            start_run(dataclasses.replace(flags, resume=True)),
        ):
            raise ValueError("wrong")
        run.history.append({"epoch": 1, "val_loss": 0.5})
        run.save_checkpoint({"a": np.ones(3)})
    assert RunFolder.open(run.path).history == run.history


def test_an_interrupted_training_can_be_resumed_from_the_beginning(tmp_path):
    flags = RunFlags(name="a", runs=tmp_path)
    with pytest.raises(KeyboardInterrupt), start_run(flags):
        raise KeyboardInterrupt
    with start_run(RunFlags(name="a", runs=tmp_path, resume=True)) as run:
        assert run.config["seed"] == 0


@pytest.mark.parametrize("train", [language_model.Train, semi_supervised.Train])
def test_what_is_done_is_not_stopped_before(train, tmp_path):
    flags = train(name="a", runs=tmp_path, stop_after=2)
    with start_run(flags) as run:
        run.history += [{"epoch": number, "val_loss": 0.5} for number in (1, 2)]
        run.save_checkpoint({"a": np.ones(3)})
    fewer = dataclasses.replace(flags, stop_after=1, resume=True)
    message = "stop_after must be 0 or at least 2, which the run in .* has already completed; got 1"
    with pytest.raises(ValueError, match=message), start_run(fewer):
        pytest.fail("it was resumed")
    assert RunFolder.open(run.path).config["stop_after"] == 2
    for enough in (2, 3, 0):
        with start_run(dataclasses.replace(flags, stop_after=enough, resume=True)) as run:
            assert run.config["stop_after"] == enough


@pytest.mark.parametrize("train", TRAININGS)
def test_another_recipes_run_is_named(train, tmp_path):
    write_json(tmp_path / "config.json", {"seed": 3})
    run = RunFolder.open(tmp_path)
    assert flags_of(run, train) == dataclasses.replace(train(), seed=3)
    write_json(tmp_path / "config.json", {"seed": 3, "of_another": 1})
    recipe = train().runs.name
    with pytest.raises(ValueError, match=f"run must be a run of recipes.{recipe}; .*of_another"):
        flags_of(RunFolder.open(tmp_path), train)
