"""One model of several: an ensemble's logits in one graph."""

import keras
import numpy as np
import pytest

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.joining import joined
from gru_zoo.text.tokenizers import WordTokenizer

WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "fine", "bad", "film", "a", "not")
IDS = np.array([[1, 3, 5, 7, 4], [1, 6, 2, 0, 0], [1, 0, 0, 0, 0]], np.int32)


def classifier(seed, words=WORDS, **options):
    sizes = {"embedding_dim": 4, "units": 5, "labels": ("no", "yes", "perhaps"), "dropout": 0.2}
    model = SequenceClassifier(WordTokenizer(words, 8), **{**sizes, **options})
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.7, each.shape) for each in model.get_weights()])
    return model


def test_logits_are_the_mean_of_all():
    models = [
        classifier(seed, embedding_dim=d, units=u)
        for seed, d, u in ((1, 4, 5), (2, 3, 7), (3, 2, 4))
    ]
    both = joined(models)
    assert (both.embedding_dim, both.units, both.dropout) == (9, 16, 0.2)
    logits = np.mean([np.log(model(IDS)) for model in models], axis=0)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(both(IDS), wanted, atol=1e-6)
    # Word by word too, with the state of all of them.
    state = both.initial_state(1)
    for word in IDS[0]:
        state = both.step(np.array([word]), state)
    np.testing.assert_allclose(both.output(state), wanted[:1], atol=1e-6)


def test_all_principal_axes_compute_the_same_and_fewer_nearly():
    words = (*WORDS, *(f"word{number}" for number in range(40)))
    models = [classifier(seed, words) for seed in (1, 2)]
    # The second one's vectors are the first one's, turned, and a little noise: four axes do.
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)))[0]
    table = models[0].embedding.get_weights()[0]
    noise = np.random.default_rng(6).normal(0, 1e-3, table.shape)
    models[1].embedding.set_weights([table @ turned + noise])
    whole = joined(models)(IDS)
    np.testing.assert_allclose(joined(models, embedding_dim=8)(IDS), whole, atol=1e-5)
    small = joined(models, embedding_dim=4)
    assert small.embedding.get_weights()[0].shape == (48, 4)
    assert 1e-6 < np.abs(small(IDS) - whole).max() < 0.01


def test_training_goes_on_with_the_new_weights_too():
    both = joined([classifier(1), classifier(2)])
    both.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    both.train_on_batch(IDS, np.eye(3, dtype=np.float32))
    kernel = both.rnn.get_weights()[1].reshape(10, 3, 10)
    assert np.abs(kernel[:5, :, 5:]).min() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("no", "yes")}, r"models must have the same labels; got \('no', 'yes', 'perh"),
        ({"words": (*WORDS, "more")}, "models must have the same vocabulary; they have not"),
        ({"bidirectional": True}, "in one direction; got cell='gru', bidirectional=True"),
        ({"cell": "lstm"}, "models must be of a GRU in one direction; got cell='lstm'"),
    ],
)
def test_models_that_cannot_be_one_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        joined([classifier(1), classifier(2, **change)])


def test_too_few_models_and_dimensions_are_refused():
    with pytest.raises(ValueError, match="models must be two or more; got 1"):
        joined([classifier(1)])
    with pytest.raises(ValueError, match="must be SequenceClassifiers; got a Sequential"):
        joined([classifier(1), keras.Sequential()])
    for dims in (9, -1):
        with pytest.raises(ValueError, match=f"embedding_dim must be 0 to 8, .* got {dims}"):
            joined([classifier(1), classifier(2)], embedding_dim=dims)
