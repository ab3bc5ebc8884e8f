"""What the made problems promise: right answers, the same batch for everybody, honest halves."""

import numpy as np
import pytest

from gru_zoo.data import digits, long_sequences


def test_one_mark_in_each_half_and_their_sum():
    inputs, sums = long_sequences.adding(400, 7, seed=3, number=5)
    numbers, marks = inputs[..., 0], inputs[..., 1]
    assert inputs.dtype == sums.dtype == np.float32
    np.testing.assert_array_equal(marks[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, 3:].sum(axis=1), 1)
    assert (marks.sum(axis=0) > 0).all(), "every place is marked sometimes"
    for row, answer in zip(inputs, sums, strict=True):
        marked = [number for number, mark in row if mark]
        assert len(marked) == 2 and answer == pytest.approx(sum(marked))
    assert numbers.min() >= 0 and numbers.max() < 1


def test_who_always_says_one_has_an_error_of_a_sixth():
    sums = long_sequences.adding(20_000, 10, seed=0)[1]
    assert np.mean((sums - 1) ** 2) == pytest.approx(1 / 6, rel=0.03)


def test_symbols_pause_sign_and_what_is_to_be_said():
    ids, said = long_sequences.copy_memory(300, 4, seed=1)
    assert ids.shape == (300, 24) and said.shape == (300, 10)
    np.testing.assert_array_equal(ids[:, :10], said + 1)
    np.testing.assert_array_equal(ids[:, 10:13], 0)
    np.testing.assert_array_equal(ids[:, 13], 9)
    np.testing.assert_array_equal(ids[:, 14:], 0)
    assert set(np.unique(said)) == set(range(8))


@pytest.mark.parametrize("problem", [long_sequences.adding, long_sequences.copy_memory])
def test_a_batch_depends_on_seed_and_number_alone(problem):
    one, other = problem(3, 12, seed=7, number=2), problem(3, 12, seed=7, number=2)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    for different in (problem(3, 12, seed=8, number=2), problem(3, 12, seed=7, number=3)):
        assert not np.array_equal(one[0], different[0])


def test_bad_sizes():
    with pytest.raises(ValueError, match="steps must be an integer of at least 2; got 1"):
        long_sequences.adding(3, 1, seed=0)
    with pytest.raises(ValueError, match="pause must be an integer of at least 1; got 0"):
        long_sequences.copy_memory(3, 0, seed=0)


def test_digits_are_split_once_and_made_longer_without_change():
    pytest.importorskip("sklearn")
    parts = {split: digits.load(split) for split in ("train", "validation", "test")}
    assert [len(parts[split][1]) for split in parts] == [1197, 300, 300]
    rows = {split: {row.tobytes() for row in pixels} for split, (pixels, _) in parts.items()}
    assert not rows["train"] & rows["test"] and not rows["validation"] & rows["test"]
    assert len(set(parts["test"][1])) == 10
    small, large = parts["test"][0], digits.load("test", scale=3)[0]
    assert large.shape == (300, 576, 1) and small.max() == 1
    square = large[4].reshape(24, 24)
    for dy in range(3):
        np.testing.assert_array_equal(square[dy::3, 1::3], small[4].reshape(8, 8))
    with pytest.raises(ValueError, match="split must be one of 'test', .* got 'tset'"):
        digits.load("tset")
