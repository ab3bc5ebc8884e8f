import numpy as np
import pytest

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.joining import keep_words, side_by_side
from gru_zoo.models.transfer import classifier_from
from gru_zoo.text.tokenizers import WordTokenizer
from tests.models.test_language_model import IDS, WORDS, language_model

LABELS = ("no", "maybe", "yes")


def members(*units: int, seed: int = 5) -> list[SequenceClassifier]:
    """Classifiers of three labels with weights drawn anew, over the same word vectors."""
    random = np.random.default_rng(seed)
    found = []
    for each in units:
        model = SequenceClassifier(WordTokenizer(WORDS, 8), LABELS, embedding_dim=4, units=each)
        model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
        if found:
            keep_words(model, found[0])
        found.append(model)
    return found


def test_the_whole_has_the_mean_of_its_parts_logits():
    parts = members(5, 7, 3)
    whole = side_by_side(parts, sequence_length=11)
    assert whole.units == 15 and whole.tokenizer.sequence_length == 11
    logarithms = np.mean([np.log(model(IDS)) for model in parts], axis=0)
    wanted = np.exp(logarithms) / np.exp(logarithms).sum(axis=1, keepdims=True)
    assert np.ptp([np.asarray(model(IDS)) for model in parts], axis=0).max() > 0.1
    np.testing.assert_allclose(whole(IDS), wanted, rtol=1e-4, atol=1e-6)


def test_word_by_word_it_says_the_same():
    whole = side_by_side(members(5, 7), sequence_length=8)
    state = whole.initial_state(1)
    ids = [3, 5, 4, 3]
    for word in ids:
        state = whole.step(np.array([word]), state)
    np.testing.assert_allclose(whole.output(state), whole(np.array([ids])), rtol=1e-5, atol=1e-6)


def test_words_that_are_kept_are_not_trained():
    one, other = members(5, 7)
    before = [weight.copy() for weight in other.get_weights()]
    other.compile("sgd", "categorical_crossentropy")
    other.fit(IDS, np.eye(3)[: len(IDS)], verbose=0)
    after = other.get_weights()
    np.testing.assert_array_equal(after[0], one.embedding.get_weights()[0])
    assert all(np.any(a != b) for a, b in zip(after[1:], before[1:], strict=True))


def test_what_cannot_stand_side_by_side():
    one, other = members(5, 7)
    with pytest.raises(ValueError, match="models must be two or more; got 1"):
        side_by_side([one], 8)
    with pytest.raises(ValueError, match="SequenceClassifiers; got a LanguageModel"):
        side_by_side([one, language_model()], 8)
    with pytest.raises(ValueError, match=r"same labels; got \('no', 'maybe', 'yes'\), \('no', 'y"):
        side_by_side([one, classifier_from(one, ("no", "yes"), 8, 0.0)], 8)
    both = SequenceClassifier(WordTokenizer(WORDS, 8), LABELS, 4, 5, bidirectional=True)
    with pytest.raises(ValueError, match="GRU of one direction; got 'gru' of two directions"):
        side_by_side([one, both], 8)
    lstm = SequenceClassifier(WordTokenizer(WORDS, 8), LABELS, 4, 5, cell="lstm")
    with pytest.raises(ValueError, match="GRU of one direction; got 'lstm' of one direction"):
        side_by_side([one, lstm], 8)
    (stranger,) = members(5, seed=6)
    with pytest.raises(ValueError, match="same word vectors; they differ"):
        side_by_side([one, other, stranger], 8)


def test_only_the_same_words_can_be_kept():
    (one,) = members(5)
    words = WordTokenizer((*WORDS[:-1], "another"), 8)
    with pytest.raises(ValueError, match="other must have the same words"):
        keep_words(one, SequenceClassifier(words, LABELS, 4, 5))
    with pytest.raises(ValueError, match="word vectors of 4 numbers; got 3"):
        keep_words(one, SequenceClassifier(WordTokenizer(WORDS, 8), LABELS, 3, 5))
