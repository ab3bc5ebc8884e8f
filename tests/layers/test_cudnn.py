"""cuDNN: the reasons against it, the order of its weights, and the whole path around its op.

Without a GPU the op is played by a model of it, written from cuDNN's documentation with the
packed weights read back by offsets, so that nothing of the package's packing is used. With one,
`pytest -m gpu` runs the real op.
"""

import keras
import numpy as np
import pytest

from gru_zoo.layers import cudnn, kernels
from gru_zoo.layers.gru import GRU
from tests.layers.test_gru_reference import judge, layer_of
from tests.reference import BATCH, CONVENTIONS, FEATURES, MASKS, TIME, UNITS, random_case

tf = pytest.importorskip("tensorflow")

if keras.backend.backend() != "tensorflow":
    pytest.skip("cuDNN is called on the TensorFlow backend only", allow_module_level=True)

AFTER = [convention for convention in CONVENTIONS if convention.reset_after]
RIGHT_PADDED = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def unpack(params, features, units):
    """Read cuDNN's vector by its documented offsets: W then R, each as r, i, n; biases alike."""
    sizes = 3 * [(units, features)] + 3 * [(units, units)] + 6 * [(units,)]
    names = ["Wr", "Wi", "Wn", "Rr", "Ri", "Rn", "bWr", "bWi", "bWn", "bRr", "bRi", "bRn"]
    arrays, offset = {}, 0
    for name, shape in zip(names, sizes, strict=True):
        length = int(np.prod(shape))
        arrays[name] = tf.reshape(params[offset : offset + length], shape)
        offset += length
    assert offset == params.shape[0]
    return arrays


class Operation:
    """CudnnRNNV3 for one GRU layer, as documented: h' = (1 - i) * n + i * h; zeros past the end."""

    def __init__(self):
        self.calls = 0

    def __call__(
        self,
        *,
        input,
        input_h,
        input_c,
        params,
        sequence_lengths,
        rnn_mode,
        time_major,
        is_training,
    ):
        assert rnn_mode == "gru" and not time_major and is_training
        self.calls += 1
        w = unpack(params, input.shape[-1], input_h.shape[-1])
        h, outputs = input_h[:, 0], []
        for t in range(input.shape[1]):
            x = input[:, t]
            r = tf.sigmoid(
                x @ tf.transpose(w["Wr"]) + w["bWr"] + h @ tf.transpose(w["Rr"]) + w["bRr"]
            )
            i = tf.sigmoid(
                x @ tf.transpose(w["Wi"]) + w["bWi"] + h @ tf.transpose(w["Ri"]) + w["bRi"]
            )
            n = x @ tf.transpose(w["Wn"]) + w["bWn"]
            n = tf.tanh(n + r * (h @ tf.transpose(w["Rn"]) + w["bRn"]))
            inside = (t < sequence_lengths)[:, None]
            h = tf.where(inside, (1 - i) * n + i * h, h)
            outputs.append(tf.where(inside, h, tf.zeros_like(h)))
        tf.debugging.assert_positive(sequence_lengths)  # cuDNN refuses empty sequences
        return tf.stack(outputs, 1), h[:, None], None, None, None


@pytest.fixture
def operation(monkeypatch):
    """Play a machine with a GPU whose cuDNN is `Operation`."""
    played = Operation()
    monkeypatch.setattr(cudnn, "_operation", played)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["a GPU"])
    return played


def test_packing_is_read_back_by_offsets():
    case = random_case(dtype="float32")
    params = cudnn.pack(case["kernel"], case["recurrent_kernel"], case["bias"])
    arrays = {name: array.numpy() for name, array in unpack(params, FEATURES, UNITS).items()}
    z, r, c = (slice(i * UNITS, (i + 1) * UNITS) for i in range(3))
    for gate, columns in (("r", r), ("i", z), ("n", c)):
        np.testing.assert_array_equal(arrays[f"W{gate}"], case["kernel"][:, columns].T)
        np.testing.assert_array_equal(arrays[f"R{gate}"], case["recurrent_kernel"][:, columns].T)
        np.testing.assert_array_equal(arrays[f"bW{gate}"], case["bias"][0, columns])
        np.testing.assert_array_equal(arrays[f"bR{gate}"], case["bias"][1, columns])


def test_packing_of_write_negates_what_feeds_z():
    case = random_case(dtype="float32")
    arguments = case["kernel"], case["recurrent_kernel"], case["bias"]
    keep = unpack(cudnn.pack(*arguments), FEATURES, UNITS)
    write = unpack(cudnn.pack(*arguments, "write"), FEATURES, UNITS)
    for name in keep:
        sign = -1.0 if name.endswith("i") else 1.0
        np.testing.assert_array_equal(write[name], sign * keep[name])


@pytest.mark.parametrize("convention", AFTER, ids=str)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_around_the_op_everything_equals_the_reference(convention, go_backwards, operation):
    for bias in (True, False):
        case = random_case(dtype="float32", bias=bias)
        layer = layer_of(case, convention, kernel="cudnn", go_backwards=go_backwards)
        for mask in (None, MASKS["right padded"], RIGHT_PADDED):
            before = operation.calls
            judge(layer, case, convention, mask)
            assert layer.kernel_used == "cudnn" and operation.calls == before + 1


@pytest.mark.parametrize("go_backwards", [False, True])
def test_what_a_masked_step_holds_reaches_no_gradient(go_backwards, operation):
    case = random_case(dtype="float32")
    layer = layer_of(case, CONVENTIONS[0], kernel="cudnn", go_backwards=go_backwards)
    gradients = []
    for nothing in (0.0, np.nan):
        x = tf.constant(np.where(RIGHT_PADDED[:, :, None], case["x"], nothing).astype("float32"))
        with tf.GradientTape() as tape:
            outputs, last = layer(x, initial_state=case["h0"], mask=RIGHT_PADDED)
            loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(last**3)
        gradients.append(tape.gradient(loss, [v.value for v in layer.trainable_variables]))
    assert operation.calls == 2
    for with_zero, with_nan in zip(*gradients, strict=True):
        assert np.any(with_zero)
        np.testing.assert_array_equal(with_zero, with_nan)


@pytest.mark.parametrize("kernel", ["auto", "cudnn"])
def test_other_masks_go_to_the_fused_kernel(kernel, operation):
    case = random_case(dtype="float32")
    layer = layer_of(case, CONVENTIONS[0], kernel=kernel)
    judge(layer, case, CONVENTIONS[0], MASKS["any pattern"])
    assert layer.kernel_used == "fused" and operation.calls == 0
    assert layer.kernel_reason == "not cudnn: it takes right-padded masks only"


@pytest.mark.slow
def test_a_mask_whose_values_come_later_is_routed_when_they_do(operation):
    case = random_case(dtype="float32")
    layer = layer_of(case, CONVENTIONS[0])
    x = tf.constant(case["x"])

    def run(mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, last = layer(x, initial_state=case["h0"], mask=mask)
            loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(last**2)
        return outputs, last, tape.gradient(loss, x)

    traced = tf.function(run, input_signature=[tf.TensorSpec((BATCH, TIME), tf.bool)])
    for mask in (RIGHT_PADDED, MASKS["any pattern"]):
        given = traced(tf.constant(mask))
        assert layer.kernel_used == "cudnn"
        with kernels.forced("loop"):
            wanted = run(tf.constant(mask))
        layer.kernel_used = "cudnn"  # the trace is not run again
        for ours, theirs in zip(given, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_auto_prefers_it_and_forced_loop_keeps_it_out_of_an_export(operation):
    layer = GRU(UNITS)
    x = random_case(dtype="float32")["x"]
    layer(x)
    assert (layer.kernel_used, operation.calls) == ("cudnn", 1)
    assert not layer.supports_jit
    with kernels.forced("loop"):
        graph = tf.function(layer).get_concrete_function(tf.TensorSpec(x.shape)).graph
    assert (layer.kernel_used, operation.calls) == ("loop", 1)
    assert not [op for op in graph.get_operations() if "Cudnn" in op.type]


def test_use_cudnn_false_keeps_it_out(operation):
    layer = GRU(UNITS, use_cudnn=False)
    layer(random_case(dtype="float32")["x"])
    assert (layer.kernel_used, operation.calls) == ("fused", 0)
    assert layer.supports_jit


def test_input_dropout_goes_with_it(operation):
    x = random_case(dtype="float32")["x"]
    results = []
    for kernel in ("cudnn", "loop"):
        layer = GRU(UNITS, dropout=0.4, seed=3, kernel=kernel, bias_initializer="ones")
        layer.build(x.shape)
        layer.set_weights([0.1 * np.ones(w.shape) for w in layer.weights])
        results.append(layer(x, training=True))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)
    assert operation.calls == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reset_after": False}, "it needs reset_after=True"),
        ({"unroll": True}, "it needs unroll=False"),
        ({"activation": "relu"}, "it needs activation 'tanh', and the layer has 'relu'"),
        ({"recurrent_activation": "hard_sigmoid"}, "it needs recurrent_activation 'sigmoid', and"),
        ({"zoneout": 0.1}, "it has no zoneout"),
        ({"layer_norm": True}, "it has no layer normalization"),
    ],
)
def test_reasons(options, reason, operation):
    layer = GRU(UNITS, **options)
    assert cudnn.why_not_cudnn(layer).startswith(reason)
    if not options.get("unroll"):
        with pytest.raises(ValueError, match=f"kernel='cudnn' .* cannot run layer .*: {reason}"):
            GRU(UNITS, kernel="cudnn", **options)(np.ones((BATCH, TIME, FEATURES), "float32"))


def test_reasons_that_depend_on_the_call(operation):
    assert cudnn.why_not_cudnn(GRU(UNITS)) is None
    assert cudnn.why_not_cudnn(GRU(UNITS), MASKS["right padded"]) is None
    assert cudnn.why_not_cudnn(GRU(UNITS), RIGHT_PADDED) is None
    reason = "it takes right-padded masks only"
    assert cudnn.why_not_cudnn(GRU(UNITS), MASKS["any pattern"]) == reason
    layer = GRU(UNITS, recurrent_dropout=0.2)
    assert cudnn.why_not_cudnn(layer) is None
    assert cudnn.why_not_cudnn(layer, training=True) == "it has no recurrent dropout"


def test_a_gpu_that_is_hidden_is_not_there(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])
    assert cudnn.why_not_cudnn(GRU(UNITS)) == "TensorFlow finds no GPU on this machine"


@pytest.mark.skipif(bool(tf.config.get_visible_devices("GPU")), reason="this machine has a GPU")
@pytest.mark.parametrize("options", [{"kernel": "cudnn"}, {"use_cudnn": True}])
def test_without_a_gpu_asking_for_it_says_so(options):
    with pytest.raises(ValueError, match="TensorFlow finds no GPU on this machine"):
        GRU(UNITS, **options)(np.ones((BATCH, TIME, FEATURES), "float32"))
