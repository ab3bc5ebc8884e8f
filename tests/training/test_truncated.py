import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.models.language_model import LanguageModel
from gru_zoo.training import truncated
from gru_zoo.training.batching import StreamBatches
from gru_zoo.training.truncated import TruncatedTraining, score_stream
from tests.models.test_language_model import language_model

TOKENS = np.random.default_rng(3).integers(1, 9, 100).astype("int32")
STARTS = [0, 31, 40, 77]


def streams(**options):
    return StreamBatches(TOKENS, STARTS, **{"streams": 3, "steps": 5, "seed": 0, **options})


def test_the_state_is_carried_and_begins_at_zero():
    model = language_model(dropout=0.0)
    training = TruncatedTraining(model, streams=3)
    training.compile(keras.optimizers.SGD(0.0))
    training.carried.assign(np.ones((3, 7)))  # of an epoch before
    pieces = list(streams().epoch(0))
    for ids, targets, keep in pieces:
        training.train_step((tf.constant(ids), tf.constant(targets), tf.constant(keep)))
    whole = np.concatenate([ids for ids, _, _ in pieces], axis=1)
    np.testing.assert_allclose(training.carried, model.read(whole)[1], atol=1e-6)


def test_what_is_learnt_is_read_with_dropout(monkeypatch):
    model, seen = language_model(kernel="loop"), []
    read = LanguageModel.read

    def watched(model, ids, state=None, training=False):
        seen.append(training)
        return read(model, ids, state, training)

    monkeypatch.setattr(LanguageModel, "read", watched)
    training = TruncatedTraining(model, streams=3)
    training.compile(keras.optimizers.SGD(0.1))
    piece, *_ = streams().epoch(0)
    training.train_step(tuple(map(tf.constant, piece)))
    assert seen == [True]


@pytest.mark.parametrize("at_once", [200, 4])  # all of a batch's 15 tokens, or four and a rest
def test_the_score_is_the_cross_entropy_of_the_whole_streams(at_once, monkeypatch):
    monkeypatch.setattr(truncated, "_AT_ONCE", at_once)
    model = language_model()
    pieces = list(streams().epoch(0))
    ids, targets = (np.concatenate([piece[i] for piece in pieces], axis=1) for i in (0, 1))
    log = np.log(tf.nn.softmax(model(ids)).numpy().astype("float64"))
    wanted = -np.take_along_axis(log, targets[:, :, None].astype(int), axis=2).mean()
    figures = score_stream(model, streams())
    assert figures["loss"] == pytest.approx(wanted, rel=1e-5)
    assert figures["accuracy"] == pytest.approx((log.argmax(axis=2) == targets).mean())


@pytest.mark.slow
def test_a_sample_estimates_the_whole_softmax():
    model = language_model()
    features = np.random.default_rng(1).normal(size=(3, 5, 4)).astype("float32")
    targets = TOKENS[:15].reshape(3, 5)
    whole = TruncatedTraining(model, streams=3)._cross_entropy(features, targets).numpy()
    everything = TruncatedTraining(model, streams=3, sampled=9)._cross_entropy(features, targets)
    np.testing.assert_allclose(everything, whole, rtol=1e-5, atol=1e-5)
    # exp(loss) is linear in the sample's sum: over many samples its mean is that of all tokens.
    sampled = TruncatedTraining(model, streams=3, sampled=6)
    draws = [np.exp(sampled._cross_entropy(features, targets).numpy()) for _ in range(3000)]
    assert np.std(draws, axis=0).max() > 0.1
    np.testing.assert_allclose(np.mean(draws, axis=0), np.exp(whole), rtol=0.04)


@pytest.mark.slow
def test_it_learns_what_repeats():
    model = language_model(dropout=0.0, units=12)
    training = TruncatedTraining(model, streams=2)
    training.compile(keras.optimizers.Adam(0.02))
    batches = StreamBatches(np.tile(np.int32([1, 6, 3, 5, 7]), 60), [0], 2, 10, seed=0)
    before = score_stream(model, batches)
    training.fit(
        batches.dataset(0, 8, 1), epochs=8, steps_per_epoch=len(batches), shuffle=False, verbose=0
    )
    after = score_stream(model, batches)
    assert after["accuracy"] > 0.95 > before["accuracy"]
    assert after["loss"] < 0.2 * before["loss"]


def test_pieces_cover_the_texts_once_and_follow_each_other():
    data = streams()
    pieces = list(data.epoch(2))
    assert len(pieces) == len(data) == 99 // 15
    ids = np.concatenate([ids for ids, _, _ in pieces], axis=1)
    targets = np.concatenate([targets for _, targets, _ in pieces], axis=1)
    np.testing.assert_array_equal(ids[:, 1:], targets[:, :-1])
    order = np.random.default_rng([0, 2]).permutation(4)
    row = np.concatenate([np.split(TOKENS, STARTS[1:])[i] for i in order])
    np.testing.assert_array_equal(ids.ravel(), row[:90])
    assert [keep.tolist() for _, _, keep in pieces[:2]] == [[0.0] * 3, [1.0] * 3]


def test_later_parts_are_the_tail_of_the_whole():
    data = streams()
    whole = [ids.numpy().tolist() for ids, _, _ in data.dataset(0, 6, 2)]
    tail = [ids.numpy().tolist() for ids, _, _ in data.dataset(3, 6, 2)]
    assert len(whole) == 18 and tail == whole[9:]
    parts = [
        [ids.numpy().tolist() for ids, _, _ in data.dataset(a, b, 2)] for a, b in ((0, 1), (1, 4))
    ]
    assert [*parts[0], *parts[1]] == whole[:12] and len(parts[0]) == 3


def test_bad_input():
    with pytest.raises(ValueError, match="tokens must be more than 100; got 100"):
        streams(streams=10, steps=10)
    with pytest.raises(ValueError, match="streams must be .*; got 0"):
        streams(streams=0)
    with pytest.raises(ValueError, match="sampled must be 0 to 9, all tokens; got 10"):
        TruncatedTraining(language_model(), streams=2, sampled=10)


@pytest.mark.parametrize(
    ("policy", "sampled"),
    [
        ("mixed_float16", 0),
        ("mixed_float16", 6),
        pytest.param("float64", 6, marks=pytest.mark.slow),
    ],
)
def test_other_precisions_learn(policy, sampled):
    model = language_model(dropout=0.0, dtype=policy)
    training = TruncatedTraining(model, streams=3, sampled=sampled)
    training.compile(keras.optimizers.SGD(1.0))
    assert hasattr(training.optimizer, "inner_optimizer") == (policy == "mixed_float16")
    batches = streams()
    options = {"epochs": 4, "steps_per_epoch": len(batches), "shuffle": False, "verbose": 0}
    losses = training.fit(batches.dataset(0, 4, 1), **options).history["loss"]
    assert losses[-1] < 0.98 * losses[0]


@pytest.mark.parametrize("parts", [0, len(streams()) + 1])
def test_an_epoch_has_parts_of_a_batch_or_more(parts):
    with pytest.raises(ValueError, match=f"parts_per_epoch must be 1 to {len(streams())}"):
        streams().dataset(0, 1, parts)


def test_of_equally_probable_tokens_the_first_is_the_most_probable():
    model = language_model()
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    assert score_stream(model, streams())["accuracy"] == 0  # token 0 is no target
