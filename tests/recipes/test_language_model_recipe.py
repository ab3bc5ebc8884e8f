"""The recipe in smoke size, killed after its first checkpoint and resumed."""

import json

import numpy as np
import pytest

from gru_zoo.models.keras_file import load_keras_file
from recipes import language_model
from tests.recipes.running import check_same_weights, kill_and_resume, recipe

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
    done = recipe("language_model", place, "evaluate", "--run", str(trained))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["test"]["texts"] == 80 and metrics["validation"]["texts"] == 32


def test_one_begins_as_another_reads(place, trained):
    other = ["--pretrained", str(trained), "--backward", "--learning-rate", "1e-9"]
    done = recipe("language_model", place, "train", "--name", "begun", *SMALL, *other)
    assert done.returncode == 0, done.stderr
    folders = (trained, trained.parent / "begun")
    first, second = (load_keras_file(folder / "model.keras") for folder in folders)
    assert second.tokenizer.vocabulary == first.tokenizer.vocabulary
    for got, expected in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    read = [each["validation"]["perplexity"] for each in metrics]
    assert read[0] != pytest.approx(read[1], rel=1e-3)  # the same words from the other end


def test_it_begins_as_a_model_of_the_same_tokens(trained, tmp_path, capsys):
    given = ["--dataset", "tiny_shakespeare", "--pretrained", str(trained)]
    assert language_model.main(["train", "--runs", str(tmp_path), *given]) == 2
    said = capsys.readouterr().err
    assert "pretrained must have a CharacterTokenizer for tiny_shakespeare" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--units", "--parts", "--epochs", "--vocabulary-size"])
def test_bad_sizes(flag, tmp_path, capsys):
    assert language_model.main(["train", "--runs", str(tmp_path), flag, "0"]) == 2
    name = flag[2:].replace("-", "_")
    assert f"error: {name} must be an integer of at least 1; got 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
