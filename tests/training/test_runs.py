import csv
import os

import numpy as np
import pytest

from gru_zoo.files import write_json
from gru_zoo.training import runs
from gru_zoo.training.runs import RunFolder, newest_run

ROW = {
    "epoch": 1,
    "loss": 0.5,
    "accuracy": 0.8,
    "val_loss": 0.6,
    "val_accuracy": 0.7,
    "seconds": 2.0,
}


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "run", {"units": 7, "labels": ("a", "b")})
    run.history.append(dict(ROW))
    run.save_checkpoint({"variable_000": np.arange(3.0)})
    return run


def test_a_checkpoint_brings_back_arrays_and_history(run):
    again = RunFolder(run.path, {"units": 7, "labels": ["a", "b"]}, resume=True)
    np.testing.assert_array_equal(again.load_checkpoint()["variable_000"], [0, 1, 2])
    assert again.history == [ROW]
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert RunFolder.open(run.path).history == [ROW]


def test_there_is_no_checkpoint_before_the_first(tmp_path):
    assert RunFolder(tmp_path / "new", {}).load_checkpoint() is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(run, value):
    run.save_checkpoint({"variable_000": np.array([1.0, value])})
    with pytest.raises(ValueError, match="variable_000 must be finite; it holds NaN or inf"):
        run.load_checkpoint()


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_checkpoint_cut_short_is_refused(run, keep):
    content = (run.path / "checkpoint.npz").read_bytes()
    (run.path / "checkpoint.npz").write_bytes(content[:keep])
    with pytest.raises(ValueError, match="checkpoint .* is corrupt or cut short"):
        run.load_checkpoint()


def test_a_flipped_byte_is_refused(run):
    content = bytearray((run.path / "checkpoint.npz").read_bytes())
    start = content.index(np.arange(3.0).tobytes())
    content[start + 9] ^= 1
    (run.path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint .* is corrupt or cut short"):
        run.load_checkpoint()


def test_another_configuration_is_refused(run):
    with pytest.raises(ValueError, match="units must be 7, as the run in .* to resume it; got 8"):
        RunFolder(run.path, {"units": 8, "labels": ["a", "b"]}, resume=True)


def test_a_second_run_of_the_same_name_is_refused(run):
    with pytest.raises(FileExistsError, match="holds one already"):
        RunFolder(run.path, run.config)


def test_of_two_that_begin_at_once_one_gets_the_folder(tmp_path, monkeypatch):
    def write_while_another_begins(path, value):
        with pytest.raises(FileExistsError, match="holds one already"):
            RunFolder(tmp_path / "run", {"seed": 2})
        write_json(path, value)

    monkeypatch.setattr(runs, "write_json", write_while_another_begins)
    assert RunFolder.open(RunFolder(tmp_path / "run", {"seed": 1}).path).config == {"seed": 1}


def test_what_was_killed_before_it_began_is_named(tmp_path):
    (tmp_path / "config.json").touch()
    with pytest.raises(ValueError, match="config.json is empty: delete .* without --resume"):
        RunFolder(tmp_path, {"units": 5}, resume=True)


def test_a_folder_that_cannot_be_written_is_not_taken(tmp_path, monkeypatch):
    def fail(path, value):
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(runs, "write_json", fail)
        RunFolder(tmp_path / "run", {"seed": 1})
    assert RunFolder(tmp_path / "run", {"seed": 1}).history == []


def test_missing_runs_and_metrics_are_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="resume needs a run folder"):
        RunFolder(tmp_path / "none", {}, resume=True)
    with pytest.raises(FileNotFoundError, match="holds none"):
        newest_run(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="has no metrics.json"):
        run.metrics()
    assert newest_run(tmp_path) == run.path


def test_other_data_than_the_run_was_trained_on_are_refused(run):
    record = {"name": "imdb", "version": "1", "sha256": {"a": "00"}, "reason": "prepared"}
    run.pin_data(record)
    run.pin_data({**record, "reason": "downloaded"})
    with pytest.raises(
        ValueError, match="source must provide imdb 1, .* got packaged 2, whose test"
    ):
        run.pin_data({**record, "name": "packaged", "version": "2"})


MADE = {"metrics.json", "model.keras", "opinions.npz", "files", "artifact"}


@pytest.fixture
def finished(run):
    """That run with what is made of its checkpoint."""
    for name in MADE:
        if "." in name:
            (run.path / name).write_text("{}")
        else:
            (run.path / name).mkdir()
            (run.path / name / "card.json").write_text("{}")
    return run


def test_a_checkpoint_takes_away_what_was_made_of_the_one_before(finished):
    assert RunFolder.open(finished.path).metrics() == {}
    finished.save_checkpoint({"variable_000": np.ones(3)})
    assert not MADE & {path.name for path in finished.path.iterdir()}
    with pytest.raises(FileNotFoundError, match="has no metrics.json"):
        finished.metrics()


def test_of_a_link_to_a_folder_the_link_goes(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/card.json").touch()
    (run.path / "artifact").symlink_to(tmp_path / "elsewhere")
    run.save_checkpoint({"variable_000": np.ones(3)})
    assert not (run.path / "artifact").exists() and (tmp_path / "elsewhere/card.json").exists()


def test_what_is_killed_as_it_writes_a_checkpoint_leaves_nothing_old_beside_it(
    finished, monkeypatch
):
    def replace_and_die(partial, path):
        os.rename(partial, path)
        if path.name == "checkpoint.npz":
            raise KeyboardInterrupt

    monkeypatch.setattr("gru_zoo.files.os.replace", replace_and_die)
    with pytest.raises(KeyboardInterrupt):
        finished.save_checkpoint({"variable_000": np.ones(3)})
    assert finished.load_checkpoint()["variable_000"].tolist() == [1, 1, 1]
    assert not MADE & {path.name for path in finished.path.iterdir()}


def test_a_model_stays_with_the_flags_it_was_trained_with(run):
    def resumed(units):
        given = {**run.config, "units": units}
        return RunFolder(run.path, given, resume=True, may_change=["units"])

    resumed(8)
    assert RunFolder.open(run.path).config["units"] == 8  # There is no model.
    (run.path / "model.keras").touch()
    again = resumed(9)
    again.load_checkpoint()
    assert again.config["units"] == 9 and RunFolder.open(run.path).config["units"] == 8
    again.save_checkpoint({"variable_000": np.ones(3)})
    assert RunFolder.open(run.path).config["units"] == 9


def test_a_run_that_is_resumed_is_the_newest(run, tmp_path):
    other = RunFolder(tmp_path / "other", {})
    os.utime(run.path / "config.json", (1, 1))
    assert newest_run(tmp_path) == other.path
    os.utime(other.path / "config.json", (2, 2))
    RunFolder.open(run.path)  # to look at it is not to go on with it
    assert newest_run(tmp_path) == other.path
    RunFolder(run.path, run.config, resume=True, may_change=["epochs"])
    assert newest_run(tmp_path) == run.path


@pytest.mark.parametrize("content", [None, "epoch,loss\n1", "epoch,loss\n1,a\n"])
def test_the_checkpoint_has_the_history_too(run, content):
    path = run.path / "history.csv"
    path.unlink() if content is None else path.write_text(content)
    assert RunFolder.open(run.path).history == [ROW]


def test_a_file_that_is_cut_short_is_named(run):
    (run.path / "checkpoint.npz").unlink()
    (run.path / "history.csv").write_text("epoch,loss\n1\n")
    with pytest.raises(ValueError, match=r"history\.csv must be whole, a number in each place"):
        RunFolder.open(run.path)
    (run.path / "history.csv").unlink()
    assert RunFolder.open(run.path).history == []
    for name, read in (
        ("metrics.json", run.metrics),
        ("data.json", run.data),
        ("config.json", lambda: RunFolder.open(run.path)),
    ):
        (run.path / name).write_text('{"units": 7, "la')
        with pytest.raises(ValueError, match=f"{name} must be whole JSON; Unterminated string"):
            read()


def test_other_contents_of_the_same_name_are_refused(run):
    record = {"name": "imdb", "version": "1", "sha256": {"a": "00", "b": "01"}}
    run.pin_data(record)
    with pytest.raises(
        ValueError, match="source must provide imdb 1, .*; got other contents of b, whose"
    ):
        run.pin_data({**record, "sha256": {"a": "00", "b": "02"}})


def test_a_run_of_an_older_version_keeps_its_columns(run):
    again = RunFolder(run.path, run.config, resume=True)
    again.load_checkpoint()
    again.history.append({**ROW, "epoch": 2, "cpu_seconds": 3.0})
    again.save_checkpoint({})
    with open(run.path / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [list(ROW)] * 2 and rows[1]["epoch"] == "2"
