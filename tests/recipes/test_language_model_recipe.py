"""The recipe in smoke size, killed after its first checkpoint and resumed."""

import dataclasses
import json

import numpy as np
import pytest

from gru_zoo.models.keras_file import load_keras_file, save_keras_file
from gru_zoo.training.runs import RunFolder
from recipes import language_model
from recipes import language_model_beginning as beginning
from recipes.shared.cli import DIVERGED
from tests.models.test_language_model import language_model as small_model
from tests.recipes.running import check_same_weights, kill_and_resume, recipe, recipe_here

SMALL = (
    "--source packaged --vocabulary-size 40 --embedding-dim 4 --units 5 --epochs 2 --parts 2 "
    "--streams 4 --steps 6 --sampled 8 --learning-rate 0.02"
).split()


@pytest.fixture(scope="module")
def trained(place):
    """The folder of an undisturbed run."""
    done = recipe("language_model", place, "train", "--name", "whole", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "validation: perplexity" in done.stdout
    return place / "runs" / "language_model" / "whole"


def test_it_learns_and_leaves_its_files(trained):
    for name in ("config.json", "data.json", "history.csv", "curves.png", "model.keras"):
        assert (trained / name).stat().st_size > 0, name
    metrics = json.loads((trained / "metrics.json").read_text())
    # Forty words, a fifth of which follow a determined one.
    assert 1 < metrics["validation"]["perplexity"] < 30
    assert "test" not in metrics


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(place, trained):
    kill_and_resume("language_model", place, "train", "--name", "killed", *SMALL)
    check_same_weights(trained.parent / "killed", trained)


def test_the_test_split_is_read_when_asked(place, trained, monkeypatch, capsys):
    monkeypatch.chdir(place)
    (trained / "metrics.json").unlink()  # as one leaves it that is killed while it is scored
    done = recipe_here("language_model", place, "evaluate", "--run", str(trained))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["test"]["texts"] == 80 and metrics["validation"]["texts"] == 32
    test, validation = (metrics[split]["perplexity"] for split in ("test", "validation"))
    assert metrics["validation_perplexity"] == validation != test == metrics["metric"]["value"]


@pytest.mark.slow
def test_one_begins_as_another_reads(place, trained):
    other = ["--pretrained", str(trained), "--backward", "--learning-rate", "1e-9"]
    done = recipe_here("language_model", place, "train", "--name", "begun", *SMALL, *other)
    assert done.returncode == 0, done.stderr
    folders = (trained, trained.parent / "begun")
    first, second = (load_keras_file(folder / "model.keras") for folder in folders)
    assert second.tokenizer.vocabulary == first.tokenizer.vocabulary
    for got, expected in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    read = [each["validation"]["perplexity"] for each in metrics]
    assert read[0] != pytest.approx(read[1], rel=1e-3)  # the same words from the other end


@pytest.mark.slow
def test_one_that_stopped_early_is_part_of_a_mean(place, trained):
    early = ["--name", "early", "--seed", "1", "--pretrained", str(trained), "--stop-after", "3"]
    done = recipe_here("language_model", place, "train", *SMALL, *early)
    assert done.returncode == 0, done.stderr
    parts = ["runs/language_model/whole", "runs/language_model/early"]
    flags = [*SMALL, "--name", "mean", "--mean-of", *parts]
    done = recipe_here("language_model", place, "train", *flags)
    assert done.returncode == 0, done.stderr
    runs = [RunFolder.open(trained.parent / name) for name in ("whole", "early", "mean")]
    assert [run.metrics()["epochs"] for run in runs] == [2, 1.5, 3.5]
    whole, other, mean = (load_keras_file(run.path / "model.keras") for run in runs)
    for a, b, found in zip(*(m.get_weights() for m in (whole, other, mean)), strict=True):
        np.testing.assert_allclose(found, (a + b) / 2, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_a_larger_one_begins_where_the_smaller_ended(place, trained):
    sizes = ["--units", "60", "--embedding-dim", "50", "--vocabulary-size", "60"]
    flags = [*SMALL, "--name", "large", "--pretrained", str(trained), "--grow", *sizes]
    done = recipe_here("language_model", place, "train", *flags, "--learning-rate", "1e-9")
    assert done.returncode == 0, done.stderr
    flags = ["--name", "rounded", "--mean-of", "runs/language_model/large", "--half"]
    done = recipe_here("language_model", place, "train", *SMALL, *sizes, *flags)
    assert done.returncode == 0, done.stderr
    runs = [RunFolder.open(trained.parent / name) for name in ("whole", "large", "rounded")]
    small, large, rounded = (run.metrics()["validation"]["perplexity"] for run in runs)
    # The small reviews have no further words, and the learning rate is none.
    assert large == pytest.approx(small, rel=1e-5) and rounded == pytest.approx(large, rel=1e-3)
    assert large != rounded
    files = [run.path / "model.keras" for run in runs[1:]]
    assert files[1].stat().st_size < 0.7 * files[0].stat().st_size


def test_it_begins_as_a_model_of_the_same_tokens(trained, tmp_path, capsys):
    given = ["--dataset", "tiny_shakespeare", "--pretrained", str(trained)]
    assert language_model.main(["train", "--runs", str(tmp_path), *given]) == 2
    said = capsys.readouterr().err
    assert "pretrained must have a CharacterTokenizer for tiny_shakespeare" in said
    assert not list(tmp_path.iterdir())


def test_one_begins_with_what_another_had_of_the_words_it_asked_for(tmp_path):
    flags = {"vocabulary_size": 5000, "embedding_dim": 4, "units": 7}
    run = RunFolder(tmp_path / "first", flags)
    save_keras_file(small_model(), run.path / "model.keras")
    again = language_model.Train(pretrained=str(run.path), **flags)
    assert beginning.known(again).tokens == 9
    other = dataclasses.replace(again, vocabulary_size=4999)
    with pytest.raises(ValueError, match="vocabulary_size must be 9, as in .*; got 4999"):
        beginning.known(other)


@pytest.mark.parametrize("flag", ["--units", "--parts", "--epochs", "--vocabulary-size"])
def test_bad_sizes(flag, tmp_path, capsys):
    assert language_model.main(["train", "--runs", str(tmp_path), flag, "0"]) == 2
    name = flag[2:].replace("-", "_")
    assert f"error: {name} must be an integer of at least 1; got 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--stop-after", "21"], "stop_after must be 0 to 20, the number of parts; got 21"),
        (["--mean-of", "nothing"], "run must be a folder with a config.json"),
        (
            ["--mean-of", "next_word_imdb_gru_small", "--pretrained", "other"],
            "pretrained must not be used with mean_of",
        ),
        (["--mean-of", "sentiment_imdb_gru_small"], "mean_of must name a LanguageModel"),
        (["--half"], "half requires mean_of"),
        (["--grow"], "grow requires pretrained, the model to grow; got none"),
        (["--mean-of", "next_word_imdb_gru_small", "--grow"], "grow must not be used with mean_of"),
        (
            ["--pretrained", "next_word_imdb_gru_small", "--units", "640"],
            "units must be 384, as in next_word_imdb_gru_small, without --grow; got 640",
        ),
        (
            ["--mean-of", "next_word_imdb_gru_small", "--vocabulary-size", "9"],
            "vocabulary_size must be 18000, as in next_word_imdb_gru_small, without --grow; got 9",
        ),
        (
            ["--grow", "--pretrained", "next_word_imdb_gru_small", "--units", "300"],
            "units must be at least 384 to grow next_word_imdb_gru_small; got 300",
        ),
    ],
)
def test_bad_flags_leave_no_run_behind(flags, message, tmp_path, capsys):
    assert language_model.main(["train", "--runs", str(tmp_path), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_one_that_diverges_ends_with_one_line(place):
    flags = ["--name", "wild", "--learning-rate", "1e6"]
    done = recipe_here("language_model", place, "train", *SMALL, *flags)
    assert done.returncode == DIVERGED
    assert done.stderr.startswith("error: perplexity must stay finite; validation after epoch 1")


@pytest.mark.slow
def test_more_parts_than_batches_are_named(place):
    many = ["--name", "many", "--limit", "60", "--parts", "5000"]
    done = recipe_here("language_model", place, "train", *SMALL, *many)
    assert done.returncode == 2
    assert "parts must be at most" in done.stderr and "got 5000" in done.stderr
    assert "limit" in done.stderr
    assert not (place / "runs" / "language_model" / "many").exists()
