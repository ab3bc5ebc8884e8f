"""Windows of signals: where they are cut, how they vary, and the figures, against NumPy."""

import types

import numpy as np
import pytest

from gru_zoo.arguments import TooFew
from gru_zoo.models.signals import signal_model
from gru_zoo.training.signal_windows import (
    WindowBatches,
    answers,
    at,
    rotation,
    streamed_accuracy,
    window_figures,
    windows,
)


def signals(lengths=(50, 5, 23, 41), channels=6):
    """Signals whose samples tell where they are from: 100 times the signal's number, and place."""
    ramps = [100 * row + np.arange(length, dtype=np.float32) for row, length in enumerate(lengths)]
    return [np.stack([ramp + 0.1 * channel for channel in range(channels)], 1) for ramp in ramps]


def whole(batches):
    return [np.concatenate(each) for each in zip(*batches, strict=True)]


def test_a_window_is_a_piece_of_its_own_signal():
    batches = WindowBatches(signals(), [3, 0, 5, 4], length=10, batch_size=4, seed=1)
    assert len(batches) == (5 + 2 + 4) // 4
    given, labels = whole(batches.epoch(0))
    assert given.shape == (8, 10, 6) and labels.shape == (8, 10)
    for window, label in zip(given, labels, strict=True):
        row = round(float(window[0, 0]) // 100)
        assert set(label) == {[3, None, 5, 4][row]}
        np.testing.assert_allclose(np.diff(window, axis=0), 1, atol=1e-4)
        np.testing.assert_allclose(window, window[:, :1] + 0.1 * np.arange(6), atol=1e-3)
        assert 0 <= window[0, 0] - 100 * row and window[-1, 0] - 100 * row <= len(signals()[row])


def test_windows_are_a_function_of_seed_and_epoch():
    def made(seed, epoch):
        options = {"turn": 20, "pace": 0.2, "gain": 0.2}
        return WindowBatches(signals(), [0, 1, 2, 3], 10, 4, seed, **options).epoch(epoch)

    np.testing.assert_array_equal(whole(made(1, 2))[0], whole(made(1, 2))[0])
    for seed, epoch in ((1, 3), (2, 2)):
        assert not np.array_equal(whole(made(seed, epoch))[0], whole(made(1, 2))[0])
    batches = WindowBatches(signals(), [0, 1, 2, 3], 10, 4, seed=1)
    dataset = list(batches.dataset(1, 3).as_numpy_iterator())
    assert len(dataset) == 4
    np.testing.assert_array_equal(dataset[0][0], next(batches.epoch(1))[0])
    np.testing.assert_array_equal(dataset[2][0], next(batches.epoch(2))[0])


def test_every_sensor_is_turned_alike_and_keeps_its_length():
    given = [np.random.default_rng(3).normal(size=(60, 6)).astype(np.float32)]
    plain, turned = (
        next(WindowBatches(given, [0], 60, 1, seed=8, turn=turn).epoch(0))[0][0] for turn in (0, 40)
    )
    one, other = plain[:, :3], plain[:, 3:]
    # The turn that fits the first sensor best is that of the second one too.
    matrix = np.linalg.lstsq(one, turned[:, :3], rcond=None)[0]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(matrix) > 0 and np.abs(matrix - np.eye(3)).max() > 0.05
    np.testing.assert_allclose(turned[:, 3:], other @ matrix, atol=1e-4)


def test_a_faster_movement_has_higher_speeds_only():
    options = {"pace": 0.5, "angular": (3, 4, 5)}
    batches = WindowBatches(signals((400,)), [0], 20, 4, seed=5, **options)
    paces = []
    for window in whole(batches.epoch(0))[0]:
        steps = np.diff(window[:, 0])
        pace = steps.mean()
        np.testing.assert_allclose(steps, pace, atol=1e-3)
        paces.append(pace)
        # What is measured in places grows by the pace; a speed itself is higher by it besides.
        np.testing.assert_allclose(window[:, 3], pace * (window[:, 0] + 0.3), rtol=1e-3)
    assert min(paces) < 0.8 and max(paces) > 1.2


def test_the_mirror_keeps_what_turns_turning():
    """The velocity of a point is the cross product of angular velocity and place."""
    random = np.random.default_rng(4)
    turning, place = random.normal(size=(2, 40, 3))
    given = [np.concatenate([place, turning, np.cross(turning, place)], 1).astype(np.float32)]
    plain, mirrored = (
        next(WindowBatches(given, [0], 40, 1, 9, mirror=share, angular=(3, 4, 5)).epoch(0))[0][0]
        for share in (0, 1)
    )
    place, turning, moving = np.split(mirrored, 3, axis=1)
    np.testing.assert_allclose(np.cross(turning, place), moving, atol=1e-5)
    np.testing.assert_array_equal(place, plain[:, :3] * [-1, 1, 1])


def test_a_share_of_the_windows_is_mirrored():
    ones = [np.ones((30, 3), np.float32)] * 100
    windows = whole(WindowBatches(ones, [0] * 100, 30, 10, seed=2, mirror=0.3).epoch(0))[0]
    assert 0.15 < np.mean(windows[:, 0, 0] == -1) < 0.45
    np.testing.assert_array_equal(windows[:, :, 1:], 1)


def test_gain_is_one_factor_a_window():
    plain, strong = (
        whole(WindowBatches(signals((90,)), [0], 20, 4, seed=6, gain=each).epoch(0))[0]
        for each in (0, 0.4)
    )
    factors = strong / np.maximum(plain, 1e-3)
    for row in factors:
        np.testing.assert_allclose(row, row[5, 5], rtol=1e-3)
    assert np.ptp(factors[:, 5, 5]) > 0.1


def test_no_window_reaches_beyond_its_signal():
    # As slow as it gets, a window spans all there is.
    batches = WindowBatches(signals((21, 25)), [0, 1], 20, 2, seed=7, pace=3.0)
    given = np.concatenate([whole(batches.epoch(epoch))[0] for epoch in range(30)])
    ramps = given[..., 0] % 100
    assert np.isfinite(given).all() and ramps.max() <= 24 and (np.diff(ramps, axis=1) >= 0).all()


def test_between_samples_are_curves():
    """Cubic convolution with a = -1/2 is exact for parabolas (Keys 1981), and straight at ends."""
    t = np.arange(6.0)
    signal = np.stack([t, 3 - 2 * t + t**2], axis=1)
    inner = np.array([1.0, 1.25, 2.0, 2.5, 3.9])
    wanted = np.stack([inner, 3 - 2 * inner + inner**2], axis=1)
    np.testing.assert_allclose(at(signal, inner), wanted, atol=1e-12)
    np.testing.assert_allclose(
        at(signal, np.array([0, 0.5, 4.5, 5, 5.9]))[:, 0], [0, 0.5, 4.5, 5, 5.9]
    )
    assert at(np.array([[3.0, 4.0]]), np.array([0, 0.5])).tolist() == [[3.0, 4.0]] * 2
    # Halfway the four neighbours weigh -1, 9, 9 and -1 sixteenths.
    bump = np.eye(6)[:, 2:3]
    np.testing.assert_allclose(at(bump, np.array([0.5, 1.5, 2.5, 3.5]))[:, 0] * 16, [-1, 9, 9, -1])


def test_windows_that_keep_their_pace_are_samples_as_they_are():
    noise = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)
    known = {noise[start : start + 20].tobytes() for start in range(71)}
    windows = whole(WindowBatches([noise], [0], 20, 4, seed=1).epoch(0))[0]
    assert all(window.tobytes() in known for window in windows)
    assert len({window.tobytes() for window in windows}) > 1


def test_the_order_is_shuffled_and_another_in_each_epoch():
    batches = WindowBatches(signals((40,) * 20), range(20), 10, 10, seed=3)
    orders = [whole(batches.epoch(epoch))[1][:, 0].tolist() for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted([*range(20)] * 4)
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])


def test_variety_has_the_deviations_asked_for():
    """Of a sensor that always reads (0, 0, 1): its length becomes the gain."""
    still = [np.tile(np.float32([0, 0, 1]), (40, 1))] * 2000
    given = {"length": 40, "batch_size": 100, "seed": 1}
    windows = whole(WindowBatches(still, [0] * 2000, **given, gain=0.2).epoch(0))[0][:, 0]
    gains = np.log(np.linalg.norm(windows, axis=1))
    assert gains.std() == pytest.approx(0.2, rel=0.1) and abs(gains.mean()) < 0.02
    turned = whole(WindowBatches(still, [0] * 2000, **given, turn=10).epoch(0))[0][:, 0]
    # About an axis of any direction two thirds of a small turn's square fall on x and y.
    away = np.rad2deg(np.arcsin(np.linalg.norm(turned[:, :2], axis=1)))
    assert np.sqrt(np.mean(away**2)) == pytest.approx(10 * np.sqrt(2 / 3), rel=0.1)
    assert turned[:, 0].std() == pytest.approx(turned[:, 1].std(), rel=0.15)
    ramp = [np.arange(400, dtype=np.float32)[:, None]] * 2000
    paced = WindowBatches(ramp, [0] * 2000, 40, 100, seed=1, pace=0.15).epoch(0)
    paces = np.log(np.ptp(whole(paced)[0][:, :, 0], axis=1) / 39)
    assert paces.std() == pytest.approx(0.15, rel=0.1) and abs(paces.mean()) < 0.02


def test_a_window_that_spans_all_there_is_has_the_speed_it_has():
    """Where the pace that was drawn does not fit, angular velocities grow by what it is instead."""
    ramp = np.arange(25, dtype=np.float32)
    signal = np.stack([ramp, ramp, ramp, *3 * [np.ones(25, np.float32)]], 1)
    options = {"pace": 3.0, "angular": (3, 4, 5)}
    batches = WindowBatches([signal] * 4, [0] * 4, 20, 4, seed=7, **options)
    for window in whole(batches.epoch(0))[0]:
        np.testing.assert_allclose(window[0, 3], np.diff(window[:, 0]).mean(), rtol=1e-3)


def test_a_turn_is_right_handed():
    np.testing.assert_allclose(
        rotation(np.array([0, 3.0, 0]), np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12
    )
    axis = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(rotation(axis, 0.7) @ axis, axis, atol=1e-12)
    np.testing.assert_allclose(np.trace(rotation(axis, 0.7)), 1 + 2 * np.cos(0.7), atol=1e-12)


def test_windows_for_scoring_overlap_by_half():
    found, labels = windows(signals(), [3, 0, 5, 4], length=10)
    wanted = [(0, s) for s in range(0, 41, 5)] + [(2, 0), (2, 5), (2, 10)]
    wanted += [(3, s) for s in range(0, 32, 5)]
    assert [(round(w[0, 0]) // 100, round(w[0, 0]) % 100) for w in found] == wanted
    assert labels.tolist() == [[3, None, 5, 4][row] for row, _ in wanted]
    assert len(windows(signals(), [0] * 4, 10, overlap=0.0)[0]) == 5 + 2 + 4


def answering(rows):
    """A model that gives row `i` of `rows` after the sample whose first channel is `i`."""
    rows = np.float32(rows)
    return types.SimpleNamespace(predict_on_batch=lambda given: rows[given[..., 0].astype(int)])


def test_figures_are_of_the_last_sample():
    model = answering([[0.9, 0.1], [0.25, 0.75], [0.6, 0.4]])
    given = np.zeros((3, 4, 1), np.float32)
    given[:, -1, 0] = [0, 1, 2]
    found = window_figures(model, given, np.array([1, 1, 0]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-np.log([0.1, 0.75, 0.6]).mean(), rel=1e-5)


def test_a_stream_is_scored_after_its_beginning():
    model = answering([[0.9, 0.1], [0.25, 0.75]])
    one, two = np.float32([0, 1, 1, 0, 1])[:, None], np.float32([1, 1, 0])[:, None]
    # Of the first signal the last three samples count, of the second the last one.
    assert streamed_accuracy(model, [one, two], [1, 0], length=3) == pytest.approx(3 / 4)
    with pytest.raises(TooFew, match=r"one of 9 samples or more; the longest has \d"):
        streamed_accuracy(model, [one, two], [1, 0], length=9)


@pytest.mark.parametrize("length", [1, 255, 256, 257])
def test_a_signal_of_any_length_has_an_answer_after_each_sample(length):
    model = signal_model([0.5] * 3, [2.0] * 3, labels=4, units=5)
    signal = np.random.default_rng(length).normal(size=(length, 3)).astype(np.float32)
    found = answers(model, signal)
    assert found.shape == (length, 4)
    np.testing.assert_allclose(found, model(signal[None])[0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 20}, "signals must give at least 20 windows of 10 samples; they give 11"),
        ({"length": 0}, "length must be"),
        ({"turn": -1}, "turn must be a number of at least 0; got -1"),
        ({"pace": np.inf}, "pace must be a number of at least 0; got inf"),
        ({"gain": "much"}, "gain must be a number; got 'much'"),
        (
            {"signals": signals(channels=4), "turn": 1.0},
            "turn and mirror must be 0 unless channels are x, y and z of each sensor; got 4 chan",
        ),
        ({"signals": signals(channels=4), "mirror": 0.5}, "turn and mirror must be 0 unless"),
        ({"mirror": 1.5}, "mirror must be a number from 0 to 1; got 1.5"),
        ({"mirror": 0.5, "angular": (3, 4)}, "angular must be all three channels of a sensor or"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"signals": signals(), "labels": [0] * 4, "length": 10, "batch_size": 4, "seed": 0}
    with pytest.raises(ValueError, match=message):
        WindowBatches(**{**given, **change})
    with pytest.raises(TooFew, match="have one of 60 samples or more; the longest has 50"):
        windows(signals(), [0] * 4, 60)
