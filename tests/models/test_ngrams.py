"""The bag of n-grams against a count by hand."""

import numpy as np
import pytest

pytest.importorskip("sklearn")


from gru_zoo.models import ngrams  # noqa: E402
from gru_zoo.models.ngrams import NGrams  # noqa: E402

TEXTS = [b"not good", b"good good film", b"bad film", b"Not bad!", b"so good", b"so bad"]
LABELS = np.array([0, 1, 0, 1, 1, 0])


def weight(model, text):
    """What one n-gram of one text adds to the logit."""
    return (ngrams._counted([text], 1) @ model.weights)[0]


def test_words_count_once_a_text_and_by_their_ratio(monkeypatch):
    monkeypatch.setattr(ngrams, "_TEXTS", 1)
    model = NGrams.fit(TEXTS, LABELS, longest=1)
    # good: in 2 texts of class 1, in 1 of class 0; film, so, not: in one of each.
    assert weight(model, b"good") > 0 > weight(model, b"bad")
    assert weight(model, b"unheard") == 0
    for each in (b"film", b"so"):
        assert abs(weight(model, each)) < 0.01 * weight(model, b"good")
    logits = ngrams._counted([b"good good"], 1) @ model.weights + model.bias
    given = model.predict([b"GOOD <br />good"])
    np.testing.assert_allclose(given[0, 1], 1 / (1 + np.exp(-logits[0])), rtol=1e-6)
    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-6)


def test_two_words_say_what_one_cannot(monkeypatch):
    monkeypatch.setattr(ngrams, "_TEXTS", 1)
    model = NGrams.fit(TEXTS, LABELS, longest=2, strength=100.0)
    assert model.predict(TEXTS).argmax(axis=1).tolist() == LABELS.tolist()
    both = [b"not good", b"not bad"]
    assert model.predict(both).argmax(axis=1).tolist() == [0, 1]


def test_what_stands_in_few_texts_has_no_weight():
    model = NGrams.fit([b"good rare", b"good", b"good", b"bad", b"bad", b"bad"], [1, 1, 1, 0, 0, 0])
    assert weight(model, b"rare") == 0 < weight(model, b"good")


def test_it_is_saved_and_loaded(tmp_path):
    model = NGrams.fit(TEXTS, LABELS, longest=2)
    model.save(tmp_path / "model.npz")
    other = NGrams.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(other.predict(TEXTS), model.predict(TEXTS))
    assert other.longest == 2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"labels must be 0 and 1, both; got \[1\]"):
        NGrams.fit([b"a", b"b"], [1, 1])
    with pytest.raises(ValueError, match="longest must be an integer of at least 1; got 0"):
        NGrams.fit(TEXTS, LABELS, longest=0)
    model = NGrams(np.zeros(2**24, np.float32), 0.0, 1)
    with pytest.raises(ValueError, match="texts must be a collection of texts; got one text, b'go"):
        model.predict(b"good")


def test_ngrams_count_once_and_a_break_is_a_space():
    pytest.importorskip("sklearn")
    from gru_zoo.models import ngrams

    assert set(ngrams._counted([b"good good film good"], 2).data.tolist()) == {1.0}
    one, other = (ngrams._counted([text], 2) for text in (b"not<br />good", b"not good"))
    assert (one != other).nnz == 0
