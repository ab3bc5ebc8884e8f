import numpy as np
import pytest

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.models.transfer import classifier_from, give_words, mean_of
from gru_zoo.text.characters import CharacterTokenizer
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


def test_only_a_gru_over_words_is_a_beginning():
    characters = LanguageModel(CharacterTokenizer("abc"), 4, 5)
    with pytest.raises(ValueError, match="source must read words; it has a CharacterTokenizer"):
        classifier_from(characters, ("no", "yes"), 8, 0.0)
    for cell in ("lstm", "transformer"):
        source = SequenceClassifier(WordTokenizer(WORDS, 8), embedding_dim=4, units=8, cell=cell)
        with pytest.raises(ValueError, match=f"source must have a GRU; its cell is '{cell}'"):
            classifier_from(source, ("no", "yes"), 8, 0.0)


def test_the_mean_of_models_has_the_mean_of_their_weights():
    models = [
        classifier_from(language_model(), ("no", "yes"), length, dropout)
        for length, dropout in ((8, 0.2), (9, 0.0), (8, 0.1))
    ]
    models[2].trainable = False  # as a teacher's may be
    models[1].rnn.trainable, models[1].kernel = False, "loop"
    random = np.random.default_rng(4)
    for model in models:
        model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    wanted = [sum(w) / 3 for w in zip(*(m.get_weights() for m in models), strict=True)]
    mean = mean_of(models)
    assert mean is models[0]
    for found, each in zip(mean.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-5, atol=1e-7)


def test_only_models_that_are_alike_have_a_mean():
    one = classifier_from(language_model(), ("no", "yes"), 8, 0.1)
    words = WordTokenizer((*WORDS[:-1], "another"), 8)
    other = SequenceClassifier(words, ("no", "yes"), one.embedding_dim, one.units)
    with pytest.raises(ValueError, match="models must be alike in their tokenizer"):
        mean_of([one, other])
    labelled = classifier_from(language_model(), ("yes", "no"), 8, 0.1)
    with pytest.raises(ValueError, match="models must be alike in their labels"):
        mean_of([one, labelled])
    with pytest.raises(ValueError, match="of one class; got LanguageModel, SequenceClassifier"):
        mean_of([one, language_model()])
    with pytest.raises(ValueError, match="models must be one or more; got none"):
        mean_of([])


@pytest.mark.parametrize("dim", [6, len(WORDS) + 3])  # fewer than the other's words, and more
def test_words_keep_what_fits_of_their_scalar_products(dim):
    source = language_model(embedding_dim=dim)
    table = source.embedding.embeddings.numpy()
    vocabulary = ("<PAD>", "<START>", "<UNKNOWN>", "the", "unheard", "bad")
    model = SequenceClassifier(WordTokenizer(vocabulary, 8), embedding_dim=dim, units=5)
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


def test_a_beginning_keeps_the_case_of_its_words_and_both_directions():
    words = WordTokenizer(("<PAD>", "<START>", "<UNKNOWN>", "good", "bad"), 6, fold_case=True)
    source = SequenceClassifier(words, embedding_dim=4, units=5, bidirectional=True)
    model = classifier_from(source, source.labels, 9, dropout=0.0)
    assert model.tokenizer.table() == words.table() and model.bidirectional
    ids = words(["GOOD bad", "Bad"])
    np.testing.assert_array_equal(model(ids), source(ids))
