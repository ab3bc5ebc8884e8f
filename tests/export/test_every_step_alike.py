"""What may, and what may not, stand at every step of a sequence."""

import keras
import numpy as np
import pytest
from keras import Input, layers

from gru_zoo import export
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph

F = 5


def frames(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def read_by_words():
    """Return a model over documents [sentences, words] that reads each sentence by itself."""
    sentence = keras.Sequential([Input((6,)), layers.Embedding(9, 4), layers.GRU(4)], name="read")
    document = Input((None, 6))
    each = layers.TimeDistributed(sentence, name="each")(document)
    return keras.Model(document, layers.GRU(3)(each))


def test_a_gru_inside_of_each_step_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"'each' \(TimeDistributed\) must be a GRU"):
        export.tflite(read_by_words(), tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def test_an_embedding_of_several_numbers_a_step_is_refused_by_name(tmp_path):
    model = keras.Sequential(
        [Input((None, F)), layers.TimeDistributed(layers.Embedding(9, 4, name="look"))]
    )
    with pytest.raises(ValueError, match=r"'look' \(Embedding\) must be a GRU"):
        export.tflite(model, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def added(*shape, steps=None):
    """Return a model that adds a constant to its inputs."""
    x = Input((steps, F))
    return keras.Model(x, layers.GRU(7)(keras.ops.add(x, frames(*shape))))


@pytest.mark.parametrize("shape", [(6, F), (1, 6, F), (6, 1)])
def test_a_constant_of_each_step_is_refused_by_name(tmp_path, shape):
    with pytest.raises(ValueError, match=r"operation 'add.*' \(Add\) must be a GRU"):
        export.tflite(added(*shape, steps=6), tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(), (F,), (1, F), (1, 1, F), (1, 1)])
def test_a_constant_of_all_steps_is_added(shape):
    model, x = added(*shape), frames(1, 6, F)
    graph = SequenceGraph(Network(model))
    found = graph.whole(inputs=x)["outputs"]
    np.testing.assert_allclose(found, model(x), atol=1e-6)
