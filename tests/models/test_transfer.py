import numpy as np
import pytest

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.transfer import classifier_from, give_words
from gru_zoo.text.tokenizers import WordTokenizer
from tests.models.test_language_model import IDS, WORDS, language_model


def test_states_are_those_of_the_language_model():
    source = language_model()
    model = classifier_from(source, ("no", "maybe", "yes"), sequence_length=11, dropout=0.2)
    ids = np.where(IDS == 0, 3, IDS)  # 0 is a word to the one and padding to the other
    wanted = source.rnn(source.embedding(ids))[0]
    np.testing.assert_array_equal(model.rnn(model.embedding(ids)), wanted)
    assert model.tokenizer.sequence_length == 11 and model.tokenizer.vocabulary == WORDS
    assert model(IDS).shape == (3, 3) and model.dropout == 0.2


def test_a_classifier_goes_on_as_itself():
    source = classifier_from(language_model(), ("no", "yes"), 8, dropout=0.2)
    model = classifier_from(source, ("no", "yes"), 8, dropout=0.0)
    np.testing.assert_array_equal(model(IDS), source(IDS))


def test_words_keep_what_fits_of_their_scalar_products():
    source = language_model(embedding_dim=6)
    table = source.embedding.embeddings.numpy()
    vocabulary = ("<PAD>", "<START>", "<UNKNOWN>", "the", "unheard", "bad")
    model = SequenceClassifier(WordTokenizer(vocabulary, 8), embedding_dim=6, units=5)
    before = model.embedding.embeddings.numpy()
    assert give_words(model, source) == 4
    after = model.embedding.embeddings.numpy()
    rows = [1, 2, 3, 5]
    wanted = table[[WORDS.index(vocabulary[row]) for row in rows]]
    np.testing.assert_allclose(after[rows] @ after[rows].T, wanted @ wanted.T, rtol=1e-4)
    np.testing.assert_array_equal(after[[0, 4]], before[[0, 4]])

    small = SequenceClassifier(WordTokenizer(WORDS, 8), embedding_dim=2, units=5)
    give_words(small, source)
    cut = small.embedding.embeddings.numpy()[1:]
    u, s, vt = np.linalg.svd(table)
    best = (u[:, :2] * s[:2] @ vt[:2])[1:]
    np.testing.assert_allclose(cut @ cut.T, best @ best.T, rtol=1e-4, atol=1e-5)


def test_bad_input():
    small = SequenceClassifier(WordTokenizer(WORDS, 8), embedding_dim=5, units=7)
    with pytest.raises(ValueError, match="embedding_dim must be at most 4, .* got 5"):
        give_words(small, language_model())
    with pytest.raises(ValueError, match="source must be a LanguageModel .* got a int"):
        classifier_from(3, ("no", "yes"), 8, 0.1)
