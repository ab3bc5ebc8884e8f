import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.training.batching import (
    BucketedBatches,
    fitting_length,
    predict_by_length,
    quarter_lengths,
)


def padded(row_lengths, time):
    ids = np.zeros((len(row_lengths), time), np.int32)
    for row, length in enumerate(row_lengths):
        ids[row, :length] = row + 1
    return ids


def batches(seed=0, rows=103):
    lengths = np.random.default_rng(1).integers(1, 13, rows)
    ids = padded(lengths, 12)
    return BucketedBatches(ids, np.arange(rows), 4, [3, 6, 12], seed)


def test_an_epoch_has_each_row_at_most_once_and_whole():
    data = batches()
    seen = []
    for ids, targets in data.epoch(0):
        assert ids.shape[0] == 4 and ids.shape[1] in (3, 6, 12)
        seen += targets.tolist()
        for row, target in zip(ids, targets, strict=True):
            assert np.count_nonzero(row) == data.row_lengths[target]
    assert len(seen) == len(set(seen)) == 100 == 4 * len(data)


def test_the_order_depends_on_seed_and_epoch_only():
    def order(seed, epoch):
        return [targets.tolist() for _, targets in batches(seed).epoch(epoch)]

    assert order(0, 2) == order(0, 2)
    assert order(0, 2) != order(0, 3)
    assert order(0, 2) != order(1, 2)


def test_the_dataset_of_later_epochs_is_the_tail_of_the_whole():
    data = batches()
    whole = [targets.numpy().tolist() for _, targets in data.dataset(0, 3)]
    tail = [targets.numpy().tolist() for _, targets in data.dataset(2, 3)]
    assert tail == whole[2 * len(data) :]


def test_rows_of_a_batch_are_of_similar_length():
    spread = [np.ptp(np.count_nonzero(ids, axis=1)) for ids, _ in batches().epoch(0)]
    assert np.mean(spread) < 2


def test_bad_input():
    with pytest.raises(ValueError, match="ids must have at least 9 rows; got 5"):
        BucketedBatches(padded([1] * 5, 4), np.zeros(5), 9, [4], 0)
    with pytest.raises(ValueError, match=r"lengths must ascend to 4; got \[4, 2\]"):
        BucketedBatches(padded([1] * 5, 4), np.zeros(5), 2, [4, 2], 0)
    with pytest.raises(ValueError, match="batch_size"):
        BucketedBatches(padded([1] * 5, 4), np.zeros(5), 0, [4], 0)


def test_fitting_lengths():
    assert [fitting_length(n, [3, 6]) for n in (0, 3, 4, 6)] == [3, 3, 6, 6]
    assert quarter_lengths(400) == [100, 200, 300, 400]
    assert quarter_lengths(2) == [1, 2]


def test_predictions_come_back_in_order_from_batches_of_the_longest_row():
    traced, widths = [], []

    def model(ids, training):
        traced.append(ids.shape.as_list())
        tf.py_function(lambda batch: widths.append(batch.shape[1]), [ids], [])
        assert not training
        return tf.reduce_sum(ids, axis=1, keepdims=True)

    ids = padded([5, 12, 1, 0, 7, 6, 2], 12)  # Their order is not its own inverse.
    found = predict_by_length(model, ids, batch_size=2)
    assert found.tolist() == [[row.sum()] for row in ids]
    assert traced == [[2, None]]
    assert sorted(widths) == [1, 5, 7, 12]


def test_nothing_to_predict():
    with pytest.raises(ValueError, match=r"ids must have at least one row; got shape \(0, 4\)"):
        predict_by_length(None, np.zeros((0, 4), np.int32))


def test_batches_come_in_a_mixed_order():
    widths = [ids.shape[1] for ids, _ in batches().epoch(0)]
    assert widths != sorted(widths)
