import keras
import numpy as np
import pytest

from gru_zoo.models.growth import grow_from
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.tokenizers import WordTokenizer

SMALL = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine", "film"], 8)
# "new" stands before a known word: ids move.
LARGE = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine", "new", "film", "rare"], 8)
FREQUENCIES = np.array([0, 9, 8, 7, 4, 3, 2])
IDS = np.array([[1, 3, 5, 4, 2, 6, 3], [1, 6, 6, 5, 0, 3, 4]])
BEFORE = np.array([0, 1, 2, 3, 2, 4, 2])  # id in LARGE -> id in SMALL


def source():
    model = LanguageModel(SMALL, embedding_dim=4, units=5, dropout=0.0)
    random = np.random.default_rng(3)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def chances(model, ids):
    return keras.ops.convert_to_numpy(keras.ops.softmax(model(ids)))


def grown(embedding_dim=6, units=9, tokenizer=LARGE, frequencies=FREQUENCIES, given=None):
    model = LanguageModel(tokenizer, embedding_dim, units, dropout=0.0)
    grow_from(model, given or source(), frequencies)
    return model


def test_it_says_what_the_smaller_one_says():
    before, after = chances(source(), BEFORE[IDS]), chances(grown(), IDS)
    for known, now in ((0, 0), (1, 1), (3, 3), (4, 5)):
        np.testing.assert_allclose(after[..., now], before[..., known], atol=1e-6)


def test_new_words_share_what_unknown_ones_had():
    before, after = chances(source(), BEFORE[IDS]), chances(grown(), IDS)
    shares = np.array([9, 5, 3]) / 17  # of 8, 4 and 2, each and one more
    np.testing.assert_allclose(after[..., [2, 4, 6]], before[..., [2]] * shares, atol=1e-6)


def test_every_new_weight_is_heard_after_a_step():
    model = grown()
    before = [np.array(weight) for weight in model.rnn.get_weights()]
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(True))
    for _ in range(2):  # the first step opens the way to the new units
        model.train_on_batch(IDS[:, :-1], IDS[:, 1:])
    after = model.rnn.get_weights()
    kernel, recurrent, bias = (old != new for old, new in zip(before, after, strict=True))
    for weight in (kernel, recurrent, bias[:1]):
        assert weight.reshape(len(weight), 3, 9).all()


def test_new_units_differ():
    recurrent = grown().rnn.get_weights()[1].reshape(9, 3, 9)
    assert len({tuple(column) for column in recurrent[:5, 0, 5:].T}) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 4}, "units must be at least 5, as in source; got 4"),
        ({"embedding_dim": 3}, "embedding_dim must be at least 4, as in source; got 3"),
        ({"tokenizer": WordTokenizer(LARGE.vocabulary[:5], 8)}, "1 are missing, such as 'film'"),
        ({"frequencies": FREQUENCIES[:3]}, r"one for each of 7 words; got shape \(3,\)"),
        (
            {"given": LanguageModel(CharacterTokenizer("ab"), 4, 5)},
            "source must be of words; has a CharacterTokenizer",
        ),
    ],
)
def test_what_cannot_grow_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        grown(**options)
