"""Batches of frames, their loss and figures, against NumPy in float64."""

import keras
import numpy as np
import pytest

from gru_zoo.arguments import TooFew
from gru_zoo.models.frames import frame_model
from gru_zoo.training.frame_batches import FrameBatches, frame_figures, frame_loss

FEATURES = 5


def sequences(seed=0, lengths=(2, 23, 9, 11, 7)):
    random = np.random.default_rng(seed)
    return [(random.random((length, FEATURES)) < 0.3).astype(np.uint8) for length in lengths]


def test_every_frame_but_a_first_is_learnt_once_from_the_one_before():
    given = sequences()
    batches = FrameBatches(given, steps=8, batch_size=2, seed=3)
    assert len(batches.pieces) == 1 + 3 + 1 + 2 + 1 and len(batches) == 4
    pairs = []
    for frames, following, weights in batches.epoch(0):
        assert frames.shape == following.shape and weights.shape == frames.shape[:2]
        assert weights.mean() == pytest.approx(1)
        assert not frames[weights == 0].any() and not following[weights == 0].any()
        for row in range(2):
            kept = weights[row] > 0
            pairs += list(zip(frames[row, kept], following[row, kept], strict=True))
    wanted = [(a, b) for sequence in given for a, b in zip(sequence, sequence[1:], strict=False)]
    key = sorted(np.concatenate(pair).tolist() for pair in pairs)
    assert key == sorted(np.concatenate(pair).tolist() for pair in wanted)


def test_the_order_is_a_function_of_seed_and_epoch():
    def whole(seed, epoch):
        return _frames(FrameBatches(sequences(), 8, 2, seed).epoch(epoch))

    def _frames(batches):
        return np.concatenate([batch.reshape(-1, batch.shape[-1]) for batch, *_ in batches])

    np.testing.assert_array_equal(whole(1, 2), whole(1, 2))
    for seed, epoch in ((1, 3), (2, 2), (3, 2)):
        assert not np.array_equal(whole(seed, epoch), whole(1, 2))
    dataset = FrameBatches(sequences(), 8, 2, seed=1).dataset(2, 4)
    batches = list(dataset.as_numpy_iterator())
    assert len(batches) == 8
    np.testing.assert_array_equal(_frames(batches[:4]), whole(1, 2))
    np.testing.assert_array_equal(_frames(batches[4:]), whole(1, 3))


def test_half_precision_is_scored():
    given = sequences()
    model = keras.Sequential(
        [
            keras.Input((None, given[0].shape[1])),
            keras.layers.Dense(given[0].shape[1], "sigmoid", dtype="mixed_float16"),
        ]
    )
    figures = frame_figures(model, given)
    whole = keras.Sequential(
        [keras.Input((None, given[0].shape[1])), keras.layers.Dense(given[0].shape[1], "sigmoid")]
    )
    whole.set_weights(model.get_weights())
    assert figures["loss"] == pytest.approx(frame_figures(whole, given)["loss"], rel=1e-3)


def test_too_few_pieces_or_frames_are_refused():
    with pytest.raises(ValueError, match="at least 9 pieces of 8 frames; they give 8"):
        FrameBatches(sequences(), 8, 9, seed=0)
    for given in ([], sequences(lengths=(1, 0, 1))):
        with pytest.raises(TooFew, match=f"two frames or more, .* got {len(given)} that are short"):
            frame_figures(frame_model(FEATURES, units=7), given)


def test_the_loss_is_the_sum_over_a_frame():
    random = np.random.default_rng(1)
    truth, given = random.random((2, 3, 5)) < 0.5, random.random((2, 3, 5))
    wanted = -np.where(truth, np.log(given), np.log(1 - given)).sum(axis=-1)
    found = frame_loss(truth.astype("float32"), given.astype("float32"))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_figures_are_those_of_each_sequence_alone():
    keras.utils.set_random_seed(5)
    model = frame_model(FEATURES, units=7)
    model.get_layer("probabilities").bias.assign(np.linspace(-1, 1, FEATURES))
    given = sequences(2, (0, 1, 2, 70, 9, 11, 7, 3, 4, 5, 6, 90, 12))
    losses, both, either = [], 0, 0
    for sequence in given[2:]:
        said = np.float64(model(sequence[None, :-1].astype("float32"))[0])
        truth = sequence[1:] > 0
        losses += list(-np.where(truth, np.log(said), np.log(1 - said)).sum(axis=1))
        both, either = both + (truth & (said > 0.5)).sum(), either + (truth | (said > 0.5)).sum()
    figures = frame_figures(model, given)
    assert figures["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert figures["accuracy"] == pytest.approx(both / either) and 0 < both < either
