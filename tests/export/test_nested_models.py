"""Models inside of a model, called in all the ways that Keras takes."""

import keras
import numpy as np
import pytest
from keras import Input, layers

from gru_zoo import GRU, export
from gru_zoo.export.checks.representative import checked, padding
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from tests.export.conftest import shake

F = 4


def difference():
    """Return a model of two sequences, the first one's name behind the second's."""
    first, second = Input((None, F), name="first"), Input((None, F), name="behind")
    return keras.Model(
        [first, second], layers.Subtract()([layers.Dense(3)(first), layers.Dense(3)(second)])
    )


def by_names():
    a, b = Input((None, F), name="a"), Input((None, F), name="b")
    return keras.Model([a, b], GRU(5)(difference()({"first": a, "behind": b})))


def by_more_names_than_are_read():
    a, b = Input((None, F), name="a"), Input((None, F), name="b")
    return keras.Model([a, b], GRU(5)(difference()({"first": a, "behind": b, "a": b})))


def made_with_a_dictionary():
    a, b = Input((None, F), name="a"), Input((None, F), name="b")
    inside = {name: Input((None, F), name=name) for name in ("behind", "first")}
    read = layers.Subtract()([layers.Dense(3)(inside["first"]), layers.Dense(3)(inside["behind"])])
    return keras.Model([a, b], GRU(5)(keras.Model(inside, read)({"first": a, "behind": b})))


def by_keyword():
    a = Input((None, F), name="a")
    inside = keras.Sequential([Input((None, F)), layers.Masking(), layers.Dense(3)])
    return keras.Model(a, GRU(5)(inside(inputs=a)))


def layers_by_keyword():
    ids = Input((None,), dtype="int32", name="a")
    vectors = layers.Embedding(6, F, mask_zero=True)(inputs=ids)
    return keras.Model(ids, layers.Dense(3)(inputs=GRU(5)(vectors)))


MODELS = (
    by_names,
    by_more_names_than_are_read,
    made_with_a_dictionary,
    by_keyword,
    layers_by_keyword,
)


@pytest.fixture(params=MODELS, ids=lambda make: make.__name__)
def model(request):
    keras.utils.set_random_seed(3)
    model = request.param()
    shake(model, 3)
    return model


def test_the_graph_equals_keras(model):
    network, random = Network(model), np.random.default_rng(5)
    inputs = {
        name: random.integers(6, size=(1, 7)).astype("int32")
        if given.kind == "ids"
        else random.normal(size=(1, 7, F)).astype("float32")
        for name, given in network.inputs.items()
    }
    graph = SequenceGraph(network)
    found = graph.whole(**inputs)["outputs"]
    np.testing.assert_allclose(found, network.call(inputs)["outputs"], atol=1e-6)


def test_onnx_equals_keras(model, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    export.onnx(model, tmp_path / "m.onnx")


def test_vocabularies_and_padding_go_by_names_too():
    first, second = (Input((None,), dtype="int32", name=name) for name in ("first", "behind"))
    read = [layers.Embedding(9, F, mask_zero=True)(first), layers.Embedding(20, F)(second)]
    inner = keras.Model([first, second], layers.Concatenate()(read))
    a, b = (Input((None,), dtype="int32", name=name) for name in "ab")
    model = keras.Model([a, b], GRU(5)(inner({"first": a, "behind": b})))
    assert padding(model, Network(model).inputs) == {"a": [0]}
    checked(model, [{"a": np.array([8]), "b": np.array([19])}])
    with pytest.raises(ValueError, match="must hold ids from 0 to 8; got 9"):
        checked(model, [{"a": np.array([9]), "b": np.array([19])}])
