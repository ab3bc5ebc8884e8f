"""The recipe in smoke size, on sentences written for the tests."""

import json
import sys

import keras
import pytest

from gru_zoo.data import universal_dependencies
from gru_zoo.models.tagger import LENGTHS
from recipes import pos_tagging
from tests.recipes.running import evaluated_with_a_worse_epoch
from tests.small_data import small_treebank

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
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), "--no-export", *SMALL]
        assert pos_tagging.main(arguments) == 0
    return runs / "small"


def test_it_learns_and_leaves_its_files(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "accuracy" and metrics["metric"]["split"] == "test"
    assert metrics["metric"]["value"] > 0.9
    tags = json.loads((trained / "tags.json").read_text())
    words = sum(len(sentence.words) for sentence in small_treebank.sentences("test"))
    assert sum(figures["count"] for figures in tags.values()) == words
    right = sum(figures["recall"] * figures["count"] for figures in tags.values())
    assert right / words == pytest.approx(metrics["metric"]["value"])
    assert (trained / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_raw_text_is_tagged(trained, capsys):
    arguments = ["predict", "Anna paints it", "", "The cat", "--run", str(trained)]
    assert pos_tagging.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Anna/PROPN paints/VERB it/PRON")
    assert lines[1] == "" and lines[2].startswith("The/DET") and len(lines) == 3
    assert pos_tagging.main([*arguments, "--json"]) == 0
    _, empty, words = map(json.loads, capsys.readouterr().out.splitlines())
    assert empty == {"words": [], "tags": []} and words["words"] == ["The", "cat"]
    # A byte that is not UTF-8, as Python passes it.
    assert pos_tagging.main(["predict", "Anna \udce9", "--run", str(trained)]) == 0
    assert capsys.readouterr().out.startswith("Anna/PROPN \ufffd/")


def test_a_file_is_tagged_and_measured(trained, tmp_path, capsys):
    file = tmp_path / "words.tsv"
    file.write_text("Anna\tPROPN\npaints\tNOUN\nit\tPRON\n\nThe\tDET\n")
    assert pos_tagging.main(["predict", "--file", str(file), "--run", str(trained)]) == 0
    assert capsys.readouterr().out.startswith("Anna/PROPN paints/VERB it/PRON\nThe/")
    assert pos_tagging.main(["evaluate", "--file", str(file), "--run", str(trained)]) == 0
    said = capsys.readouterr().out
    assert "accuracy 75.00 % of 4 words in 2 sentences" in said and "note" not in said
    file.write_text("Anna\tPROPN\npaints\tVBZ\n")
    assert pos_tagging.main(["evaluate", "--file", str(file), "--run", str(trained)]) == 0
    said = capsys.readouterr().out
    assert "has tags that the model lacks, and their words are counted as wrong: VBZ." in said
    assert "accuracy 50.00 % of 2 words" in said
    file.write_text("Anna\tPROPN\n\npaints NOUN\n")
    assert pos_tagging.main(["evaluate", "--file", str(file), "--run", str(trained)]) == 2
    assert "words.tsv, line 3: a line must have 2 columns" in capsys.readouterr().err


@pytest.mark.slow
def test_the_artifact_is_published(trained, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path))
    assert pos_tagging.main(["publish", str(trained), "--preset", "pos_small"]) == 0
    assert "published pos_small: " in capsys.readouterr().out
    from gru_zoo import load
    from gru_zoo.zoo import verify

    names = set(verify("pos_small"))
    assert {"model_int8.tflite", "model.onnx", "assets/tags.txt", "golden.npz"} <= names
    model = load("pos_small")
    assert model.tag([("Anna", "paints", "it")]) == [["PROPN", "VERB", "PRON"]]
    assert "pos_tagging train --name small" in model.card.commands[0]
    assert model.card.measured[0].title == "Per-tag results"
    lite = load("pos_small", format="tflite", variant="int8")
    assert lite.tag([("Anna", "paints", "it")]) == [["PROPN", "VERB", "PRON"]]
    # The others were written and compared by the same lines a moment ago.
    monkeypatch.setattr("gru_zoo.artifacts.tagger.BASIC", ("int8",))
    out = tmp_path / "out"
    assert pos_tagging.main(["export", "--run", str(trained), "--out", str(out)]) == 0
    assert (out / "assets" / "features.json").exists() and (out / "saved_model").is_dir()
    assert pos_tagging.main(["export", "--preset", "pos_small"]) == 0
    assert "exported pos_small again: 3 files" in capsys.readouterr().out
    assert pos_tagging.main(["predict", "Anna paints it", "--model", "pos_small"]) == 0
    assert capsys.readouterr().out == "Anna/PROPN paints/VERB it/PRON\n"


@pytest.mark.slow
def test_files_of_another_cell_are_refused(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    arguments = ["train", "--name", "rnn", "--runs", str(tmp_path), "--cell", "rnn", *SMALL]
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
    assert pos_tagging.main([*arguments, "--epochs", "1"]) == 0
    run, out = str(tmp_path / "rnn"), tmp_path / "out"
    assert pos_tagging.main(["export", "--run", run, "--out", str(out)]) == 2
    assert "cell must be 'gru' for a tagger's device files; got 'rnn'" in capsys.readouterr().err
    assert not out.exists()


def test_evaluating_again_gives_the_same(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)

    def evaluate(run):
        assert pos_tagging.main(["evaluate", "--run", str(run)]) == 0

    evaluated_with_a_worse_epoch(trained, tmp_path / "run", evaluate, {"val_accuracy": 0.0})


@pytest.mark.slow
def test_units_for_a_number_of_parameters():
    training = small_treebank.sentences("train")
    for cell in ("gru", "transformer"):
        config = pos_tagging.Train(cell=cell, parameters=60_000, word_dim=6, affix_dim=4)
        units = pos_tagging._units(config, training)
        model = pos_tagging._model(config, training, units)
        assert abs(model.count_params() - 60_000) <= 1200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--units", "0"], "units must be an integer of at least 1; got 0"),
        (["train", "--treebank", "en_ewtt"], "treebank must be one of "),
        (["train", "--word-dropout", "-1"], "word_dropout must be a number of at least 0; got -1"),
        (["predict", " ", "--run", "."], "texts must contain at least one word"),
        (["predict", "a", "--model", "pos_none"], "model must be one of the zoo's models"),
        (["predict", "--file", "none.conllu"], "file must exist; got 'none.conllu'"),
        (["predict", "a", "--file", "b"], "texts must not be used with --file; got 'a'"),
        (["evaluate", "--run", "nowhere"], "run must be a folder with a config.json"),
        (["publish", "nowhere"], "run must be a folder with a config.json"),
    ],
)
def test_bad_input(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pos_tagging.main(arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_missing_package_is_told_before_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    arguments = ["train", "--runs", str(tmp_path / "runs"), *SMALL]
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    assert pos_tagging.main(arguments) == 2
    told = "the ONNX file, without --no-export, needs onnx: pip install"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_number_of_parameters_that_no_units_give(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    arguments = ["train", "--parameters", "50", "--runs", str(tmp_path / "runs")]
    assert pos_tagging.main(arguments) == 2
    assert "error: parameters must be within 2% of what" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_overlong_sentences_are_left_out_of_training_alone(tmp_path, monkeypatch, capsys):
    long = universal_dependencies.Sentence(("a",) * (LENGTHS[-1] + 1), ("DET",) * (LENGTHS[-1] + 1))
    where = []

    def load(split, treebank):
        sentences, source = small_treebank.load(split, treebank)
        return sentences + [long] * where.count(split), source

    monkeypatch.setattr(universal_dependencies, "load", load)
    taught = []
    monkeypatch.setattr(
        pos_tagging, "_train", lambda config, run, training, *more: taught.append(training)
    )
    arguments = ["train", "--name", "one", "--runs", str(tmp_path / "runs"), "--no-export"]
    where[:] = ["train", "test"]
    assert pos_tagging.main(arguments) == 2
    said = "error: treebank must have test sentences of at most 200 words, the maximum of a tagger"
    assert f"{said}; en_ewt has one of 201." in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    where[:] = ["train", "train"]
    assert pos_tagging.main(arguments) == 0
    assert "note: 2 of 62 training sentences have more than 200 words" in capsys.readouterr().out
    assert taught == [small_treebank.sentences("train")]


def test_a_sentence_longer_than_the_model_takes(trained, capsys):
    text = " ".join(["cat"] * (LENGTHS[-1] + 1))
    assert pos_tagging.main(["predict", "The cat", "", " ", text, "--run", str(trained)]) == 2
    # Empty lines are counted.
    assert "sentences must have at most 200 words; number 4 has 201" in capsys.readouterr().err
