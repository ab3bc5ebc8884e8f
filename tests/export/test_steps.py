"""One step of every kind of causal model gives what the model gives for the sequence so far."""

import keras
import numpy as np
import pytest
from keras import layers

from gru_zoo import GRU
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.step_graph import step_graph
from tests.export import models
from tests.export.models import FEATURES, WORDS

T = 9


def sequences(model, time, seed=0):
    """Inputs of one sequence by name, no padding."""
    random = np.random.default_rng(seed)
    given = {}
    for name, about in Network(model).inputs.items():
        if about.kind == "ids":
            given[name] = random.integers(1, WORDS, (1, time)).astype(np.int32)
        else:
            shape = (1, *([] if about.kind == "vector" else [time]), *about.shape)
            given[name] = random.normal(size=shape).astype(np.float32)
    return given


def called(model, given):
    """The Keras model's outputs by the names they have in files."""
    arrays = list(given.values())
    results = keras.tree.flatten(model(arrays if len(arrays) > 1 else arrays[0], training=False))
    return dict(zip(Network(model).output_names, map(np.asarray, results), strict=True))


@pytest.mark.parametrize("name", models.CAUSAL)
def test_a_stream_gives_the_models_outputs(name):
    model = models.make(name)
    graph, given = step_graph(model), sequences(model, T)
    kinds = {key: about.kind for key, about in Network(model).inputs.items()}
    assert all(state.startswith("state_") for state in graph.states)
    states, outputs = graph.initial(), []
    for state, value in states.items():  # as those who stream agreed
        assert np.all(value == (-1 if state.endswith("max") else 0)), state
    for t in range(T):
        step = {k: x if kinds[k] == "vector" else x[:, t] for k, x in given.items()}
        results = graph.step(**step, **states)
        assert set(results) == {*graph.outputs, *graph.states}
        states = {key: results[key] for key in states}
        outputs.append(results)
    for key, wanted in called(model, given).items():
        assert np.ptp(wanted) > 1e-3
        stacked = np.stack([each[key] for each in outputs], axis=1)
        streamed = stacked if wanted.ndim == stacked.ndim else stacked[:, -1]
        np.testing.assert_allclose(streamed, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["last", "conventions", "stacked"])
def test_gates_are_those_of_the_cell(name):
    model = models.make(name)
    plain, graph = step_graph(model), step_graph(model, gates=True)
    grus = [layer for layer in model._flatten_layers() if isinstance(layer, GRU)]
    gru = next(gru for gru in grus if gru.cell.kernel.shape[0] == FEATURES)
    assert len(set(graph.outputs) - set(plain.outputs)) == 2 * len(grus)
    x = np.random.default_rng(1).normal(size=(1, FEATURES)).astype(np.float32)
    first = graph.step(inputs=x, **graph.initial())
    z, r, _ = gru.cell.gates(gru.cell.project(x), np.zeros((1, gru.units), np.float32))
    state = next(name for name in graph.states if "max" not in name)
    key = next(name for name in graph.outputs if name.endswith("_z"))
    np.testing.assert_allclose(first[key], z, atol=1e-6)
    np.testing.assert_allclose(first[key[:-1] + "r"], r, atol=1e-6)
    assert first[key].shape == first[state].shape


def _functional(function):
    x = keras.Input((None, FEATURES))
    return keras.Model(x, function(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.make("both"), "'bidirectional.*it is bidirectional"),
        (lambda: models.make("classifier_both"), "layer 'rnn' .*it is bidirectional"),
        (lambda: models.make("stacked_both"), "'stacked_gru.*it is bidirectional"),
        (lambda: models.make("backwards"), "'gru.*go_backwards must be False; got True"),
        (
            lambda: _functional(lambda x: layers.MultiHeadAttention(2, 3, name="attend")(x, x)),
            r"layer 'attend' \(MultiHeadAttention\) must be a GRU.*not known",
        ),
        (lambda: _functional(layers.Conv1D(3, 3, name="conv")), r"layer 'conv' \(Conv1D\)"),
        (lambda: _functional(layers.LSTM(3, name="lstm")), r"layer 'lstm' \(LSTM\)"),
        (
            lambda: _functional(lambda x: GRU(3)(keras.ops.flip(x, axis=1))),
            r"operation 'flip.*\(Flip\)",
        ),
        (lambda: keras.Sequential([GRU(3)]), "model must be built"),
        (lambda: "model.keras", "model must be a SequenceClassifier or .*; got str"),
    ],
)
def test_a_model_that_cannot_stream_is_refused_by_layer(make, message):
    with pytest.raises(ValueError, match=message):
        step_graph(make())


def test_mixed_precision_computes_in_float32():
    x = keras.Input((None, FEATURES))
    h = layers.GRU(7, dtype="mixed_float16")(layers.Dense(4, dtype="mixed_float16")(x))
    model = keras.Model(x, h)
    graph, given = step_graph(model), sequences(model, 1)
    result = graph.step(inputs=given["inputs"][:, 0], **graph.initial())
    assert result["outputs"].dtype == "float32"
    np.testing.assert_allclose(result["outputs"], model(given["inputs"]), atol=1e-2)


def test_a_gru_called_like_a_maximum_begins_at_zero_for_those_who_stream():
    model = keras.Sequential([keras.Input((None, 5)), GRU(7, name="largest_max")])
    initial = step_graph(model).initial()
    assert list(initial) == ["state_largest_max_h"] and not initial["state_largest_max_h"].any()
