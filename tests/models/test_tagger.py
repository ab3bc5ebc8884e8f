import keras
import numpy as np
import pytest

from gru_zoo.layers.encoders import CELLS
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.word_features import WordFeatures
from tests.cells import some_slow
from tests.small_data.small_treebank import sentences

SENTENCES = [sentence.words for sentence in sentences("train")]
TAGS = ("DET", "NOUN", "VERB")


def tagger(**options):
    keras.utils.set_random_seed(5)
    sizes = {"word_dim": 5, "affix_dim": 3, "units": 4, "num_layers": 2}
    model = Tagger(WordFeatures.fit(SENTENCES), TAGS, **{**sizes, **options})
    random = np.random.default_rng(2)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(random.normal(0, 0.5, weight.shape))
    return model


@pytest.mark.parametrize("cell", some_slow(CELLS))
def test_padding_does_not_change_a_tag(cell):
    model = tagger(cell=cell)
    words = [SENTENCES[1], SENTENCES[0]]
    short, long = (model(model.features.encode(words, time)) for time in (5, 9))
    for row, sentence in enumerate(words):
        n = len(sentence)
        np.testing.assert_allclose(short[row, :n], long[row, :n], atol=1e-6)
        alone = model(model.features.encode([sentence], n))
        np.testing.assert_allclose(long[row, :n], alone[0], atol=1e-6)


def test_both_directions_and_every_feature_reach_a_tag():
    model = tagger()
    ids = model.features.encode([SENTENCES[0]], 5)
    before = model(ids).numpy()
    for name, array in ids.items():
        for step in (0, 4):
            changed = {**ids, name: array.copy()}
            changed[name][0, step] = 1 if array[0, step] != 1 else 2
            assert np.abs(model(changed) - before)[0, 2].max() > 1e-5, (name, step)


def test_words_may_be_an_array():
    model = tagger()
    expected = model.probabilities(SENTENCES[:2])
    for kind in (str, object):
        given = model.probabilities([np.array(words, kind) for words in SENTENCES[:2]])
        assert all(np.array_equal(*pair) for pair in zip(given, expected, strict=True))
    for nothing in (np.array([], str), (), "", "a film", b"a film", None):
        with pytest.raises(ValueError, match="sentences must be words each; number 2 is "):
            model.probabilities([SENTENCES[0], nothing])


@pytest.mark.parametrize("cell", some_slow(CELLS))
def test_saved_and_loaded(cell, tmp_path):
    model = tagger(dropout=0.3, cell=cell)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    ids = loaded.features.encode(SENTENCES[:3], 6)
    assert loaded.tags == TAGS and loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(ids), model(ids))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": ("X",)}, r"tags must be two or more different names; got \('X',\)"),
        ({"tags": ("X", "X")}, "tags must be two or more different names"),
        ({"units": 0}, "units must be .*; got 0"),
        ({"num_layers": 0}, "num_layers must be .*; got 0"),
        ({"dropout": 1.0}, "dropout must be .*; got 1.0"),
        ({"cell": "gruu"}, "cell must be one of 'gru', .*; got 'gruu'. Did you mean 'gru'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Tagger(**{"features": WordFeatures.fit(SENTENCES), "tags": TAGS, **options})
