"""Models of any precision in the graphs of float32: their functions and numbers stay their own."""

import keras
import numpy as np
import pytest
from keras import Input, layers

from gru_zoo import GRU, StackedGRU, export
from gru_zoo.export.checks import classifier_check, limits
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.tflite_file import tflite
from tests.export.conftest import REVIEWS, make_classifier

F = 5


def tanh(x):
    """LeCun's, which Keras takes for its own by its name."""
    return 1.7159 * keras.ops.tanh(2 / 3 * x)


def bump(x):
    """A function that nobody has registered."""
    return keras.ops.exp(-x * x)


def both(function):
    back = GRU(4, activation=function, go_backwards=True)
    return layers.Bidirectional(GRU(4), backward_layer=back)


LAYERS = {
    "gru": lambda function: GRU(7, activation=function, recurrent_activation=function),
    "keras": lambda function: layers.GRU(7, activation=function),
    "stacked": lambda function: StackedGRU(7, 2, activation=function, return_state=False),
    "both": both,
    "dense": lambda function: layers.Dense(3, function),
    "every step": lambda function: layers.TimeDistributed(layers.Dense(3, function)),
    "activation": layers.Activation,
    "convolution": lambda function: layers.Conv1D(3, 2, padding="causal", activation=function),
    "layer": lambda function: layers.Dense(3, layers.ReLU(negative_slope=0.5)),
}


def difference(policy, make):
    """Return how far the graph of a layer, made under a policy, is from the layer."""
    kept = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(3)
        model = keras.Sequential([Input((None, F)), make()])
    finally:
        keras.config.set_dtype_policy(kept)
    x = np.random.default_rng(0).normal(size=(1, 6, F)).astype("float32")
    graph = SequenceGraph(Network(model))
    wanted = np.asarray(model(x, training=False), np.float32)
    return np.abs(graph.whole(inputs=x)["outputs"] - wanted).max()


@pytest.mark.parametrize(
    ("name", "function"), [*((name, tanh) for name in LAYERS), ("dense", bump), ("both", bump)]
)
def test_a_function_of_a_users_in_mixed_precision(name, function):
    assert difference("mixed_float16", lambda: LAYERS[name](function)) < 5e-3


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float64"])
def test_what_a_normalization_has_seen(policy):
    def adapted():
        layer = layers.Normalization()
        layer.adapt(np.random.default_rng(1).normal(5, 3, size=(20, 4, F)))
        return layer

    assert difference(policy, adapted) < (5e-3 if policy == "mixed_float16" else 1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_classifier_in_half_precision_is_exported_and_a_wrong_file_is_not(policy, tmp_path):
    model = make_classifier(dtype=policy)
    tflite(model, tmp_path / "model.tflite", texts=REVIEWS)
    reference = classifier_check.Reference.of(model, REVIEWS)
    given = classifier_check.run(tmp_path / "model.tflite", reference)
    assert 1e-5 < limits.judge("model.tflite", given, reference, "float32") < 1e-2
    with pytest.raises(export.Refused, match="must be within 0.01 of the model's probabilities"):
        limits.judge("model.tflite", given + 0.02, reference, "float32")


def in_half_precision(layer):
    """Return a model of half precision with a layer behind its last step."""
    kept = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        keras.utils.set_random_seed(3)
        return keras.Sequential([Input((None, F)), GRU(7), layer()])
    finally:
        keras.config.set_dtype_policy(kept)


class Scaled(layers.Layer):
    """A user's layer without get_config."""

    def __init__(self, function):
        super().__init__(name="scaled")
        self.function = function

    def call(self, x):
        return self.function(x)


def test_a_lambda_in_mixed_precision():
    model = in_half_precision(
        lambda: layers.Lambda(lambda x, by: x * by, arguments={"by": 3.0}, name="threefold")
    )
    graph = SequenceGraph(Network(model))
    x = np.random.default_rng(0).normal(size=(1, 6, F)).astype("float32")
    found = graph.whole(inputs=x)["outputs"]
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, model(x), atol=5e-3)


def test_a_layer_that_cannot_be_made_again_is_named(tmp_path):
    model = in_half_precision(lambda: Scaled(lambda x: 3 * x))
    message = r"'scaled' \(Scaled\) must compute in float32, or .*; it computes in float16, and .*:"
    with pytest.raises(ValueError, match=message) as refusal:
        tflite(model, tmp_path / "model.tflite")
    assert "\n" not in str(refusal.value)
