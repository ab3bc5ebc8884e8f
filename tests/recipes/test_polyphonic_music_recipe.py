"""The recipe in smoke size, on scales written for the tests."""

import json
import shutil

import keras
import numpy as np
import pytest

from gru_zoo import load
from gru_zoo.artifacts import frames
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.data import polyphonic_music as data
from gru_zoo.files import write_json
from gru_zoo.zoo import models_folder
from gru_zoo.zoo.__main__ import main as zoo_main
from recipes import polyphonic_music
from tests.recipes.running import (
    check_same_weights,
    evaluated_with_a_worse_epoch,
    kill_and_resume,
    prepared,
    recipe,
)
from tests.small_data import small_music

pytestmark = pytest.mark.usefixtures("loop_kernel")

SCALES = """
from gru_zoo.data import polyphonic_music
from tests.small_data import small_music
polyphonic_music.load = small_music.load
"""
SMALL = "--units 24 --epochs 12 --patience 12 --batch-size 4 --learning-rate 0.04 --dropout 0.1"
NAME = "music_scales_gru_tiny"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, made in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", small_music.load)
        # What it does beyond seeding is for good.
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), "--no-export"]
        flags = [*SMALL.split(), "--recurrent-dropout", "0.1"]
        assert polyphonic_music.main([*arguments, *flags]) == 0
    return runs / "small"


@pytest.fixture(autouse=True)
def scales(monkeypatch):
    monkeypatch.setattr(data, "load", small_music.load)


@pytest.mark.slow
def test_it_learns_scales_and_leaves_its_files(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    pieces = small_music.pieces("testdata")
    share = np.concatenate(small_music.pieces("traindata")).mean(axis=0).clip(1e-3)
    unread = np.concatenate([piece[1:] for piece in pieces])
    blind = -np.where(unread, np.log(share), np.log(1 - share)).sum(axis=1).mean()
    assert metrics["metric"]["name"] == "nll" and metrics["metric"]["split"] == "test"
    assert metrics["metric"]["value"] < 0.6 * blind
    assert f"5 pieces, {len(unread)} frames" in metrics["scored_on"]
    assert "val_nll" in (trained / "history.csv").read_text().splitlines()[0]
    assert METRICS["nll"].lower_is_better


@pytest.mark.slow
def test_evaluating_again_gives_the_same(trained, tmp_path):
    def evaluate(run):
        assert polyphonic_music.main(["evaluate", "--run", str(run)]) == 0

    worse = {"val_loss": 99.0, "val_nll": 99.0}
    evaluated_with_a_worse_epoch(trained, tmp_path / "run", evaluate, worse)


@pytest.mark.slow
def test_a_killed_run_with_recurrent_dropout_resumes_to_the_same_weights(tmp_path):
    flags = "--units 5 --epochs 2 --batch-size 4 --dropout 0.1 --recurrent-dropout 0.3 --no-export"
    train = ["train", *flags.split(), "--name"]
    code = prepared("polyphonic_music", SCALES)
    done = recipe("polyphonic_music", tmp_path, *train, "whole", code=code)
    assert done.returncode == 0, done.stderr
    kill_and_resume("polyphonic_music", tmp_path, *train, "killed", first=SCALES)
    folder = tmp_path / "runs" / "polyphonic_music"
    check_same_weights(folder / "killed", folder / "whole")


@pytest.mark.slow
def test_music_is_written(trained, tmp_path, capsys):
    mido = pytest.importorskip("mido", reason="MIDI needs the extra `music`")
    words = f"--run {trained} --begin 7 --length 9 --temperature 0 --out {tmp_path}/tune.mid"
    assert polyphonic_music.main(["generate", *words.split()]) == 0
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
    sounding, clock, roll = set(), 0, np.zeros((16, 88), np.uint8)
    for message in mido.MidiFile(tmp_path / "tune.mid").tracks[0]:
        for frame in range(clock // 480, (clock + message.time) // 480):
            roll[frame, sorted(sounding)] = 1
        clock += message.time
        if message.type == "note_on":
            sounding.add(message.note - 21)
        elif message.type == "note_off":
            sounding.remove(message.note - 21)
    assert clock == 16 * 480 and not sounding
    np.testing.assert_array_equal(roll[:7], small_music.pieces("testdata")[0][:7])
    assert polyphonic_music.main(["generate", *words.split()]) == 2
    refusal = "out must not contain tune.mid or tune.png without --overwrite"
    assert refusal in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--begin 0", "begin must be an integer of at least 1; got 0"),
        ("--temperature -1", "temperature must be 0 or more; got -1.0"),
        ("--temperature nan", "temperature must be 0 or more; got nan"),
        ("--tempo 0", "tempo must be 4 to 6,000 frames per minute; got 0.0"),
        ("--tempo 3", "tempo must be 4 to 6,000 frames per minute; got 3.0"),
        ("--out tune.mp3", "out must end in .mid; got tune.mp3"),
        ("--tflite none.tflite", "tflite must be a file; none.tflite does not exist"),
        ("--tflite a.tflite --run b", "run must not be used with tflite; got b"),
        ("--run gone", "run must be a folder with a config.json; got gone"),
        ("--piece 5 --run {run}", "piece must be 0 to 4; got 5"),
        ("--model pos_ewt_gru_small", "model must name a music model; pos_ewt_gru_small is"),
    ],
)
def test_what_cannot_be_written_is_said(trained, tmp_path, monkeypatch, capsys, flags, message):
    pytest.importorskip("mido", reason="MIDI needs the extra `music`")
    monkeypatch.chdir(tmp_path)
    assert polyphonic_music.main(["generate", *flags.format(run=trained).split()]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_another_recipes_run_is_named(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mido", reason="MIDI needs the extra `music`")
    monkeypatch.chdir(tmp_path)
    write_json("other/config.json", {"seed": 0, "vocabulary_size": 5})
    shutil.copy(models_folder() / "pos_ewt_gru_small" / "model.keras", "other")
    assert polyphonic_music.main(["generate", "--run", "other"]) == 2
    assert (
        "run must be a run of recipes.polyphonic_music; the flags of other"
        in capsys.readouterr().err
    )


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    """The folder of a zoo that the run was published to."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", small_music.load)
        patch.setenv("GRU_ZOO_MODELS", str(folder))
        assert polyphonic_music.main(["publish", str(trained), "--preset", NAME]) == 0
    return folder


@pytest.mark.slow
def test_every_file_scores_as_the_model_does(trained, published):
    card = json.loads((published / NAME / "card.json").read_text())
    files = {export["file"]: export for export in card["exports"]}
    variants = ("float32", "float16", "int8", "int16x8")
    assert set(files) == {"saved_model", *(f"model_{name}.tflite" for name in variants)}
    value = json.loads((trained / "metrics.json").read_text())["metric"]["value"]
    for name, export in files.items():
        exact = name in ("saved_model", "model_float32.tflite")
        assert export["metric"] == pytest.approx(value, rel=1e-4 if exact else 0.05), name
        assert export["largest_difference"] < (1e-5 if exact else 0.1)


@pytest.mark.slow
def test_files_are_scored_on_the_pieces_that_the_run_was(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "SHIPPED_OF_FRAMES", ("float32",))
    few = ["train", "--name", "few", "--runs", str(tmp_path), "--limit", "2"]
    assert polyphonic_music.main([*few, "--units", "5", "--epochs", "1", "--batch-size", "2"]) == 0
    metrics = json.loads((tmp_path / "few" / "metrics.json").read_text())
    card = json.loads((tmp_path / "few" / "artifact" / "card.json").read_text())
    (file,) = card["exports"]
    assert card["scored_on"].startswith("2 pieces")
    value = pytest.approx(metrics["metric"]["value"], rel=1e-4)
    assert file["metric"] == value and file["model_metric"] == value
    # And so they are when they are written again.
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    assert polyphonic_music.main(["publish", str(tmp_path / "few"), "--preset", NAME]) == 0
    assert polyphonic_music.main(["export", "--preset", NAME]) == 0
    (again,) = json.loads((tmp_path / "zoo" / NAME / "card.json").read_text())["exports"]
    assert again["metric"] == file["metric"] and again["model_metric"] == file["model_metric"]


@pytest.mark.slow
def test_the_zoo_serves_it(published, monkeypatch, capsys):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(published))
    assert zoo_main(["verify"]) == 0
    piece = small_music.pieces("testdata")[1].astype(np.float32)
    model = load(NAME)
    wanted = model(piece[None])[0]
    plain = keras.saving.load_model(published / NAME / "model.keras")
    np.testing.assert_array_equal(plain(piece[None])[0], wanted)
    stream = load(NAME, format="tflite", variant="int8")
    given = np.concatenate([stream.push(frame)["outputs"] for frame in piece])
    np.testing.assert_allclose(given, wanted, atol=0.1)


@pytest.mark.slow
def test_files_alone_and_a_preset_again(published, tmp_path, monkeypatch, capsys):
    shutil.copytree(published, tmp_path / "zoo")
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    # Others are written by the same lines, and take a minute.
    monkeypatch.setattr(frames, "SHIPPED_OF_FRAMES", ("float32", "int8"))
    before = (published / NAME / "model.keras").read_bytes()
    words = ["export", "--preset", NAME, "--out", str(tmp_path)]
    assert polyphonic_music.main(words) == 0
    assert (tmp_path / "model_int8.tflite").is_file()
    assert polyphonic_music.main(words) == 2
    assert "without --overwrite" in capsys.readouterr().err
    assert polyphonic_music.main(["export", "--preset", NAME]) == 0
    assert f"exported {NAME} again: 2 files" in capsys.readouterr().out
    assert (tmp_path / "zoo" / NAME / "model.keras").read_bytes() == before
    integers = str(published / NAME / "model_int16x8.tflite")
    flags = ["--tflite", integers, "--out", str(tmp_path / "a.mid")]
    assert polyphonic_music.main(["generate", *flags]) == 0
