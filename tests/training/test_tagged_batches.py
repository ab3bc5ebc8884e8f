import keras
import numpy as np
import pytest

from gru_zoo.data.universal_dependencies import Sentence
from gru_zoo.models.tagger import LENGTHS, Tagger
from gru_zoo.text.word_features import UNKNOWN, WordFeatures
from gru_zoo.training.tagged_batches import TaggedBatches, score, targets, true_tags
from tests.small_data import small_treebank

SENTENCES = small_treebank.sentences("train")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    tags = sorted({tag for sentence in SENTENCES for tag in sentence.tags} - {"AUX"})
    sizes = {"word_dim": 5, "affix_dim": 3, "units": 4, "num_layers": 1}
    return Tagger(WordFeatures.fit([s.words for s in SENTENCES]), tags, **sizes)


def test_rare_words_are_hidden_and_padding_is_not(model):
    for ids, wanted in TaggedBatches(model, SENTENCES, 8, 1e9, seed=0).epoch(0):
        assert set(np.unique(ids["word"])) <= {0, 1}
        assert (wanted[ids["word"] == 0] == -1).all()
        assert ids["suffix_1"].max() > 1


def test_a_word_is_hidden_as_often_as_it_is_rare(model):
    batches = TaggedBatches(model, SENTENCES, 8, 20.0, seed=0)
    kept = np.zeros(model.features.sizes["word"])
    for epoch in range(100):
        for ids, _ in batches.epoch(epoch):
            kept += np.bincount(ids["word"].ravel(), minlength=len(kept))
    seen = np.bincount(batches.features["word"].ravel(), minlength=len(kept))[2:]
    read = 100 * 8 * len(batches) / len(SENTENCES)  # how often each sentence was read
    np.testing.assert_allclose(kept[2:] / seen / read, seen / (20 + seen), atol=0.15)
    none = TaggedBatches(model, SENTENCES, 8, 0.0, seed=0)
    assert not none.hide.rates.any()


def test_batches_are_those_of_the_epoch(model):
    batches = TaggedBatches(model, SENTENCES, 8, 0.25, seed=3)
    streamed = list(batches.dataset(1, 2).as_numpy_iterator())
    assert len(streamed) == len(batches)
    for (ids, wanted), (streamed_ids, streamed_wanted) in zip(
        batches.epoch(1), streamed, strict=True
    ):
        np.testing.assert_array_equal(wanted, streamed_wanted)
        for name in ids:
            np.testing.assert_array_equal(ids[name], streamed_ids[name])


def test_a_tag_that_training_lacks_is_wrong(model):
    sentence = Sentence(("It", "is", "a", "dog"), ("PRON", "AUX", "DET", "NOUN"))
    rows = targets(model, [sentence])
    assert rows.shape == (1, LENGTHS[-1]) and rows[0, 1] == -1 and (rows[0, 4:] == -1).all()
    truth = true_tags(model, [sentence])
    given = model.probabilities([sentence.words])[0]
    right = [given[i].argmax() == truth[i] for i in (0, 2, 3)]
    figures = score(model, [sentence])
    assert figures["accuracy"] == sum(right) / 4
    logs = [-np.log(given[i, truth[i]]) for i in (0, 2, 3)] + [-np.log(1e-7)]
    assert figures["loss"] == pytest.approx(np.mean(logs), rel=1e-5)


def test_other_words_are_hidden_in_another_epoch():
    sentences = 40 * [Sentence(("a", "film"), ("DET", "NOUN"))]
    model = Tagger(
        WordFeatures.fit([s.words for s in sentences]), ["DET", "NOUN"], units=5, num_layers=1
    )
    batches = TaggedBatches(model, sentences, 40, 40.0, seed=0)
    one, again, other = (next(batches.epoch(epoch))[0]["word"] == UNKNOWN for epoch in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert 20 < one.sum() < 60 and (one != other).any()
