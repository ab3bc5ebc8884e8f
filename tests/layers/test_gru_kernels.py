"""Which kernel runs, who decides, and the reason that can be read."""

import re

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU
from tests.reference import BATCH, FEATURES, TIME, UNITS

tf = pytest.importorskip("tensorflow")

if keras.backend.backend() != "tensorflow" or tf.config.get_visible_devices("GPU"):
    pytest.skip("what auto chooses is told for TensorFlow on a CPU", allow_module_level=True)

X = np.ones((BATCH, TIME, FEATURES), "float32")

CHOICES = [
    ({}, "fused", r"the fastest that can run; not cudnn: TensorFlow finds no GPU on this machine"),
    ({"use_cudnn": False}, "fused", r"the fastest that can run"),
    ({"kernel": "loop"}, "loop", r"kernel='loop'"),
    ({"kernel": "fused"}, "fused", r"kernel='fused'"),
    ({"unroll": True}, "unrolled", r"unroll=True"),
    ({"kernel": "unrolled"}, "unrolled", r"kernel='unrolled'"),
    ({"reset_after": False}, "fused", r"the fastest .*; not cudnn: it needs reset_after=True"),
    ({"activation": "relu"}, "loop", r".*not fused: it needs activation 'tanh', .* has 'relu'"),
    ({"layer_norm": True}, "fused", r".*not cudnn: it has no layer normalization"),
    ({"layer_norm": True, "activation": "relu"}, "loop", r".*not fused: it needs activation .*"),
    ({"zoneout": 0.1}, "fused", r".*not cudnn: it has no zoneout"),
]


@pytest.fixture(autouse=True)
def without_compiling():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(("options", "name", "reason"), CHOICES)
def test_the_choice_and_its_reason(options, name, reason):
    layer = GRU(UNITS, **options)
    assert layer.kernel_used is None and layer.kernel_reason is None
    layer(X)
    assert layer.kernel_used == name
    assert re.fullmatch(reason, layer.kernel_reason), layer.kernel_reason


def test_a_kernel_that_cannot_run_says_why():
    reason = r"kernel='fused' .* cannot run layer 'mine': it needs activation 'tanh', .* 'relu'"
    with pytest.raises(ValueError, match=reason):
        GRU(UNITS, kernel="fused", activation="relu", name="mine")(X)
    unknown = keras.Input((None, FEATURES))
    model = keras.Model(unknown, GRU(UNITS, kernel="unrolled")(unknown))
    tf.config.run_functions_eagerly(False)
    traced = tf.function(model, input_signature=[tf.TensorSpec((None, None, FEATURES))])
    with pytest.raises(ValueError, match="number of steps is not known"):
        traced(X)


def test_a_kernel_that_cannot_run_leaves_no_dropout_mask():
    layer = GRU(UNITS, kernel="fused", activation="relu", dropout=0.5)
    with pytest.raises(ValueError, match="cannot run layer"):
        layer(X, training=True)
    layer.kernel = "loop"  # with a mask for three rows there would be three
    assert layer(X[:1], training=True).shape == (1, UNITS)


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_forced_wins_over_what_the_layer_asks_for(kernel):
    layer = GRU(UNITS, kernel=kernel)
    with kernels.forced("loop"):
        layer(X)
        assert (layer.kernel_used, layer.kernel_reason) == ("loop", "forced")
        with kernels.forced("unrolled"):
            layer(X)
        assert layer.kernel_used == "unrolled"
        layer(X)
    assert layer.kernel_used == "loop"


def test_forced_ends_with_its_block_even_on_an_error():
    with pytest.raises(RuntimeError), kernels.forced("loop"):
        raise RuntimeError
    layer = GRU(UNITS)
    layer(X)
    assert layer.kernel_used == "fused"


def test_forced_cannot_make_a_kernel_run_what_it_cannot():
    with pytest.raises(ValueError, match=r"kernel='fused' \(forced\) cannot run"):
        with kernels.forced("fused"):
            GRU(UNITS, activation="relu")(X)


def test_all_kernels_agree_on_a_layer_without_sequences():
    layer = GRU(UNITS, return_state=True, bias_initializer="ones")
    wanted = layer(X)
    for name in ("loop", "unrolled", "fused"):
        with kernels.forced(name):
            given = layer(X)
        for ours, theirs in zip(given, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_island_is_compiled_and_the_loop_saves_none():
    tf.config.run_functions_eagerly(False)
    layer = GRU(UNITS)
    traced = tf.function(layer).get_concrete_function(tf.TensorSpec(X.shape))
    assert b"_XlaMustCompile" in traced.graph.as_graph_def().SerializeToString()
    with kernels.forced("loop"):
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec(X.shape))
    assert b"_XlaMustCompile" not in traced.graph.as_graph_def().SerializeToString()
