"""A whole sequence in LiteRT: every kind of model, every length, masks as in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from gru_zoo import GRU
from gru_zoo.export.graphs import loops
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.names import WHOLE
from gru_zoo.export.signatures import convert
from tests.export import models
from tests.export.test_steps import called, sequences

LENGTHS = (1, 7, 19, 300)
# One of each kind of loop; CI converts the others too.
QUICK = ("two_outputs", "classifier")


def masked(given, name, time):
    """Put padding on the right of a classifier's ids, and anywhere into other ids."""
    ids = given.get("ids")
    if ids is None or time == 1:
        return given
    if name.startswith("classifier"):
        ids[:, time // 2 + 1 :] = 0
    else:
        ids[:, np.random.default_rng(time).integers(0, time, time // 2)] = 0
        ids[:, :2], ids[:, 3] = 0, 5
    return given


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in models.ALL],
)
def test_litert_gives_the_models_outputs_at_every_length(name):
    model = models.make(name)
    graph = SequenceGraph(Network(model))
    assert graph.causal == (name in models.CAUSAL)
    function = graph.whole.get_concrete_function(**graph.inputs)
    content = convert({WHOLE: function}, graph, "float32")
    for time in LENGTHS:
        given = masked(sequences(model, time, seed=time), name, time)
        runner = Interpreter(model_content=content, num_threads=1).get_signature_runner(WHOLE)
        results = runner(**given)
        for key, wanted in called(model, given).items():
            assert results[key].shape == wanted.shape
            np.testing.assert_allclose(results[key], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 143, 144, 145, 600])
def test_collect_keeps_every_step_where_it_belongs(count):
    h = loops.collect(
        lambda t, h: h + tf.cast(t, tf.float32), tf.zeros((1, 3)), tf.zeros((count, 3))
    )
    np.testing.assert_array_equal(h[:, 1], np.cumsum(np.arange(count)))


@pytest.mark.parametrize("units", [loops.UNROLLED_UNITS, loops.UNROLLED_UNITS + 1])
@pytest.mark.parametrize("count", range(10))
def test_fold_takes_every_step_once(count, units):
    digits = loops.fold(
        lambda t, x: 10 * x + tf.cast(t, x.dtype),
        tf.constant(0, tf.int64),
        tf.constant(count),
        units,
    )
    assert int(digits) == int("0" + "".join(map(str, range(count))))


def test_of_a_batch_the_first_sequence_is_read_and_not_all_of_them_in_a_row():
    model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
    graph = SequenceGraph(Network(model))
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    given = graph.whole(inputs=tf.constant(x))["outputs"]
    np.testing.assert_allclose(given, model(x[:1]), rtol=1e-5, atol=1e-6)
