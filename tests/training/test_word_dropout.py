"""Rare words that are hidden while a model learns."""

import numpy as np
import pytest

from gru_zoo.training.batching import BucketedBatches
from gru_zoo.training.word_dropout import WordDropout

UNKNOWN, SIZE = 2, 9
# Word 3 stands there 30 times, 4 ten times, 5 once; 6 to 8 do not.
TEXTS = np.array([[1] + 30 * [3], [1] + 10 * [4] + [5] + 19 * [0]], "int32")


def test_words_are_hidden_by_how_rare_they_are():
    hide, many = WordDropout(TEXTS, 10.0, UNKNOWN, SIZE), np.arange(SIZE, dtype="int32")
    given = hide(np.tile(many, (4000, 1)), np.random.default_rng(0))
    assert given.dtype == np.int32
    shares = (given == UNKNOWN).mean(axis=0)
    wanted = [0, 0, 1, 10 / 40, 10 / 20, 10 / 11, 10 / 11, 10 / 11, 10 / 11]
    np.testing.assert_allclose(shares, wanted, atol=0.03)
    # Nothing else is changed.
    assert np.all((given == UNKNOWN) | (given == many))


def test_no_strength_hides_nothing_and_the_texts_stay():
    kept = TEXTS.copy()
    assert WordDropout(TEXTS, 0, UNKNOWN, SIZE)(TEXTS, np.random.default_rng(0)).tolist() == (
        kept.tolist()
    )
    WordDropout(TEXTS, 1e6, UNKNOWN, SIZE)(TEXTS, np.random.default_rng(0))
    np.testing.assert_array_equal(TEXTS, kept)


@pytest.mark.parametrize("strength", [-1, np.nan, np.inf, "much", None])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ValueError, match=r"strength must be a number"):
        WordDropout(TEXTS, strength, UNKNOWN, SIZE)


def test_batches_are_changed_alike_in_the_same_epoch_and_anew_in_the_next():
    ids = np.random.default_rng(1).integers(3, SIZE, (8, 6)).astype("int32")

    def epoch(number, strength):
        hide = WordDropout(ids, strength, UNKNOWN, SIZE) if strength else None
        batches = BucketedBatches(ids, np.arange(8), 4, [6], seed=0, change=hide)
        return [(x.tolist(), rows.tolist()) for x, rows in batches.epoch(number)]

    assert epoch(3, 5.0) == epoch(3, 5.0) != epoch(3, 0)
    assert [rows for _, rows in epoch(3, 5.0)] == [rows for _, rows in epoch(3, 0)]
    hidden = [np.array(x) == UNKNOWN for x, _ in epoch(3, 5.0)]
    again = [np.array(x) == UNKNOWN for x, _ in epoch(4, 5.0)]
    assert 0 < np.mean(hidden) < 1 and np.mean(np.array(hidden) == np.array(again)) < 1
