"""Derivatives of the fused kernel beyond the first, and forwards, against finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.test_fused import MASKS, _arguments, _run


@pytest.mark.parametrize("graph", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("reset_after", [True, False])
def test_second_gradients_equal_finite_differences(reset_after, graph):
    tensors = [tf.constant(a) for a in _arguments(10, reset_after=reset_after)]

    def penalty(*tensors):
        with tf.GradientTape() as inner:
            inner.watch(tensors)
            total = tf.reduce_sum(_run(tensors, MASKS["any"], reset_after, "keep")[0] ** 2)
        return sum(tf.reduce_sum(g**2) for g in inner.gradient(total, tensors))

    def gradient(*tensors):
        with tf.GradientTape() as outer:
            outer.watch(tensors)
            total = penalty(*tensors)
        return outer.gradient(total, tensors)

    gradients = (tf.function(gradient, autograph=False) if graph else gradient)(*tensors)
    for i, found in enumerate(gradients):
        direction = np.random.default_rng(i).normal(size=found.shape)
        ends = [
            penalty(*[t + e * direction if j == i else t for j, t in enumerate(tensors)]).numpy()
            for e in (1e-5, -1e-5)
        ]
        expected = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(tf.reduce_sum(found * direction), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("reset_after", [False, True])
def test_forward_mode_equals_finite_differences(reset_after):
    tensors = [tf.constant(a) for a in _arguments(11, reset_after=reset_after)]
    random = np.random.default_rng(4)
    directions = [tf.constant(random.normal(size=t.shape)) for t in tensors]

    def total_and_gradient(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(_run(tensors, MASKS["any"], reset_after, "keep")[0] ** 2)
        return total, tape.gradient(total, tensors[0])

    with tf.autodiff.ForwardAccumulator(tensors, directions) as forwards:
        results = total_and_gradient(*tensors)
    found = [forwards.jvp(result) for result in results]  # the second is a product with a Hessian
    ends = [
        total_and_gradient(*[t + e * d for t, d in zip(tensors, directions, strict=True)])
        for e in (1e-5, -1e-5)
    ]
    for i in (0, 1):
        np.testing.assert_allclose(found[i], (ends[0][i] - ends[1][i]) / 2e-5, rtol=1e-5, atol=1e-5)
