"""AttentionGRU against NumPy in float64, and its gradient against finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.layers import attention_gru
from gru_zoo.layers.attention_gru import AttentionGRU
from gru_zoo.layers.attention_passes import attention_sequence
from gru_zoo.layers.kernels import forced
from tests.reference import BATCH, FEATURES, MASKS, TIME, UNITS, sigmoid


def random_case(seed=0):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return 0.6 * rng.standard_normal(shape) + 0.1

    gate = rng.random((BATCH, TIME))
    gate[0, 1], gate[1, 2] = 0.0, 1.0  # nothing of a step, and all of it
    return {
        "inputs": draw(BATCH, TIME, FEATURES),
        "gate": gate,
        "state": draw(BATCH, UNITS),
        "kernel": draw(FEATURES, 2 * UNITS),
        "recurrent": draw(UNITS, 2 * UNITS),
        "bias": draw(2, 2 * UNITS),
    }


def reference(inputs, gate, state, kernel, recurrent, bias, mask=None):
    """Xiong et al. 2016, equations 11 (with the reset gate after the product) and 12."""
    (wr, wc), (ur, uc) = np.split(kernel, 2, axis=1), np.split(recurrent, 2, axis=1)
    (br, bc), (br_, bc_) = (np.split(half, 2) for half in bias)
    for t in range(inputs.shape[1]):
        x, g = inputs[:, t], gate[:, t, None]
        if mask is not None:
            g = np.where(mask[:, t, None], g, 0.0)
        r = sigmoid(x @ wr + br + state @ ur + br_)
        candidate = np.tanh(x @ wc + bc + r * (state @ uc + bc_))
        state = g * candidate + (1.0 - g) * state
    return state


def made(case, dtype="float32"):
    layer = AttentionGRU(UNITS, dtype=dtype)
    layer.build((BATCH, TIME, FEATURES), (BATCH, TIME), (BATCH, UNITS))
    layer.set_weights([case["kernel"], case["recurrent"], case["bias"]])
    return layer


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("kernel", ["compiled", "loop"])
def test_last_state(kernel, mask):
    case = random_case()
    layer = made(case)
    x, gate, state = (case[name].astype("float32") for name in ("inputs", "gate", "state"))
    if kernel == "loop":
        with forced("loop"):
            given = layer(x, gate, initial_state=state, mask=mask)
    else:
        given = layer(x, gate, initial_state=state, mask=mask)
    expected = reference(**case, mask=mask)
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)


def test_it_begins_with_zeros():
    case = {**random_case(), "state": np.zeros((BATCH, UNITS))}
    given = made(case, "float64")(case["inputs"], case["gate"])
    np.testing.assert_allclose(given, reference(**case), rtol=1e-12)


@pytest.mark.parametrize("name", random_case().keys())
def test_gradient_by_finite_differences(name):
    case = random_case(1)
    weights = np.random.default_rng(2).standard_normal((BATCH, UNITS))
    tensors = {key: tf.constant(value) for key, value in case.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = tf.reduce_sum(attention_sequence(*tensors.values()) * weights)
    gradient = tape.gradient(loss, tensors)[name].numpy()
    for place in np.ndindex(case[name].shape):
        sides = []
        for step in (1e-5, -1e-5):
            moved = case[name].copy()
            moved[place] += step
            sides.append((reference(**{**case, name: moved}) * weights).sum())
        assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-6), place


# The slow one with the optimizations of XLA that users have (`tests/plugins/quick_xla.py`).
@pytest.mark.parametrize("seed", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_both_kernels_have_the_same_gradient(seed):
    case = random_case(seed)
    layer = made(case)
    inputs = [tf.constant(case[name], tf.float32) for name in ("inputs", "gate", "state")]

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            last = layer(inputs[0], inputs[1], initial_state=inputs[2])
            loss = tf.reduce_sum(last * np.arange(last.shape.num_elements()).reshape(last.shape))
        return tape.gradient(loss, [*inputs, *(weight.value for weight in layer.weights)])

    compiled = gradients()
    with forced("loop"):
        looped = gradients()
    for one, other in zip(compiled, looped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_training_runs_the_compiled_program(monkeypatch):
    """A fast path is proved to have run, and to be left alone where it is not wanted."""
    calls = []
    passes = attention_sequence
    monkeypatch.setattr(
        "gru_zoo.layers.attention_passes.attention_sequence",
        lambda *arguments: calls.append("compiled") or passes(*arguments),
    )
    case = random_case()
    layer = made(case)
    layer(case["inputs"].astype("float32"), case["gate"].astype("float32"))
    assert calls == ["compiled"]
    with forced("loop"):
        layer(case["inputs"].astype("float32"), case["gate"].astype("float32"))
    assert calls == ["compiled"]


def test_lengths_share_programs():
    """9 to 16 steps are one program; what is beyond the true length counts for nothing."""
    case = random_case(4)
    rng = np.random.default_rng(5)
    for time in (3, 9, 13, 16):
        longer = {
            **case,
            "inputs": rng.standard_normal((BATCH, time, FEATURES)),
            "gate": rng.random((BATCH, time)),
        }
        given = attention_sequence(*map(tf.constant, longer.values()))
        np.testing.assert_allclose(given, reference(**longer), rtol=1e-10)


def test_gradients_from_inside_a_branch():
    keras.utils.set_random_seed(3)
    layer, random = AttentionGRU(7), np.random.default_rng(5)
    x = tf.constant(random.normal(size=(3, 5, 4)), tf.float32)
    gate = tf.constant(random.uniform(size=(3, 5)), tf.float32)
    layer(x, gate)

    def gradient(run):
        with tf.GradientTape() as tape:
            tape.watch([x, gate])
            loss = run()
        return tape.gradient(loss, [x, gate, *(weight.value for weight in layer.weights)])

    def plain():
        return tf.reduce_sum(layer(x, gate) ** 2)

    wanted = gradient(plain)
    branch = tf.function(gradient)(lambda: tf.cond(x[0, 0, 0] < 9.0, plain, lambda: 0.0))
    for ours, theirs in zip(branch, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("functional", [False, True])
def test_the_mask_of_an_embedding_is_found(functional):
    keras.utils.set_random_seed(3)
    words, layer = keras.layers.Embedding(9, 4, mask_zero=True), AttentionGRU(5)
    gate = np.random.default_rng(5).uniform(size=(2, 6)).astype("float32")
    ids = np.array([[3, 5, 0, 2, 0, 0], [1, 2, 3, 0, 4, 0]])
    call = lambda ids, gate: layer(words(ids), gate)  # noqa: E731
    if functional:
        inputs = [keras.Input((None,), dtype="int32"), keras.Input((None,))]
        model = keras.Model(inputs, call(*inputs))
        call = lambda *arrays: model(list(arrays))  # noqa: E731
    found = call(ids, gate)
    for row in range(2):
        real = ids[row] != 0
        alone = layer(words.embeddings.numpy()[ids[row, real]][None], gate[row, real][None])
        np.testing.assert_allclose(found[row], alone[0], atol=1e-6)


def test_saved_and_loaded(tmp_path):
    case = random_case()
    inputs = keras.Input((None, FEATURES)), keras.Input((None,))
    model = keras.Model(inputs, AttentionGRU(UNITS, name="memory")(*inputs))
    model.get_layer("memory").set_weights([case["kernel"], case["recurrent"], case["bias"]])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    given = [case["inputs"].astype("float32"), case["gate"].astype("float32")]
    np.testing.assert_array_equal(loaded(given), model(given))


def test_bad_units():
    with pytest.raises(ValueError, match="units must be an integer of at least 1; got 0"):
        attention_gru.AttentionGRU(0)


@pytest.mark.slow
@pytest.mark.parametrize("graph", [False, True])
def test_second_gradients_equal_the_loop_s(graph):
    case = random_case(3)
    layer = made(case, "float64")
    arguments = [tf.constant(case[name]) for name in ("inputs", "gate", "state")]
    watched = [*arguments, *(weight.value for weight in layer.weights)]

    def second():
        with tf.GradientTape() as outer:
            outer.watch(watched)
            with tf.GradientTape() as inner:
                inner.watch(watched)
                x, gate, state = arguments
                total = tf.reduce_sum(layer(x, gate, initial_state=state) ** 2)
            first = inner.gradient(total, watched)
            penalty = tf.add_n([tf.reduce_sum(gradient**2) for gradient in first])
        return outer.gradient(penalty, watched)

    found = (tf.function(second, autograph=False) if graph else second)()
    with forced("loop"):
        expected = second()
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


X = np.ones((BATCH, TIME, FEATURES), "float32")
GATE = np.ones((BATCH, TIME), "float32")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": X.astype("int32")}, r"inputs must be of a float type .*; got int32\."),
        ({"gate": GATE.astype("int32")}, r"gate must be of a float type .*; got int32\."),
        ({"gate": GATE[:, 1:]}, r"gate must have shape \(batch 3, time 5\); got \(3, 4\)\."),
        ({"mask": GATE[1:] > 0}, r"mask must have shape \(batch 3, time 5\); got \(2, 5\)\."),
        (
            {"initial_state": np.ones((BATCH, UNITS + 1))},
            r"initial_state must have shape \(batch 3, units 7\); got \(3, 8\)\.",
        ),
    ],
)
def test_bad_calls(arguments, message):
    arguments = {
        name: tf.constant(a) for name, a in {"inputs": X, "gate": GATE, **arguments}.items()
    }
    with pytest.raises(ValueError, match=message):
        AttentionGRU(UNITS)(arguments.pop("inputs"), arguments.pop("gate"), **arguments)
