"""The recipe in smoke size, on sentences written for the tests."""

import json

import keras
import numpy as np
import pytest

from gru_zoo.data import universal_dependencies
from recipes import pos_tagging
from tests import small_treebank

SMALL = (
    "--word-dim 6 --affix-dim 4 --units 6 --num-layers 1 --epochs 8 --batch-size 8 "
    "--learning-rate 0.03 --dropout 0.1 --word-dropout 0.05"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, made in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(universal_dependencies, "load", small_treebank.load)
        # What it does beyond seeding is for good.
        patch.setattr("gru_zoo.training.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), *SMALL]
        assert pos_tagging.main(arguments) == 0
    return runs / "small"


def test_it_learns_and_leaves_its_files(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.9
    tags = json.loads((trained / "tags.json").read_text())
    words = sum(len(sentence.words) for sentence in small_treebank.sentences("test"))
    assert sum(figures["count"] for figures in tags.values()) == words
    right = sum(figures["recall"] * figures["count"] for figures in tags.values())
    assert right / words == pytest.approx(metrics["accuracy"])
    assert (trained / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_raw_text_is_tagged(trained, capsys):
    arguments = ["predict", "Anna paints it", "", "The cat", "--run", str(trained)]
    assert pos_tagging.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Anna/PROPN paints/VERB it/PRON") and len(lines) == 2
    assert pos_tagging.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1])["words"] == ["The", "cat"]


def test_evaluating_again_gives_the_same(trained, monkeypatch):
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    before = json.loads((trained / "metrics.json").read_text())
    assert pos_tagging.main(["evaluate", "--run", str(trained)]) == 0
    assert json.loads((trained / "metrics.json").read_text()) == before


def test_rare_words_are_hidden_and_padding_is_not(trained):
    model = pos_tagging._load(pos_tagging.RunFolder.open(trained))
    config = pos_tagging.Train(word_dropout=1e9, batch_size=8)
    batches = pos_tagging._Batches(model, small_treebank.sentences("train"), config)
    for ids, targets in batches.epoch(0):
        assert set(np.unique(ids["word"])) <= {0, 1}
        np.testing.assert_array_equal(ids["word"] == 0, targets == -1)
        assert ids["suffix_1"].max() > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--units", "0"], "units must be an integer of at least 1; got 0"),
        (["train", "--treebank", "en_ewtt"], "treebank must be one of "),
        (["predict", " ", "--run", "."], "texts must be one sentence or more"),
        (["evaluate", "--run", "nowhere"], "run must be a folder with a config.json"),
    ],
)
def test_bad_input(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pos_tagging.main(arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_sentence_longer_than_the_model_takes(trained, capsys):
    text = " ".join(["cat"] * (pos_tagging.LENGTHS[-1] + 1))
    assert pos_tagging.main(["predict", text, "--run", str(trained)]) == 2
    assert "sentences must have at most 200 words; number 1 has 201" in capsys.readouterr().err
