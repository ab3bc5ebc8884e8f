"""The recipe in smoke size, on recordings written for the tests."""

import json
import shutil

import keras
import numpy as np
import pytest

from gru_zoo import load
from gru_zoo.artifacts import signals
from gru_zoo.data import watch_exercises as data
from gru_zoo.files import write_json
from gru_zoo.training.runs import RunFolder
from gru_zoo.zoo import models_folder
from gru_zoo.zoo.__main__ import main as zoo_main
from recipes import activity_recognition, activity_recognition_artifact
from recipes.activity_recognition_data import watch
from tests.recipes.running import (
    check_same_weights,
    evaluated_with_a_worse_epoch,
    kill_and_resume,
    prepared,
    recipe,
)
from tests.small_data import small_watch

pytestmark = pytest.mark.usefixtures("loop_kernel")

SMALL_DATA = """
from gru_zoo.data import watch_exercises
from tests.small_data import small_watch
watch_exercises.load = small_watch.load
"""
SMALL = "--units 16 --epochs 12 --batch-size 8 --learning-rate 0.02 --sequence-length 20"
NAME = "activity_small_gru_tiny"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(data, "load", small_watch.load)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, made in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", small_watch.load)
        # What it does beyond seeding is for good.
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), "--no-export", "--no-refit"]
        assert activity_recognition.main([*arguments, *SMALL.split()]) == 0
    return runs / "small"


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    """The folder of a zoo that the run was published to."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", small_watch.load)
        patch.setenv("GRU_ZOO_MODELS", str(folder))
        flags = json.loads((trained / "config.json").read_text())
        value = json.loads((trained / "metrics.json").read_text())["metric"]["value"]
        others = tmp_path_factory.mktemp("folds")
        folds = [finished(others, value=value, **{**flags, "fold": fold}) for fold in range(1, 5)]
        for run in folds:
            shutil.copy(trained / "data.json", run)
        words = ["publish", str(trained), "--preset", NAME]
        # The second time the run has its artifact already.
        assert activity_recognition.main(words) == 0
        assert activity_recognition.main([*words, "--folds", *map(str, (trained, *folds))]) == 0
    return folder


@pytest.mark.slow
def test_it_learns_whom_it_has_never_met(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "accuracy" and metrics["metric"]["split"] == "test"
    assert metrics["metric"]["value"] > 0.7 and metrics["streamed_accuracy"] > 0.7
    windows = watch().load("test", 0).windows(20)[0]
    assert metrics["scored_on"] == (
        f"{len(windows)} windows of 0.4 s, subjects 1, 2, never trained on"
    )
    assert "val_accuracy" in (trained / "history.csv").read_text().splitlines()[0]
    model = keras.saving.load_model(trained / "model.keras")
    learnt = np.concatenate(watch().load("train", 0).signals)
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    np.testing.assert_allclose(np.ravel(norm.variance), learnt.var(axis=0), rtol=1e-3)
    right = [
        model(each.signal[None])[0][19:].numpy().argmax(axis=1) == each.exercise
        for each in small_watch.load("test", 0)[0]
    ]
    assert metrics["streamed_accuracy"] == pytest.approx(np.concatenate(right).mean(), abs=1e-3)


@pytest.mark.slow
def test_evaluating_again_gives_the_same(trained, tmp_path):
    def evaluate(run):
        assert activity_recognition.main(["evaluate", "--run", str(run)]) == 0

    worse = {"val_loss": 99.0, "val_accuracy": 0.0}
    evaluated_with_a_worse_epoch(trained, tmp_path / "run", evaluate, worse)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    flags = "--units 5 --epochs 2 --batch-size 8 --sequence-length 20 --no-export"
    train = ["train", *flags.split(), "--name"]
    code = prepared("activity_recognition", SMALL_DATA)
    done = recipe("activity_recognition", tmp_path, *train, "whole", code=code)
    assert done.returncode == 0, done.stderr
    kill_and_resume("activity_recognition", tmp_path, *train, "killed", first=SMALL_DATA)
    folder = tmp_path / "runs" / "activity_recognition"
    for part in ("", "refit"):
        check_same_weights(folder / "killed" / part, folder / "whole" / part)


@pytest.mark.slow
def test_a_run_from_before_there_was_a_second_training(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "old", ignore=shutil.ignore_patterns("artifact"))
    flags = json.loads((trained / "config.json").read_text())
    write_json(tmp_path / "old" / "config.json", {k: v for k, v in flags.items() if k != "refit"})
    run = str(tmp_path / "old")
    before = RunFolder.open(run).metrics()
    for words in (["evaluate", "--run", run], ["export", "--run", run]):
        assert activity_recognition.main(words) == 0
    assert RunFolder.open(run).metrics() == before
    limits = json.loads((tmp_path / "old" / "artifact" / "card.json").read_text())["limits"]
    assert limits == list(activity_recognition_artifact.LIMITS)


@pytest.mark.slow
def test_it_is_trained_anew_on_the_people_of_validation_too(tmp_path, monkeypatch, capsys):
    """And goes on with that where it was interrupted, to the same model."""
    flags = "--units 5 --epochs 4 --batch-size 8 --sequence-length 20 --no-export --seed 2"
    train = ["train", "--runs", str(tmp_path), *flags.split(), "--name"]
    assert activity_recognition.main([*train, "whole"]) == 0
    run = RunFolder.open(tmp_path / "whole")
    best = int(min(run.history, key=lambda row: row["val_loss"])["epoch"])
    again = RunFolder.open(run.path / "refit").history
    assert 2 <= best == len(again) and "val_loss" not in again[0]
    assert f"anew for {best} epochs, on 3, 4 too" in capsys.readouterr().out
    metrics = run.metrics()
    assert metrics["epochs"] == best
    seconds = [row["seconds"] for row in run.history + again]
    assert metrics["train_seconds"] == pytest.approx(sum(seconds))
    model = keras.saving.load_model(run.path / "model.keras")
    learnt = [each for split in ("train", "validation") for each in small_watch.load(split)[0]]
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    values = np.concatenate([each.signal for each in learnt])
    np.testing.assert_allclose(np.ravel(norm.variance), values.var(axis=0), rtol=1e-3)

    save = RunFolder.save_checkpoint

    def interrupted(self, arrays):
        save(self, arrays)
        if self.path.name == "refit":
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save_checkpoint", interrupted)
    assert activity_recognition.main([*train, "killed"]) != 0
    monkeypatch.setattr(RunFolder, "save_checkpoint", save)
    assert activity_recognition.main([*train, "killed", "--resume"]) == 0
    check_same_weights(tmp_path / "killed" / "refit", run.path / "refit")
    assert RunFolder.open(tmp_path / "killed").metrics()["metric"] == metrics["metric"]
    # Evaluating again reads the same.
    (run.path / "metrics.json").unlink()
    assert activity_recognition.main(["evaluate", "--run", str(run.path)]) == 0
    assert run.metrics() == metrics


@pytest.mark.slow
def test_every_file_scores_as_the_model_does(trained, published):
    card = json.loads((published / NAME / "card.json").read_text())
    files = {export["file"]: export for export in card["exports"]}
    variants = ("float32", "float16", "int8", "int16x8")
    assert set(files) == {"saved_model", *(f"model_{name}.tflite" for name in variants)}
    value = json.loads((trained / "metrics.json").read_text())["metric"]["value"]
    for name, export in files.items():
        exact = name in ("saved_model", "model_float32.tflite")
        assert export["model_metric"] == pytest.approx(value)
        assert export["metric"] == pytest.approx(value, abs=1e-9 if exact else 0.05), name
        assert export["largest_difference"] < (1e-4 if exact else 0.2)
    (section,) = card["measured"]
    assert section["title"] == "Cross-validation over people"
    assert section["rows"][0][:-1] == ["0", *[f"{100 * value:.2f} %"] * 6]
    assert [command.split()[3] for command in card["commands"]] == [*["train"] * 5, "publish"]
    assert [f"--fold {fold}" in card["commands"][fold] for fold in range(1, 5)] == [True] * 4
    assert card["commands"][-1].count("runs/activity_recognition/") == 1 + 5
    labels = (published / NAME / "assets" / "labels.txt").read_text().splitlines()
    assert tuple(labels) == data.EXERCISES and card["configuration"]["fold"] == 0


@pytest.mark.slow
def test_the_zoo_serves_it(published, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(published))
    assert zoo_main(["verify"]) == 0
    signal = small_watch.every()[0].signal
    model = load(NAME)
    wanted = model(signal[None])[0]
    plain = keras.saving.load_model(published / NAME / "model.keras")
    np.testing.assert_array_equal(plain(signal[None])[0], wanted)
    path = tmp_path / "mine.csv"
    rows = "\n".join(",".join(map(str, sample)) for sample in signal)
    path.write_text(",".join(data.CHANNELS) + "\n" + rows + "\n")
    assert activity_recognition.main(["predict", str(path), "--model", NAME, "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["label"] in data.EXERCISES and last["end"] == len(signal) / 50
    stream = load(NAME, format="tflite", variant="int8")
    given = np.concatenate([stream.push(sample)["outputs"] for sample in signal])
    np.testing.assert_allclose(given, wanted, atol=0.2)


@pytest.mark.slow
def test_files_alone_and_a_preset_again(published, tmp_path, monkeypatch, capsys):
    shutil.copytree(published, tmp_path / "zoo")
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    # Others are written by the same lines, and take a minute.
    monkeypatch.setattr(signals, "SHIPPED_OF_SIGNALS", ("float32", "int8"))
    before = (published / NAME / "model.keras").read_bytes()
    words = ["export", "--preset", NAME, "--out", str(tmp_path)]
    assert activity_recognition.main(words) == 0
    assert (tmp_path / "model_int8.tflite").is_file()
    assert activity_recognition.main(words) == 2
    assert "without --overwrite" in capsys.readouterr().err
    assert activity_recognition.main(["export", "--preset", NAME]) == 0
    assert f"exported {NAME} again: 2 files" in capsys.readouterr().out
    assert (tmp_path / "zoo" / NAME / "model.keras").read_bytes() == before
    # Neither of other recordings of the watch, nor of a table.
    monkeypatch.setattr(small_watch, "CHECKSUM", "00")
    assert activity_recognition.main(["export", "--preset", NAME]) == 2
    assert "other contents of small.npy" in capsys.readouterr().err
    card = tmp_path / "zoo" / NAME / "card.json"
    card.write_text(card.read_text().replace('"dataset": "watch_exercises"', '"dataset": "a.csv"'))
    assert activity_recognition.main(["export", "--preset", NAME]) == 2
    assert "preset must be trained on the watch's exercises" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--turn -1", "turn must be a number of at least 0; got -1.0"),
        ("--pace nan", "pace must be a number of at least 0; got nan"),
        ("--mirror 2", "mirror must be a number from 0 to 1; got 2.0"),
        ("--gain -0.1", "gain must be a number of at least 0; got -0.1"),
        ("--sequence-length 0", "sequence_length must be an integer of at least 1; got 0"),
        ("--sequence-length 900", "sequence_length must be at most 88, the samples of the longest"),
        ("--sequence-length 20 --batch-size 9000", "at least 9000 windows of 20 samples"),
        ("--dropout 1", "dropout must be a number in [0, 1); got 1.0"),
    ],
)
def test_a_flag_out_of_its_range_leaves_no_run(tmp_path, capsys, flags, message):
    words = ["train", "--name", "bad", "--runs", str(tmp_path / "runs"), *flags.split()]
    if "--sequence-length" not in flags:
        words += ["--sequence-length", "20"]
    assert activity_recognition.main(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs" / "bad").exists()


def finished(folder, seed, fold, value, **flags):
    run = folder / f"{seed}-{fold}-{len(list(folder.iterdir()))}"
    write_json(run / "config.json", {"units": 64, **flags, "seed": seed, "fold": fold})
    write_json(run / "data.json", {"sha256": {"watch.csv": "9f"}})
    metric = {"name": "accuracy", "value": value, "split": "test"}
    figures = {"metric": metric, "streamed_accuracy": value / 2, "folds": 5}
    write_json(run / "metrics.json", figures)
    return run


def test_folds_are_averaged_for_each_seed(tmp_path, capsys):
    runs = [
        finished(tmp_path, seed, fold, 0.5 + 0.1 * fold + 0.02 * seed)
        for fold in range(5)
        for seed in (0, 1)
    ]
    assert activity_recognition.main(["folds", *map(str, runs)]) == 0
    printed = capsys.readouterr().out
    assert "mean over folds: 71.00 ± 1.41 % (2 seeds)" in " ".join(printed.split())
    assert "after every sample: 35.50 ± 0.71 % (2 seeds)" in " ".join(printed.split())
    row = next(line for line in printed.splitlines() if line.split("│")[1:2] == [" " * 4 + "1 "])
    assert [each.strip() for each in row.split("│")[2:-1]] == [
        *("52.00 %", "62.00 %", "72.00 %", "82.00 %", "92.00 %", "72.00 %", "36.00 %")
    ]


def test_folds_that_are_not_all_of_one_kind_are_refused(tmp_path, capsys):
    runs = [finished(tmp_path, 0, fold, 0.5) for fold in range(5)]
    cases = [
        ([*runs[:2], *runs[3:]], "all 5 folds of each seed; of seed 0 2 is missing"),
        ([*runs, finished(tmp_path, 0, 1, 0.5)], "are both fold 1 of seed 0"),
        ([*runs, finished(tmp_path, 1, 0, 0.5, units=32)], "units is 64 in"),
        ([tmp_path / "none"], "run must be a folder with a config.json"),
        ([finished(tmp_path, 0, 0, 0.5, dim=3)], "a run of recipes.activity_recognition"),
    ]
    other = finished(tmp_path, 1, 0, 0.5)
    write_json(other / "data.json", {"sha256": {"watch.csv": "77"}})
    cases.append(([*runs, other], "must be runs on the same data"))
    for given, message in cases:
        assert activity_recognition.main(["folds", *map(str, given)]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_folds_of_other_runs_are_no_cards(trained, tmp_path, monkeypatch, capsys):
    """The table must be of the model that the card is about."""
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    (tmp_path / "zoo").mkdir()
    shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("artifact"))
    (tmp_path / "folds").mkdir()
    folds = [str(finished(tmp_path / "folds", 0, fold, 0.5)) for fold in range(5)]
    words = ["publish", str(tmp_path / "run"), "--preset", NAME, "--folds", *folds]
    assert activity_recognition.main(words) == 2
    assert "folds must have the runs that are published;" in capsys.readouterr().err
    assert not list((tmp_path / "zoo").iterdir())
    assert not (tmp_path / "run" / "artifact").exists()


def test_batches_are_as_the_flags_say(tmp_path, monkeypatch):
    seen = []

    def batches(*given, **options):
        seen.append((given, options))
        raise ValueError("seen")

    monkeypatch.setattr("gru_zoo.training.signal_windows.WindowBatches", batches)
    flags = "--mirror 0.25 --turn 3 --pace 0.2 --gain 0.3 --seed 6 --batch-size 7 --fold 2"
    words = ["train", "--runs", str(tmp_path), "--sequence-length", "20", *flags.split()]
    assert activity_recognition.main(words) == 2
    ((given, options),) = seen
    assert given[2:] == (20, 7, 6)
    varied = {"mirror": 0.25, "turn": 3.0, "pace": 0.2, "gain": 0.3, "angular": (3, 4, 5)}
    assert options == varied
    wanted, _ = small_watch.load("train", 2)
    assert len(given[0]) == len(wanted) and given[1] == [each.exercise for each in wanted]
    for signal, each in zip(given[0], wanted, strict=True):
        np.testing.assert_array_equal(signal, each.signal)


def test_integers_are_calibrated_on_people_who_were_learnt_from():
    found = activity_recognition_artifact._representative(watch(), 20, 3)
    known = {window.tobytes() for window in watch().load("train", 3).windows(20)[0]}
    assert found and all(window.tobytes() in known for window in found)


def test_a_cell_that_cannot_stream_has_no_artifact(tmp_path, capsys):
    flags = "--cell lstm --units 3 --epochs 1 --batch-size 8 --sequence-length 20 --name lstm"
    assert activity_recognition.main(["train", "--runs", str(tmp_path), *flags.split()]) == 0
    run = str(tmp_path / "lstm")
    assert not (tmp_path / "lstm" / "artifact").exists()
    for words in (["export", "--run", run], ["export", "--run", run, "--out", str(tmp_path / "o")]):
        capsys.readouterr()
        assert activity_recognition.main(words) == 2
        assert "run must be of cell 'gru' to be exported" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_another_preset_is_named(tmp_path, capsys):
    assert "pos_ewt_gru_small" in {each.name for each in models_folder().iterdir()}
    words = ["export", "--preset", "pos_ewt_gru_small", "--out", str(tmp_path)]
    assert activity_recognition.main(words) == 2
    message = "preset must name a model of signals; pos_ewt_gru_small is for token-classification"
    assert message in capsys.readouterr().err


def test_windows_kept_are_far_apart():
    windows = np.arange(90).reshape(90, 1)
    assert activity_recognition_artifact._spread(windows, 4)[:, 0].tolist() == [0, 29, 59, 89]
    assert len(activity_recognition_artifact._spread(windows[:3], 8)) == 3
