"""The layer as part of a model: types, saving, wrappers, unknown sizes, quantizing, exporting."""

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU, GRUCell
from tests.reference import BATCH, FEATURES, TIME, UNITS

tf = pytest.importorskip("tensorflow")

X = np.random.default_rng(9).standard_normal((BATCH, TIME, FEATURES)).astype("float32")


TENSORFLOW = keras.backend.backend() == "tensorflow"
KERNELS = ["loop", *(["fused"] if TENSORFLOW else [])]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def as_float(tensor):
    return numpy(keras.ops.cast(tensor, "float32"))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_types(policy, kernel):
    if not TENSORFLOW and policy == "float16":
        pytest.skip("PyTorch and JAX draw no orthogonal matrices in float16 on a CPU")
    if keras.backend.backend() == "jax" and policy == "float64":
        pytest.skip("JAX computes in float32 unless told otherwise when it starts")
    ours = GRU(UNITS, dtype=policy, return_sequences=True, kernel=kernel)
    theirs = keras.layers.GRU(UNITS, dtype=policy, return_sequences=True)
    ours.build(X.shape)
    theirs.build(X.shape)
    theirs.set_weights(ours.get_weights())
    policy = keras.dtype_policies.get(policy)
    assert keras.backend.standardize_dtype(ours(X).dtype) == policy.compute_dtype
    assert {weight.dtype for weight in ours.weights} == {policy.variable_dtype}
    limit = {"float16": 1e-2, "bfloat16": 5e-2, "float64": 1e-6}[policy.compute_dtype]
    np.testing.assert_allclose(as_float(ours(X)), as_float(theirs(X)), atol=limit)


def test_mixed_precision_trains():
    model = keras.Sequential([GRU(UNITS, dtype="mixed_float16"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, np.ones((BATCH, 1)), verbose=0)
    before = model.get_weights()
    losses = model.fit(X, np.ones((BATCH, 1)), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    changed = [np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed)


OPTIONS = [
    {},
    {"update_gate": "write", "reset_after": False, "use_bias": False, "kernel": "loop"},
    {"zoneout": 0.1, "layer_norm": True, "dropout": 0.2, "recurrent_dropout": 0.3, "seed": 4},
    {"kernel_regularizer": "l2", "bias_constraint": "non_neg", "activity_regularizer": "l1"},
    {"return_state": True, "go_backwards": True, "zero_output_for_mask": True, "use_cudnn": False},
    {"activation": "relu", "recurrent_activation": "hard_sigmoid", "unroll": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options) or "defaults")
def test_saved_and_loaded(options, tmp_path):
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, GRU(UNITS, name="mine", **options)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")  # safe_mode is on
    layer = loaded.get_layer("mine")
    assert type(layer) is GRU
    assert layer.get_config() == model.get_layer("mine").get_config()
    config = layer.get_config()
    for name in options:
        if isinstance(options[name], (bool, int, float)) or name in ("update_gate", "kernel"):
            assert config[name] == options[name]
    with kernels.forced("unrolled"):
        given, wanted = (keras.tree.flatten(m(X)) for m in (loaded, model))
    for ours, theirs in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(numpy(ours), numpy(theirs))


def test_a_cell_saved_and_loaded():
    cell = GRUCell(UNITS, update_gate="write", zoneout=0.2, layer_norm=True)
    assert GRUCell.from_config(cell.get_config()).get_config() == cell.get_config()


def test_wrappers():
    inputs = keras.Input((None, TIME, FEATURES))
    inner = keras.layers.Bidirectional(GRU(UNITS, update_gate="write"), merge_mode="concat")
    model = keras.Model(inputs, keras.layers.TimeDistributed(inner)(inputs))
    outputs = model(np.stack([X, 2 * X], axis=1))
    assert outputs.shape == (BATCH, 2, 2 * UNITS)
    assert {layer.update_gate for layer in (inner.forward_layer, inner.backward_layer)} == {"write"}
    np.testing.assert_allclose(numpy(outputs[:, 1]), numpy(inner(2 * X)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", ["loop", "fused"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_unknown_batch_and_time(kernel, jit_compile):
    if not TENSORFLOW:
        pytest.skip("tf.function")
    layer = GRU(UNITS, kernel=kernel, return_sequences=True)
    layer.build(X.shape)
    signature = [tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)]
    run = tf.function(
        lambda x, mask: layer(x, mask=mask), input_signature=signature, jit_compile=jit_compile
    )
    for batch, time in ((BATCH, TIME), (1, 2)):
        mask = np.arange(time) < np.arange(1, batch + 1)[:, None]
        with kernels.forced("loop"):
            wanted = layer(X[:batch, :time], mask=mask)
        given = run(X[:batch, :time], mask)
        np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["loop", "fused"])
def test_gradients_from_inside_a_branch_and_a_loop(kernel):
    if not TENSORFLOW:
        pytest.skip("tf.cond and tf.while_loop")
    layer, x = GRU(FEATURES, kernel=kernel, return_sequences=True), tf.constant(X)
    layer.build(X.shape)

    def gradient(run):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(run() ** 2)
        return tape.gradient(loss, [x, *(weight.value for weight in layer.weights)])

    def twice():
        return layer(layer(x))

    def branch():
        return tf.cond(x[0, 0, 0] < 9.0, twice, lambda: x)

    def repeat():
        step = lambda i, y: (i + 1, layer(y))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 2, step, (0, x), maximum_iterations=2)[1]

    wanted = gradient(twice)
    for run in (branch, repeat):
        given = tf.function(gradient)(run)
        for ours, theirs in zip(given, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_training_with_jit_compile():
    if keras.backend.backend() == "torch":
        pytest.skip("Keras hands it to PyTorch's compiler, not to the layer")
    ends = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((TIME, FEATURES)), GRU(UNITS, kernel="loop")])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.fit(X, np.ones((BATCH, UNITS)), epochs=2, verbose=0)
        ends.append(model.get_weights())
    for plain, compiled in zip(*ends, strict=True):
        np.testing.assert_allclose(plain, compiled, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")
def test_a_quantized_model_keeps_its_gru_and_its_config(tmp_path):
    layers = [keras.Input((TIME, FEATURES)), GRU(UNITS, kernel="loop"), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    before = numpy(model(X))
    model.quantize("int8")
    after = numpy(model(X))
    np.testing.assert_allclose(after, before, atol=0.05)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(loaded(X)), after)


def test_compute_output_shape_and_mask():
    layer = GRU(UNITS, return_sequences=True, return_state=True)
    assert layer.compute_output_shape((None, None, FEATURES)) == (
        (None, None, UNITS),
        (None, UNITS),
    )
    inputs = keras.Input((None,), dtype="int32")
    masked = keras.layers.Embedding(9, FEATURES, mask_zero=True)(inputs)
    model = keras.Model(inputs, GRU(UNITS, kernel="loop")(masked))
    ids = np.array([[3, 4, 0, 0], [3, 4, 5, 6]])
    padded, alone = numpy(model(ids)), numpy(model(ids[:1, :2]))
    np.testing.assert_allclose(padded[0], alone[0], rtol=1e-5, atol=1e-6)


def test_functions_that_are_only_called_like_keras_are_run_as_they_are():
    def tanh(x):
        return 1.7159 * keras.ops.tanh(2 / 3 * x)

    def sigmoid(x):
        return keras.ops.hard_sigmoid(x)

    for own in ({"activation": tanh}, {"recurrent_activation": sigmoid}):
        ours, theirs = GRU(UNITS, **own), keras.layers.GRU(UNITS, **own)
        ours.build(X.shape)
        theirs.build(X.shape)
        theirs.set_weights(ours.get_weights())
        np.testing.assert_allclose(numpy(ours(X)), numpy(theirs(X)), rtol=1e-5, atol=1e-6)
        assert ours.kernel_used == "loop"
        if TENSORFLOW:
            assert "tanh" in ours.kernel_reason or "sigmoid" in ours.kernel_reason


@pytest.mark.skipif(not TENSORFLOW, reason="the fused kernel is TensorFlow's")
def test_functions_of_tensorflow_are_the_same_functions():
    layer = GRU(UNITS, activation=tf.nn.tanh, recurrent_activation=tf.sigmoid)
    layer(X)
    assert layer.kernel_used == "fused"
