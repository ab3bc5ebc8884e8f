"""The recipe in smoke size, on captions written for the tests."""

import json
import shutil
import sys

import keras
import numpy as np
import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

from gru_zoo import load, verify  # noqa: E402
from gru_zoo.artifacts import translator as artifact_of_translator  # noqa: E402
from gru_zoo.data import multi30k  # noqa: E402
from gru_zoo.models.keras_file import load_keras_file  # noqa: E402
from recipes import translation
from tests.recipes.running import (  # noqa: E402
    check_same_weights,
    evaluated_with_a_worse_epoch,
    kill_and_resume,
    prepared,
    recipe,
)
from tests.small_data import small_captions  # noqa: E402

pytestmark = pytest.mark.usefixtures("loop_kernel")

CAPTIONS = """
from gru_zoo.data import multi30k
from tests.small_data import small_captions
multi30k.load = small_captions.load
"""
SMALL = (
    "--vocabulary-size 80 --dim 16 --units 24 --heads 2 --epochs 20 --patience 20 --batch-size 4 "
    "--learning-rate 0.02 --dropout 0.1 --smoothing 0.05 --beams 3 --no-export"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, made in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi30k, "load", small_captions.load)
        # What it does beyond seeding is for good.
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), *SMALL]
        assert translation.main(arguments) == 0
    return runs / "small"


def test_it_learns_and_leaves_its_files(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "bleu" and metrics["metric"]["split"] == "test"
    assert metrics["metric"]["value"] > 10 and metrics["validation_bleu"] > 50
    assert metrics["signature"].startswith("nrefs:1|case:mixed")
    lines = (trained / "translations.txt").read_text().splitlines()
    assert len(lines) == len(small_captions.pairs("test").target)
    assert "val_bleu" in (trained / "history.csv").read_text().splitlines()[0]
    for number in (1, 2, 3):
        assert (trained / f"attention_{number}.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_run_is_rounded_when_it_is_asked_for(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
    shutil.copytree(trained, tmp_path / "small")
    arguments = ["train", "--name", "small", "--runs", str(tmp_path), *SMALL, "--resume", "--half"]
    assert translation.main(arguments) == 0
    files = [folder / "small" / "model.keras" for folder in (trained.parent, tmp_path)]
    before, after = (load_keras_file(file).get_weights() for file in files)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(other, one.astype(np.float16).astype(np.float32))
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
    assert json.loads((tmp_path / "small" / "config.json").read_text())["half"]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    train = ["train", *SMALL, "--epochs", "2", "--units", "5", "--name"]
    done = recipe("translation", tmp_path, *train, "whole", code=prepared("translation", CAPTIONS))
    assert done.returncode == 0, done.stderr
    kill_and_resume("translation", tmp_path, *train, "killed", first=CAPTIONS)
    folder = tmp_path / "runs" / "translation"
    check_same_weights(folder / "killed", folder / "whole")


@pytest.fixture(scope="module")
def exported(trained):
    """The folder of the run's artifact."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi30k, "load", small_captions.load)
        assert translation.main(["export", "--run", str(trained)]) == 0
    return trained / "artifact"


@pytest.mark.slow
def test_the_artifact_scores_what_the_model_scores(trained, exported):
    card = json.loads((exported / "card.json").read_text())
    files = {export["file"]: export for export in card["exports"]}
    assert set(files) == {
        "saved_model",
        *(
            f"{p}_{k}.tflite"
            for p in ("encoder", "decoder")
            for k in ("float32", "float16", "int8")
        ),
    }
    value = json.loads((trained / "metrics.json").read_text())["metric"]["value"]
    for name in ("saved_model", "decoder_float32.tflite"):
        assert files[name]["metric"] == pytest.approx(value)
        assert files[name]["same_translations"] == 1.0
    assert card["task"] == "translation" and card["language"] == ["de", "en"]


def test_sentences_are_translated(trained, capsys):
    arguments = ["predict", "Ein Hund jagt die Katze.", "--run", str(trained)]
    assert translation.main(arguments) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith("A ") and line.endswith(".")
    assert translation.main([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["translation"] == line and record["score"] < 0
    # A byte that is not UTF-8, as Python passes it.
    assert translation.main(["predict", "Ein Hund\udce9", "--run", str(trained), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Ein Hund\ufffd"


@pytest.mark.slow
def test_published_it_is_loaded_by_name(trained, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path))
    arguments = ["publish", str(trained), "--preset", "translation_small"]
    assert translation.main(arguments) == 0
    verify("translation_small")
    lite = load("translation_small", format="tflite", variant="float32")
    text = small_captions.pairs("test").source[0]
    capsys.readouterr()
    assert translation.main(["predict", text, "--model", "translation_small"]) == 0
    assert capsys.readouterr().out.strip() == lite.translate([text], beams=3)[0]
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    # The others were written and compared by the same lines a moment ago.
    monkeypatch.setattr("gru_zoo.artifacts.translator.BASIC", ("int8",))
    before = (tmp_path / "translation_small" / "decoder_int8.tflite").read_bytes()
    assert translation.main(["export", "--preset", "translation_small"]) == 0
    assert (tmp_path / "translation_small" / "decoder_int8.tflite").read_bytes() == before


@pytest.mark.slow
def test_the_files_alone(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gru_zoo.artifacts.translator.BASIC", ("int8",))
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    arguments = ["export", "--run", str(trained), "--out", str(tmp_path / "files")]
    compared = []
    compare = artifact_of_translator._Comparison.__call__

    def watched(self, path, name):
        compared.append(name)
        return compare(self, path, name)

    monkeypatch.setattr(artifact_of_translator._Comparison, "__call__", watched)
    assert translation.main(arguments) == 0
    assert compared == ["saved_model", "encoder_int8.tflite", "decoder_int8.tflite"]
    assert capsys.readouterr().out.count("on 6 sentences (the model's: ") == 3
    pair = {"encoder_int8.tflite", "decoder_int8.tflite"}
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"saved_model", *pair}


def test_evaluating_again_gives_the_same(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(multi30k, "load", small_captions.load)

    def evaluate(run):
        assert translation.main(["evaluate", "--run", str(run)]) == 0

    # Validation is translated anew, by beam search.
    evaluated_with_a_worse_epoch(trained, tmp_path / "run", evaluate, {})


@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_a_number_of_parameters_makes_the_units(cell):
    from gru_zoo.text.subwords import Subwords

    pairs = small_captions.pairs("train")
    subwords = Subwords.fit([*pairs.source, *pairs.target], 80, 40)
    config = translation.Train(cell=cell, parameters=1_000_000, dim=16, heads=3)
    model = translation._model(config, subwords)
    assert abs(model.count_params() - 1_000_000) <= 20_000 and model.cell == cell


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--units", "0"], "units must be an integer of at least 1; got 0"),
        (["train", "--pair", "de-es"], "pair must be one of 'de-en', 'de-fr'"),
        (["train", "--heads", "0"], "heads must be an integer of at least 1; got 0"),
        (["evaluate", "--run", "nowhere"], "run must be a folder with a config.json"),
        (["predict", "Haus", "--model", "translation_none"], "model must be one of"),
    ],
)
def test_bad_input(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
    assert translation.main(arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "texts must contain at least one word; got none"),
        ("日本語", "texts must have a character that the model knows; number 4 has none"),
        ("Haus " * 96, "texts must have at most 95 subwords; number 4 has"),
    ],
)
def test_bad_sentences(trained, text, message, capsys):
    # Empty lines are counted.
    more = ["ein Haus", "", " "] if text else []
    assert translation.main(["predict", *more, text, "--run", str(trained)]) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_another_configuration_is_not_resumed(trained, capsys):
    arguments = ["train", "--name", "small", "--runs", str(trained.parent), *SMALL, "--resume"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi30k, "load", small_captions.load)
        assert translation.main([*arguments, "--pair", "en-de"]) == 2
    assert "error: pair must be 'de-en', as the run in" in capsys.readouterr().err


def test_a_missing_package_is_said_before_a_run_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert translation.main(["train", "--runs", str(tmp_path / "runs")]) == 2
    assert 'error: BLEU needs the package sacrebleu: pip install "' in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
