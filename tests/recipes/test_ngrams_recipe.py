"""The n-gram teacher in smoke size, and a student of it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from gru_zoo.data.source import Source  # noqa: E402
from recipes import ngrams  # noqa: E402
from recipes.shared import reviews  # noqa: E402
from tests.recipes.running import recipe  # noqa: E402

STEPS = """
import sys
from recipes import ngrams, semi_supervised
assert ngrams.main(["train", "--name", "trigrams", "--source", "packaged"]) == 0
assert ngrams.main(["evaluate"]) == 0
student = "--source packaged --vocabulary-size 40 --embedding-dim 4 --units 5 --epochs 1".split()
teacher = ["--name", "student", "--teachers", "runs/ngrams/trigrams", "--excerpts", "1"]
sys.exit(semi_supervised.main(["train", *student, "--sequence-length", "20", *teacher]))
"""


@pytest.mark.slow
def test_its_predictions_teach_a_student(place):
    done = recipe("ngrams", place, code=STEPS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation: accuracy") == 2 and "test: accuracy" in done.stdout
    assert "teachers: validation accuracy of their ensemble" in done.stdout
    run = place / "runs" / "ngrams" / "trigrams"
    with np.load(run / "opinions.npz") as predictions:
        assert sorted(predictions) == ["train", "validation"]
        np.testing.assert_allclose(predictions["train"].sum(axis=1), 1, atol=1e-5)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "accuracy" and metrics["data"]["splits"]["test"]


def test_a_run_is_fitted_from_the_start_until_it_is_finished(tmp_path, monkeypatch, capsys):
    texts = np.array([b"bad", b"good"], object)
    given = reviews.Reviews(texts, np.arange(2, dtype=np.int32))
    source = Source("small", "0", "here", "none", {}, {})
    monkeypatch.setattr(
        reviews, "for_training", lambda *_: ({"validation": given, "train": given}, source)
    )
    fitted = []

    def fit(*arguments):
        fitted.append(arguments)
        if len(fitted) == 1:
            raise KeyboardInterrupt
        return SimpleNamespace(save=lambda path: None, predict=lambda texts: np.eye(2))

    monkeypatch.setattr("gru_zoo.models.ngrams.NGrams.fit", fit)
    train = ["train", "--name", "one", "--runs", str(tmp_path)]
    assert ngrams.main(train) == 130
    assert "interrupted; --resume fits an unfinished run" in capsys.readouterr().err
    for _ in range(2):
        assert ngrams.main([*train, "--resume"]) == 0
        assert "validation: accuracy 1.0000" in capsys.readouterr().out
    assert len(fitted) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--longest", "0"], "longest must be an integer of at least 1; got 0"),
        (["--strength", "0"], "strength must be a number above 0; got 0.0"),
    ],
)
def test_bad_input_leaves_no_run_behind(flags, message, tmp_path, capsys):
    assert ngrams.main(["train", "--runs", str(tmp_path / "runs"), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
