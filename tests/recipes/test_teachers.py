"""Excerpts of reviews, and the predictions of teachers of either kind."""

import numpy as np
import pytest

from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.models.ngrams import NGrams
from gru_zoo.training.runs import NGRAMS, RunFolder
from recipes.shared import teachers
from recipes.shared.reviews import Reviews
from tests.export.conftest import make_classifier

LONG = b" ".join(b"w%d" % number for number in range(400))


def test_an_excerpt_is_words_in_a_row():
    found = teachers.excerpts([LONG] * 300, seed=3)
    sizes = [len(excerpt.split()) for excerpt in found]
    assert all(excerpt in LONG for excerpt in found)
    assert min(sizes) == 15 and 120 < max(sizes) <= 150
    # As many below the middle of the logarithm, sqrt(15 * 151) = 48, as above it.
    assert 0.4 < np.mean(np.array(sizes) < 48) < 0.6
    starts = [int(excerpt.split()[0][1:]) for excerpt in found]
    assert min(starts) < 20 and max(starts) > 330


def test_a_short_text_gives_half_of_it():
    found = teachers.excerpts([b"one", b"a<br />b  c d", b""], seed=0)
    assert found[0] == b"one" and found[2] == b""
    assert found[1] in (b"a b", b"b c", b"c d")


def test_excerpts_depend_on_the_seed_alone():
    texts = [LONG, LONG[:200]]
    same = teachers.excerpts(texts, 1), teachers.excerpts(texts, 1)
    np.testing.assert_array_equal(*same)
    assert list(teachers.excerpts(texts, 2)) != list(same[0])


def test_predictions_are_of_the_reviews_that_are_to_be_learnt(tmp_path):
    run = RunFolder(tmp_path / "run", {})
    predictions = {"train": np.full((3, 2), 0.5, np.float32)}
    teachers.write_predictions(run, predictions)
    three = Reviews(np.array([b"a", b"b", b"c"], object), np.array([0, 1, 1]))
    found = teachers.read_predictions(run, {"train": three})
    np.testing.assert_array_equal(found["train"], predictions["train"])
    two = Reviews(three.texts[:2], three.labels[:2])
    with pytest.raises(
        ValueError, match="teachers must have predictions for the 2 train reviews.* has 3"
    ):
        teachers.read_predictions(run, {"train": two})
    with pytest.raises(ValueError, match="3 unsupervised reviews.* has 0"):
        teachers.read_predictions(run, {"train": three, "unsupervised": three})


def test_a_classifiers_run_predicts(tmp_path):
    run = RunFolder(tmp_path / "run", {"backward": False}, False)
    model = make_classifier()
    save_keras_file(model, run.path / "model.keras")
    texts = np.array([b"a fine film", b"bad"], object)
    found = teachers.predict_with_run(run, texts)
    np.testing.assert_allclose(found, model.predict(list(texts), verbose=0), atol=1e-5)


def test_a_run_of_n_grams_predicts(tmp_path):
    pytest.importorskip("sklearn")
    run = RunFolder(tmp_path / "run", {}, False)
    texts = [b"good film", b"good", b"bad film", b"bad"]
    model = NGrams.fit(texts, [1, 1, 0, 0], longest=2)
    model.save(run.path / NGRAMS)
    found = teachers.predict_with_run(run, texts)
    np.testing.assert_array_equal(found, model.predict(texts))
