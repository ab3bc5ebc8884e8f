"""Half precision: what it cannot hold, a square or a count, is computed in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from gru_zoo import GRU
from gru_zoo.layers.encoders import Stack
from gru_zoo.layers.gru import GRUCell
from gru_zoo.layers.pooling import MaskedPooling

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("kernel", ["loop", "unrolled", "fused"])
def test_layer_normalization_of_large_numbers(kernel):
    x = (300 * RANDOM.normal(size=(2, 6, 16))).astype("float32")
    keras.utils.set_random_seed(3)
    wide = GRU(8, layer_norm=True, kernel="loop")
    wanted = wide(x)
    half = GRU(8, layer_norm=True, kernel=kernel, dtype="mixed_float16")
    half.build(x.shape)
    half.set_weights(wide.get_weights())
    np.testing.assert_allclose(half(x), wanted, atol=5e-3)


def test_the_same_in_a_cell_alone():
    x = (300 * RANDOM.normal(size=(2, 6, 16))).astype("float32")
    keras.utils.set_random_seed(3)
    wide, half = (
        keras.layers.RNN(GRUCell(8, layer_norm=True, dtype=dtype))
        for dtype in ("float32", "mixed_float16")
    )
    wanted = wide(x)
    half.build(x.shape)
    half.set_weights(wide.get_weights())
    np.testing.assert_allclose(half(x), wanted, atol=5e-3)


@pytest.mark.parametrize(("dtype", "steps"), [("float16", 70_000), ("bfloat16", 5_000)])
def test_the_mean_over_many_steps(dtype, steps):
    x = ops.full((1, steps, 2), 0.7, dtype)
    mask = np.ones((1, steps), bool)
    given = MaskedPooling(dtype=dtype)(x, mask=mask)
    assert keras.backend.standardize_dtype(given.dtype) == dtype
    mean = ops.convert_to_numpy(ops.cast(given, "float32"))[0, 4:]
    np.testing.assert_allclose(mean, 0.7, rtol=4e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_the_maximum_of_the_lowest_numbers(dtype):
    lowest = float(tf.as_dtype(dtype).min)
    x, mask = ops.full((1, 3, 2), lowest, dtype), np.array([[True, False, False]])
    largest = MaskedPooling(dtype=dtype)(x, mask=mask)[:, 2:4]
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(largest, "float64")), lowest)


def test_what_is_not_a_number_on_a_masked_step_is_not_pooled():
    x = RANDOM.normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True, True, False, True, False], [False, True, True, False, False]])
    wanted = MaskedPooling()(x, mask=mask)
    x[~mask] = np.nan
    np.testing.assert_array_equal(MaskedPooling()(x, mask=mask), wanted)


def test_layers_in_between_have_the_stacks_dtype():
    stack = Stack([GRU(3, return_sequences=True), GRU(4)], dropout=0.1, dtype="float64")
    assert [dropout.compute_dtype for dropout in stack.dropouts] == ["float64"]
