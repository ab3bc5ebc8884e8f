"""The Transformer as a teacher: a run that goes on, its predictions, its score."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from gru_zoo.data.source import Source  # noqa: E402
from gru_zoo.training.runs import RunFolder  # noqa: E402
from recipes import transformer_teacher  # noqa: E402
from recipes.shared import reviews, teachers  # noqa: E402
from tests.small_data.small_transformer import small_checkpoint  # noqa: E402

TEXTS = np.array([b"good film", b"bad film", b"so good", b"so bad"], object)
GIVEN = reviews.Reviews(TEXTS, np.array([1, 0, 1, 0], np.int32))
SOURCE = Source("small", "0", "here", "none", {}, {})
MODEL = "gru_zoo.models.pretrained_transformer.PretrainedTransformer"


@pytest.fixture
def flags(tmp_path, monkeypatch):
    splits = {"train": GIVEN, "validation": GIVEN}
    monkeypatch.setattr(reviews, "for_training", lambda *_: (splits, SOURCE))
    monkeypatch.setattr(reviews, "read", lambda *_: (GIVEN, SOURCE))
    place = small_checkpoint(tmp_path / "tiny")
    given = f"train --name one --runs {tmp_path / 'runs'} --checkpoint {place} --batch-size 2"
    return f"{given} --max-tokens 12 --epochs 60 --learning-rate 0.02".split()


def test_a_run_goes_on_where_it_was_and_is_scored(flags, tmp_path, monkeypatch, capsys):
    predict = f"{MODEL}.predict"
    with monkeypatch.context() as patch:
        patch.setattr(predict, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert transformer_teacher.main(flags) == 130
    path = tmp_path / "runs" / "one"
    assert {each.name for each in path.iterdir()} >= {"transformer", "checkpoint.pt"}
    out = capsys.readouterr().out
    assert "step 50 of 120: loss" in out and "step 120 of 120: loss" in out
    with monkeypatch.context() as patch:  # What is trained is not trained again.
        patch.setattr(f"{MODEL}.fit", None)
        assert transformer_teacher.main([*flags, "--resume"]) == 0
    out = capsys.readouterr().out
    assert "predicted 4 of 4 train reviews" in out and "validation: accuracy 1.0000" in out
    assert not (path / "checkpoint.pt").exists()
    run = RunFolder.open(path)
    found = teachers.read_predictions(run, {"train": GIVEN, "validation": GIVEN})
    np.testing.assert_allclose(teachers.predict_with_run(run, TEXTS), found["train"], atol=1e-6)
    assert transformer_teacher.main(["evaluate", "--run", str(path)]) == 0
    assert "test: accuracy 1.0000 on 4 reviews" in capsys.readouterr().out
    assert json.loads((path / "metrics.json").read_text())["metric"]["value"] == 1


def test_its_flags_reach_the_model(flags, monkeypatch):
    seen = {}

    def fit(self, texts, labels, **options):
        seen.update(options, max_tokens=self.max_tokens)
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{MODEL}.fit", fit)
    assert transformer_teacher.main([*flags, "--seed", "7", "--bfloat16"]) == 130
    assert seen["checkpoint"].name == "checkpoint.pt"
    wanted = {"epochs": 60, "batch_size": 2, "learning_rate": 0.02, "bfloat16": True, "seed": 7}
    assert {**wanted, "max_tokens": 12}.items() <= seen.items()


def test_the_usual_checkpoint_may_come_from_a_package(tmp_path, monkeypatch):
    usual = transformer_teacher.Train().checkpoint
    found = SimpleNamespace(origin=str(tmp_path / "package" / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    assert transformer_teacher._place(usual) == str(tmp_path / "package" / "model")
    assert transformer_teacher._place("another/one") == "another/one"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert transformer_teacher._place(usual) == usual


def test_it_is_scored_once_it_is_trained(tmp_path, capsys):
    run = RunFolder(tmp_path / "run", {"source": "auto", "limit": 0})
    assert transformer_teacher.main(["evaluate", "--run", str(run.path)]) == 2
    assert "run must be finished" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["max-tokens", "epochs", "batch-size"])
def test_bad_input_leaves_no_run_behind(name, tmp_path, capsys):
    flags = ["train", "--runs", str(tmp_path / "runs"), f"--{name}", "0"]
    assert transformer_teacher.main(flags) == 2
    assert f"{name.replace('-', '_')} must be an integer of at least 1; got 0" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_without_its_packages_no_run_is_begun(flags, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert transformer_teacher.main(flags) == 2
    assert "[transformers]" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "one").exists()
