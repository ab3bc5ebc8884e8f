"""Gradients through `tf.function` and TensorFlow's branches: what one tape gives, every way."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import GRU, StackedGRU
from gru_zoo.layers import kernels
from gru_zoo.layers.attention_gru import AttentionGRU

F, U = 3, 5


def inputs(batch=4, time=6):
    return tf.constant(np.random.default_rng(0).normal(size=(batch, time, F)), tf.float32)


def layer(**options):
    keras.utils.set_random_seed(1)
    made = GRU(U, return_sequences=True, bias_initializer="random_normal", **options)
    made.build((None, None, F))
    return made


def attention():
    keras.utils.set_random_seed(1)
    made = AttentionGRU(U)
    gate = tf.constant(np.random.default_rng(3).random((4, 6)), tf.float32)
    made(inputs(), gate)
    return lambda x: made(x, gate)


def stacked():
    keras.utils.set_random_seed(1)
    made = StackedGRU(U, num_layers=2, bidirectional=True)
    return lambda x: made(x)[0]


MASK = tf.constant(np.random.default_rng(2).random((4, 6)) < 0.7)
KINDS = {
    "plain": layer,
    "masked": lambda: functools.partial(layer(), mask=MASK),
    "normalized": lambda: layer(layer_norm=True),
    "stacked": stacked,
    "attention": attention,
}


def one_tape(call, x):
    """Return the gradient of the sum of squares, of one tape and no function of one's own."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(call(x) ** 2)
    return tape.gradient(loss, x)


def plain_and(*kinds):
    """Return parameters of which only the first is no slow test: they differ little."""
    return ["plain", *(pytest.param(kind, marks=pytest.mark.slow) for kind in kinds)]


@pytest.fixture(params=plain_and(*list(KINDS)[1:]))
def call(request):
    return KINDS[request.param]()


@pytest.mark.slow
def test_a_tape_that_is_asked_twice_around_a_function(call):
    x, function = inputs(), tf.function(call)
    wanted = one_tape(call, x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
        loss, half = tf.reduce_sum(y**2), tf.reduce_sum(y**2) / 2
    np.testing.assert_allclose(tape.gradient(loss, x), wanted, atol=1e-5)
    np.testing.assert_allclose(tape.gradient(half, x), wanted / 2, atol=1e-5)


def test_two_tapes_around_a_function_and_in_another(call):
    """As two networks are trained against each other."""
    x, function = inputs(), tf.function(call)

    def both(x):
        with tf.GradientTape() as one, tf.GradientTape() as other:
            one.watch(x)
            other.watch(x)
            loss = tf.reduce_sum(function(x) ** 2)
        return one.gradient(loss, x), other.gradient(loss, x)

    wanted = one_tape(call, x)
    for found in (*both(x), *tf.function(both)(x)):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_weights_get_their_gradients_from_both_tapes():
    made, x = layer(), inputs()
    values = [weight.value for weight in made.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made(x) ** 2)
    wanted = tape.gradient(loss, values)
    function = tf.function(made)
    with tf.GradientTape() as one, tf.GradientTape() as other:
        loss = tf.reduce_sum(function(x) ** 2)
    for tape in (one, other):
        for found, expected in zip(tape.gradient(loss, values), wanted, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_branch_within_a_branch(call):
    x, yes = inputs(), tf.constant(True)

    def branched(x):
        def inner():
            return tf.cond(yes, lambda: call(x), lambda: 0 * call(x))

        return tf.cond(yes, inner, lambda: 0 * call(x))

    found = tf.function(lambda x: one_tape(branched, x))(x)
    np.testing.assert_allclose(found, one_tape(call, x), atol=1e-5)


def test_a_branch_within_a_loop():
    made, x = layer(), inputs()

    def looped(x):
        states = tf.zeros((4, U))
        for i in tf.range(3):
            if i > 0:
                states = made(x, initial_state=states)[:, -1]
        return states

    def twice(x):
        return made(x, initial_state=made(x)[:, -1])[:, -1]

    function = tf.autograph.to_graph(looped)
    found = tf.function(lambda x: one_tape(function, x))(x)
    np.testing.assert_allclose(found, one_tape(twice, x), atol=1e-5)


def penalty_of(call):
    """Return x -> the gradient of the squared gradient, whose inner tape is around `call`."""

    def penalty(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            square = tf.reduce_sum(one_tape(call, x) ** 2)
        return outer.gradient(square, x)

    return penalty


# A mask is one more thing that a gradient reads.
@pytest.fixture(params=plain_and("masked", "attention"))
def kind(request):
    return request.param


@pytest.fixture
def fast(kind):
    return KINDS[kind]()


def in_a_branch(call):
    yes = tf.constant(True)
    return lambda x: tf.cond(yes, lambda: call(x), lambda: 0 * call(x))


@pytest.fixture
def by_the_loop(kind):
    """The same, with the kernel that everything is compared with."""
    made = KINDS[kind]()

    def run(x):
        with kernels.forced("loop"):
            return made(x)

    return run


def test_second_derivatives_outside_of_xla_and_then_inside(fast):
    x, penalty = inputs(), penalty_of(fast)
    outside = tf.function(penalty)(x)
    inside = tf.function(penalty, jit_compile=True)(x)
    np.testing.assert_allclose(outside, inside, rtol=1e-3, atol=1e-4)


def test_second_derivatives_around_a_function(fast, by_the_loop):
    """As a critic that is a `tf.function` gets its gradient penalty."""
    x = inputs()
    wanted = tf.function(penalty_of(by_the_loop))(x)
    penalty = penalty_of(tf.function(fast))
    for found in (penalty(x), tf.function(penalty)(x)):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_second_derivatives_around_and_in_a_branch(fast, by_the_loop):
    x = inputs()
    wanted = tf.function(penalty_of(by_the_loop))(x)
    for penalty in (penalty_of(in_a_branch(fast)), in_a_branch(penalty_of(fast))):
        np.testing.assert_allclose(tf.function(penalty)(x), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_second_derivatives_of_any_batch():
    """Whose parts have sizes that only a graph knows."""
    made, x = layer(), inputs(40)
    any_batch = tf.function(made, input_signature=[tf.TensorSpec([None, None, F])])
    with kernels.forced("loop"):
        wanted = penalty_of(made)(x)
    np.testing.assert_allclose(penalty_of(any_batch)(x), wanted, rtol=1e-3, atol=1e-4)


def tangent_of(call):
    def tangent(x):
        with tf.autodiff.ForwardAccumulator(x, tf.cos(x)) as accumulator:
            y = call(x)
        return accumulator.jvp(y)

    return tangent


def test_forward_mode_in_and_around_a_function(fast, by_the_loop):
    x = inputs()
    wanted = tangent_of(by_the_loop)(x)
    assert np.abs(wanted).max() > 0.1
    ways = (
        tangent_of(fast),
        tangent_of(tf.function(fast)),
        tf.function(tangent_of(fast)),
        tf.function(tangent_of(fast), jit_compile=True),
        tf.function(tangent_of(in_a_branch(fast))),
    )
    for way in ways:
        np.testing.assert_allclose(way(x), wanted, atol=1e-5)


@pytest.mark.slow
def test_forward_mode_of_a_gradient(fast, by_the_loop):
    """A Hessian times a vector, the cheap way."""
    x = inputs()
    wanted = tangent_of(lambda x: one_tape(by_the_loop, x))(x)
    found = tf.function(tangent_of(lambda x: one_tape(fast, x)))(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
