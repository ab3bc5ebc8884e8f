"""The recipe in smoke size, killed after its first checkpoint and resumed."""

import json

import pytest

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


@pytest.mark.parametrize("flag", ["--units", "--parts", "--epochs", "--vocabulary-size"])
def test_bad_sizes(flag, tmp_path, capsys):
    assert language_model.main(["train", "--runs", str(tmp_path), flag, "0"]) == 2
    name = flag[2:].replace("-", "_")
    assert f"error: {name} must be an integer of at least 1; got 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
