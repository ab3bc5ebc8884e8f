"""The fused kernel against a float64 loop, finite differences, and the places it has to run in."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import GRU
from gru_zoo.layers.fused import gru_sequence
from tests.layers.test_gru_reference import compiling

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 7
CONVENTIONS = list(itertools.product([True, False], ["keep", "write"]))
COMPILED = CONVENTIONS[0], CONVENTIONS[3]  # enough to judge XLA's work
MASKS = {
    "none": None,
    "right": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool),
    "any": np.array([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 0, 0, 1]], bool),
}


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _loop(arguments, mask, reset_after, update_gate, go_backwards=False, dropout=None, zoneout=0.0):
    """The equations one step at a time, in float64; any argument may have an axis more in front."""
    x, h, kernel, recurrent, biases = (
        None if a is None else np.asarray(a, np.float64) for a in arguments
    )
    units, outputs = h.shape[-1], []
    if biases is None or not reset_after:
        bias, recurrent_bias = 0.0 if biases is None else biases[..., None, :], np.zeros(3 * units)
    else:
        bias, recurrent_bias = biases[..., :1, :], biases[..., 1:, :]
    fz, fr, fc = (1.0, 1.0, 1.0) if dropout is None else dropout
    zoneout = np.broadcast_to(zoneout, (*x.shape[-3:-1], units))
    uz, ur, uc = np.split(recurrent, 3, axis=-1)
    steps = range(x.shape[-2])
    for t in reversed(steps) if go_backwards else steps:
        az, ar, ac = np.split(x[..., t, :] @ kernel + bias, 3, axis=-1)
        bz, br, bc = np.split(recurrent_bias, 3, axis=-1)
        z = _sigmoid(az + (h * fz) @ uz + bz)
        r = _sigmoid(ar + (h * fr) @ ur + br)
        inner = r * ((h * fc) @ uc + bc) if reset_after else (r * h * fc) @ uc
        c = np.tanh(ac + inner)
        new = z * h + (1 - z) * c if update_gate == "keep" else (1 - z) * h + z * c
        new = zoneout[:, t] * h + (1 - zoneout[:, t]) * new
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        outputs.append(h)
    return np.stack(outputs, -2), h


def _arguments(seed, dtype=np.float64, reset_after=True, time=TIME, batch=BATCH):
    rng = np.random.default_rng(seed)
    shapes = [
        (batch, time, FEATURES),
        (batch, UNITS),
        (FEATURES, 3 * UNITS),
        (UNITS, 3 * UNITS),
        (3 * UNITS,),
        (3 * UNITS,),
    ]
    *made, bias, recurrent_bias = [rng.normal(0.1, 0.6, shape).astype(dtype) for shape in shapes]
    return [*made, np.stack([bias, recurrent_bias]) if reset_after else bias]


def _run(arguments, mask, reset_after, update_gate, **options):
    x, h, *weights = arguments
    options |= {"reset_after": reset_after, "update_gate": update_gate}
    return gru_sequence(x, h, mask, *weights, **options)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_outputs_equal_the_loop(reset_after, update_gate, mask, backwards):
    arguments = _arguments(1, np.float32, reset_after)
    expected = _loop(arguments, MASKS[mask], reset_after, update_gate, backwards)
    with compiling((reset_after, update_gate) in COMPILED):
        got = _run(arguments, MASKS[mask], reset_after, update_gate, go_backwards=backwards)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == tf.float32
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def _loss_weights(outputs_shape):
    rng = np.random.default_rng(7)
    return rng.normal(size=outputs_shape), rng.normal(size=outputs_shape[::2])


def _finite_difference(function, array, epsilon=1e-6):
    """Move each number of `array` for itself, all at once; `function` gives a number for each."""
    moves = epsilon * np.eye(array.size).reshape(-1, *array.shape)
    return (function(array + moves) - function(array - moves)).reshape(array.shape) / (2 * epsilon)


def _dropout_factors(rng):
    return [2.0 * (rng.random((BATCH, UNITS)) < 0.5) for _ in range(3)]


def _zoneout_draws(rng):
    return (rng.random((BATCH, TIME, UNITS)) < 0.3).astype(float)


REGULARIZED = {
    "none": lambda rng: {},
    "dropout": lambda rng: {"recurrent_dropout": _dropout_factors(rng)},
    "zoneout rate": lambda rng: {"zoneout": 0.2},
    "both": lambda rng: {
        "recurrent_dropout": _dropout_factors(rng),
        "zoneout": _zoneout_draws(rng),
    },
}


def _judge(arguments, mask, reset_after, update_gate, options):
    names = {"recurrent_dropout": "dropout", "zoneout": "zoneout", "go_backwards": "go_backwards"}
    options = {names[key]: value for key, value in options.items() if key in names}
    return _loop(arguments, mask, reset_after, update_gate, **options)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("regularized", REGULARIZED)
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_dropout_and_zoneout_equal_the_loop(reset_after, update_gate, regularized, backwards):
    options = REGULARIZED[regularized](np.random.default_rng(11)) | {"go_backwards": backwards}
    arguments, mask = _arguments(8, reset_after=reset_after), MASKS["any"]
    expected = _judge(arguments, mask, reset_after, update_gate, options)
    with compiling((reset_after, update_gate) in COMPILED):
        got = _run(arguments, mask, reset_after, update_gate, **options)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("save", [True, False])
@pytest.mark.parametrize(
    ("mask", "regularized"),
    [*itertools.product(MASKS, ["none"]), ("any", "both"), ("none", "both")],
)
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_gradients_equal_finite_differences(reset_after, update_gate, mask, regularized, save):
    arguments, mask = _arguments(2, reset_after=reset_after), MASKS[mask]
    by_step, by_last = _loss_weights((BATCH, TIME, UNITS))
    options = REGULARIZED[regularized](np.random.default_rng(12)) | {"save_gates": save}

    def loss(place, moved):
        given = [*arguments[:place], moved, *arguments[place + 1 :]]
        outputs, last = _judge(given, mask, reset_after, update_gate, options)
        return (outputs * by_step).sum((-3, -2, -1)) + (last * by_last).sum((-2, -1))

    tensors = [tf.constant(a) for a in arguments]
    # Each of the two conventions, and each way of keeping gates, is compiled once.
    with compiling((reset_after, update_gate) == COMPILED[0 if save else 1]):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, last = _run(tensors, mask, reset_after, update_gate, **options)
            total = tf.reduce_sum(outputs * by_step) + tf.reduce_sum(last * by_last)
        gradients = tape.gradient(total, tensors)
    for place, gradient in enumerate(gradients):
        expected = _finite_difference(functools.partial(loss, place), arguments[place])
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


def test_nothing_on_a_masked_step_comes_through():
    mask, clean = MASKS["any"], _arguments(9, np.float32)
    spoilt = [clean[0].copy(), *clean[1:]]
    clean[0][~mask], spoilt[0][~mask] = 0.0, np.nan
    gradients = []
    for arguments in (clean, spoilt):
        tensors = [tf.constant(a) for a in arguments]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, _ = _run(tensors, mask, True, "keep")
        gradients.append([outputs, *tape.gradient(outputs, tensors)])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kernel", ["loop", "unrolled", "fused"])
def test_not_through_a_layer_either_whichever_kernel_it_runs(kernel):
    mask, (x, *_) = MASKS["any"], _arguments(9, np.float32)
    clean, spoilt = x.copy(), x.copy()
    clean[~mask], spoilt[~mask] = 0.0, np.nan
    layer, results = GRU(7, kernel=kernel), []
    layer.build(x.shape)
    for inputs in (clean, spoilt):
        with tf.GradientTape() as tape:
            outputs = layer(inputs, mask=mask)
        weights = [weight.value for weight in layer.weights]
        results.append([outputs, *tape.gradient(outputs, weights)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("reset_after", [True, False])
def test_an_absent_bias_is_zero(reset_after):
    arguments = [*_arguments(3, np.float32)[:-1], None]
    expected, _ = _loop(arguments, None, reset_after, "keep")
    np.testing.assert_allclose(_run(arguments, None, reset_after, "keep")[0], expected, 1e-5, 1e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_bias_of_the_other_convention_is_refused(reset_after):
    with pytest.raises(ValueError, match=rf"bias must be .* with reset_after={reset_after}; got"):
        _run(_arguments(3, np.float32, not reset_after), None, reset_after, "keep")


def test_half_precision_computes_in_float32():
    arguments = _arguments(4, np.float16)
    expected, _ = _loop(arguments, None, True, "keep")
    outputs, last = _run(arguments, None, True, "keep")
    assert outputs.dtype == last.dtype == tf.float16
    np.testing.assert_allclose(outputs, expected, atol=1e-3)


def test_no_rows_in_a_graph_give_no_rows():
    arguments = _arguments(5, np.float32, batch=0)
    outputs, last = tf.function(lambda: _run(arguments, None, True, "keep"), autograph=False)()
    assert outputs.shape == (0, TIME, UNITS) and last.shape == (0, UNITS)


def test_a_state_of_a_width_not_known_while_tracing():
    x, h, *weights = _arguments(6, np.float32)
    signature = [tf.TensorSpec([None, None])]
    run = tf.function(
        lambda h: _run([x, h, *weights], None, True, "keep")[1], signature, autograph=False
    )
    expected = _loop([x, h, *weights], None, True, "keep")[1]
    np.testing.assert_allclose(run(h), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
        run(h[:, 1:])


def test_features_that_are_not_known_while_tracing():
    arguments = _arguments(3, np.float32)
    x, *others = map(tf.constant, arguments)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, None])])
    def run(x):
        return _run([x, *others], None, True, "keep", save_gates=False)

    for found, wanted in zip(run(x), _loop(arguments, None, True, "keep"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_changing_lengths_share_few_programs(monkeypatch):
    from gru_zoo.layers import fused

    traced, forward = [], fused.forward

    def counted(*given, **options):
        traced.append(options)
        return forward(*given, **options)

    monkeypatch.setattr(fused, "forward", counted)
    monkeypatch.setattr(fused, "_islands", functools.cache(fused._islands.__wrapped__))
    weights = [tf.constant(w) for w in _arguments(5, np.float32)[2:]]
    for time in range(97, 113, 5):
        x, h, *_ = _arguments(6, np.float32, time=time, batch=2)
        outputs, last = _run([x, h, *weights], None, True, "keep")
        expected, _ = _loop([x, h, *weights], None, True, "keep")
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(outputs[:, -1], last)
    assert len(traced) == 1


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("mask", ["none", "any"])
def test_dynamic_batch_and_time_in_a_graph(jit_compile, mask):
    _, _, *weights = _arguments(5, np.float32)
    weights = [tf.constant(w) for w in weights]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def outputs_and_gradient(x, h, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, last = _run([x, h, *weights], mask, True, "keep")
            total = tf.reduce_sum(outputs**2) + tf.reduce_sum(last)
        return outputs, tape.gradient(total, x)

    spec = [tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None, UNITS])]
    spec.append(None if mask == "none" else tf.TensorSpec([None, None], tf.bool))
    concrete = outputs_and_gradient.get_concrete_function(*spec)
    for batch, time in [(3, 5), (2, 9), (1, 1)]:
        x, h, *_ = _arguments(6, np.float32, time=time, batch=batch)
        present = (
            None if mask == "none" else np.random.default_rng(time).random((batch, time)) < 0.6
        )
        given = [tf.constant(a) for a in (x, h, present) if a is not None]
        outputs, gradient = concrete(*given)
        expected, _ = _loop([x, h, *weights], present, True, "keep")
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)

        def loss(moved, h=h, present=present):
            outputs, last = _loop([moved, h, *weights], present, True, "keep")
            return (outputs**2).sum((-3, -2, -1)) + last.sum((-2, -1))

        wanted = _finite_difference(loss, x.astype(np.float64))
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", [2, 5])
@pytest.mark.parametrize("known", [True, False])
def test_a_divided_batch_changes_nothing(parts, known):
    rng = np.random.default_rng(14)
    options = {"recurrent_dropout": _dropout_factors(rng), "zoneout": _zoneout_draws(rng)}
    _same_in_parts(parts, known, MASKS["any"], options)


@pytest.mark.parametrize("known", [True, False])
def test_parts_of_a_batch_share_a_rate_of_zoneout(known):
    with compiling(False):
        _same_in_parts(2, known, None, {"zoneout": 0.2})


def _same_in_parts(parts, known, mask, options):
    tensors = [tf.constant(a) for a in _arguments(13)]

    def results(parts, *tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, last = _run(tensors, mask, True, "write", parts=parts, **options)
            total = tf.reduce_sum(outputs**2) + tf.reduce_sum(last)
        return outputs, last, *tape.gradient(total, tensors)

    rows = BATCH if known else None
    spec = [tf.TensorSpec([rows, *t.shape[1:]], t.dtype) for t in tensors[:2]]
    spec += [tf.TensorSpec(t.shape, t.dtype) for t in tensors[2:]]
    divided = tf.function(lambda *t: results(parts, *t), input_signature=spec, autograph=False)
    for a, b in zip(divided(*tensors), results(1, *tensors), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


class _Layer(keras.layers.Layer):
    def build(self, shape):
        self.weights_of = [
            self.add_weight(shape=s, initializer="glorot_uniform")
            for s in [(shape[-1], 3 * UNITS), (UNITS, 3 * UNITS)]
        ]

    def call(self, x):
        state = tf.zeros([tf.shape(x)[0], UNITS], x.dtype)
        kernel, recurrent = map(tf.convert_to_tensor, self.weights_of)
        options = {"reset_after": True, "update_gate": "keep"}
        return gru_sequence(x, state, None, kernel, recurrent, None, **options)[1]


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_trains_inside_fit(jit_compile):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([_Layer(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    x = np.random.default_rng(1).normal(size=(8, 6, FEATURES)).astype("float32")
    y = x[:, :2].sum((1, 2))[:, None]
    losses = model.fit(x, y, batch_size=4, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]


def test_an_eager_tape_watches_the_state_that_recurrent_dropout_is_made_of():
    x = tf.constant(_arguments(18, np.float32)[0])
    state = tf.Variable(tf.fill([BATCH, UNITS], 0.3))
    gradients = {}
    for kernel in ("fused", "loop"):
        layer = GRU(UNITS, recurrent_dropout=0.4, seed=5, kernel=kernel)
        layer.build(x.shape)
        rng = np.random.default_rng(19)
        layer.set_weights([rng.normal(0.1, 0.5, w.shape) for w in layer.get_weights()])
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, initial_state=state * 1.0, training=True) ** 2)
        gradients[kernel] = tape.gradient(total, [state, *layer.trainable_weights])
    for a, b in zip(gradients["fused"], gradients["loop"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
