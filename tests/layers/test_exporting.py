"""What a user's `model.export` and `tf.saved_model.save` trace holds neither XLA islands nor cuDNN.

A concrete function that was traced before is saved as it is.
"""

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.tracing import exporting
from tests.layers.test_cudnn import operation  # noqa: F401  a fixture
from tests.reference import FEATURES, TIME, UNITS, random_case

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModels are TensorFlow's"
)

X = random_case(dtype="float32")["x"]


def keras_export(model, folder):
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    return lambda x: loaded.serve(x)  # holds what it loads


def tensorflow_save(model, folder):
    tf.saved_model.save(model, folder)
    loaded = tf.saved_model.load(folder)
    return lambda x: next(iter(loaded.signatures["serving_default"](tf.constant(x)).values()))


@pytest.fixture(params=[{}, {"kernel": "fused"}, {"kernel": "cudnn"}], ids=str)
def model(request, operation):  # noqa: F811
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, GRU(UNITS, bias_initializer="uniform", **request.param)(inputs))
    model(X)
    assert operation.calls or request.param == {"kernel": "fused"}
    return model


@pytest.mark.parametrize("save", [keras_export, tensorflow_save])
def test_a_saved_graph_is_plain(save, model, operation, tmp_path):  # noqa: F811
    wanted, before = model(X), operation.calls
    saved = save(model, str(tmp_path / "saved"))
    assert operation.calls == before
    assert b"_XlaMustCompile" not in (tmp_path / "saved" / "saved_model.pb").read_bytes()
    np.testing.assert_allclose(saved(X), wanted, rtol=1e-5, atol=1e-6)
    layer = model.layers[1]
    assert (layer.kernel_used, layer.kernel_reason) == ("loop", "the graph is being exported")


@pytest.mark.parametrize("kernel", ["fused", "loop"])
def test_a_function_traced_before_is_saved_as_it_was_traced(kernel, tmp_path):
    model = keras.Sequential([keras.Input((TIME, FEATURES)), GRU(UNITS, kernel="fused")])
    spec = tf.TensorSpec((None, TIME, FEATURES), tf.float32)
    with kernels.forced(kernel):
        traced = tf.function(lambda x: model(x)).get_concrete_function(spec)
    tf.saved_model.save(model, str(tmp_path / "saved"), signatures=traced)
    content = (tmp_path / "saved" / "saved_model.pb").read_bytes()
    assert (b"_XlaMustCompile" in content) == (kernel == "fused")


def test_running_is_not_exporting(model):
    assert not exporting()
    model(X)
    assert model.layers[1].kernel_used != "loop"
