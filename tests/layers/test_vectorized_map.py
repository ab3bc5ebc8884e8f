"""Inside `vectorized_map` a layer keeps its gradients, which custom ones do not outlive."""

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.attention_gru import AttentionGRU
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.tracing import vectorizing
from tests.reference import BATCH, FEATURES, TIME, UNITS

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="PyTorch and JAX have their own"
)

SETS = 2
X = np.random.default_rng(4).normal(size=(SETS, BATCH, TIME, FEATURES)).astype("float32")
GATE = np.random.default_rng(5).random((SETS, BATCH, TIME)).astype("float32")


def one_by_one(function, arrays):
    return tf.stack([function([array[i] for array in arrays]) for i in range(SETS)])


def outputs_and_gradients(map_over, layer, arrays):
    arrays = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        outputs = map_over(lambda given: layer(*given), arrays)
        loss = tf.reduce_sum(outputs**2)
    return [outputs, *tape.gradient(loss, [v.value for v in layer.trainable_variables])]


@pytest.mark.parametrize("map_over", [tf.vectorized_map, keras.ops.vectorized_map])
@pytest.mark.parametrize("kind", [GRU, AttentionGRU])
def test_gradients_are_those_of_one_call_after_the_other(kind, map_over):
    layer, arrays = kind(UNITS), [X] if kind is GRU else [X, GATE]
    layer.build(*(array.shape[1:] for array in arrays))
    given = outputs_and_gradients(map_over, layer, arrays)
    with kernels.forced("loop"):
        wanted = outputs_and_gradients(one_by_one, layer, arrays)
    assert len(given) == 4
    for ours, theirs in zip(given, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_loop_runs_and_says_why():
    assert not vectorizing()
    layer = GRU(UNITS)
    layer.build(X.shape[1:])
    tf.vectorized_map(layer, tf.constant(X))
    assert layer.kernel_used == "loop"
    assert "not fused: vectorized_map loses its gradient" in layer.kernel_reason


def test_a_kernel_that_was_asked_for_is_refused():
    layer = GRU(UNITS, kernel="fused")
    layer.build(X.shape[1:])
    with pytest.raises(ValueError, match="cannot run layer .*: vectorized_map loses its gradient"):
        tf.vectorized_map(layer, tf.constant(X))
