"""cuDNN itself, on a machine with a GPU: `pytest -m gpu --require-gpu`.

With `KERAS_BACKEND=torch` before it, the comparison is made through PyTorch's cuDNN instead.
"""

import importlib

import keras
import numpy as np
import pytest

from gru_zoo.layers import cudnn, kernels
from gru_zoo.layers.gru import GRU
from tests.gradients import outputs_and_gradients
from tests.reference import BATCH, FEATURES, MASKS, TIME, UNITS

pytestmark = pytest.mark.gpu

PADDED = [None, MASKS["right padded"], np.array([[1] * 5, [0] * 5, [1, 0, 0, 0, 0]], bool)]


@pytest.fixture
def operation(monkeypatch):
    """Count the calls of the real op, in exact float32."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("our layer calls cuDNN on the TensorFlow backend only")
    tf = pytest.importorskip("tensorflow")
    calls = []
    real = cudnn._operation
    monkeypatch.setattr(cudnn, "_operation", lambda **a: calls.append(1) or real(**a))
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield calls
    tf.config.experimental.enable_tensor_float_32_execution(before)


def draw(*shape):
    return np.random.default_rng(4).standard_normal(shape).astype("float32")


def layer_pair(**options):
    """Return two built layers of the same random weights, for two kernels to run."""
    layers = [GRU(UNITS, return_sequences=True, return_state=True, **options) for _ in range(2)]
    rng = np.random.default_rng(3)
    for layer in layers:
        layer.build((BATCH, TIME, FEATURES))
    weights = [0.5 * rng.standard_normal(w.shape) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def assert_near(ours, theirs):
    for given, wanted in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)
    for name in theirs[2]:
        np.testing.assert_allclose(ours[2][name], theirs[2][name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("update_gate", ["keep", "write"])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_cudnn_equals_the_loop(update_gate, go_backwards, operation):
    ours, theirs = layer_pair(update_gate=update_gate, go_backwards=go_backwards)
    for mask in PADDED:
        arguments = draw(BATCH, TIME, FEATURES), draw(BATCH, UNITS), mask
        arguments += draw(BATCH, TIME, UNITS), draw(BATCH, UNITS)
        before = len(operation)
        with kernels.forced("cudnn"):
            fast = outputs_and_gradients(ours, *arguments)
        assert len(operation) > before and ours.kernel_used == "cudnn"
        with kernels.forced("loop"):
            assert_near(fast, outputs_and_gradients(theirs, *arguments))


def test_cudnn_equals_keras_own_call(operation):
    ours, _ = layer_pair(zero_output_for_mask=True)  # Keras' outputs are zero there with cuDNN
    theirs = keras.layers.GRU(UNITS, return_sequences=True, return_state=True, use_cudnn=True)
    theirs.build((BATCH, TIME, FEATURES))
    theirs.set_weights(ours.get_weights())
    mask = MASKS["right padded"]
    arguments = draw(BATCH, TIME, FEATURES), draw(BATCH, UNITS), mask
    arguments += draw(BATCH, TIME, UNITS) * mask[:, :, None], draw(BATCH, UNITS)
    assert_near(outputs_and_gradients(ours, *arguments), outputs_and_gradients(theirs, *arguments))
    assert operation


def test_auto_chooses_cudnn_in_fit_and_exports_without_it(operation, tmp_path):
    model = keras.Sequential([keras.Input((TIME, FEATURES)), GRU(UNITS)])
    model.compile("sgd", "mse")
    model.fit(draw(8, TIME, FEATURES), draw(8, UNITS), verbose=0)
    assert model.layers[0].kernel_used == "cudnn" and operation
    with kernels.forced("loop"):
        model.export(tmp_path / "exported", verbose=False)
    assert b"CudnnRNN" not in (tmp_path / "exported" / "saved_model.pb").read_bytes()


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's cuDNN")
@pytest.mark.parametrize("go_backwards", [False, True])
def test_our_loop_equals_the_cudnn_of_keras_torch_backend(go_backwards, monkeypatch):
    rnn = importlib.import_module("keras.src.backend.torch.rnn")
    calls, real = [], rnn._cudnn_gru
    monkeypatch.setattr(rnn, "_cudnn_gru", lambda *a, **k: calls.append(1) or real(*a, **k))
    options = {"return_sequences": True, "return_state": True, "go_backwards": go_backwards}
    ours, _ = layer_pair(go_backwards=go_backwards)
    theirs = keras.layers.GRU(UNITS, use_cudnn=True, **options)
    theirs.build((BATCH, TIME, FEATURES))
    theirs.set_weights(ours.get_weights())
    arguments = draw(BATCH, TIME, FEATURES), draw(BATCH, UNITS), None
    arguments += draw(BATCH, TIME, UNITS), draw(BATCH, UNITS)
    assert_near(outputs_and_gradients(ours, *arguments), outputs_and_gradients(theirs, *arguments))
    assert calls
