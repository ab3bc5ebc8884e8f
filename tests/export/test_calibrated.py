"""Steps in integers: every state copied from output to input, over many more steps than usual."""

import copy
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from gru_zoo import GRU
from gru_zoo.export.flatbuffer import integer_file
from gru_zoo.export.flatbuffer.packing import packed
from gru_zoo.export.graphs.integer_state import UNITS, IntegerState
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.integer_step import calibrated, integer_step, rollouts
from gru_zoo.export.variants import INTEGER_ONLY
from gru_zoo.export.workers.isolated import ConversionFailed, isolated
from tests.export import models
from tests.export.conftest import WORDS, make_classifier, shake
from tests.reference import Convention, Reference

STEPS = 600
KINDS = {"int8_full": np.int8, "int16x8": np.int16}
# Largest error allowed of a state or probability, and the mean error's. In int16x8 the matrices
# are int8 all the same, and a single step may be off by more than 16 bits would say.
LIMITS = {"int8_full": (0.15, 0.03), "int16x8": (0.02, 0.002)}


@pytest.fixture(scope="module")
def model():
    return make_classifier(embedding_dim=9, units=7)


@pytest.fixture(scope="module")
def stream():
    return np.random.default_rng(8).integers(1, len(WORDS) + 3, STEPS)


@pytest.fixture(scope="module")
def representative():
    random = np.random.default_rng(9)
    return [random.integers(1, len(WORDS) + 3, length) for length in (5, 40, 40, 90, 200)]


@pytest.fixture(
    scope="module", params=["int8_full", pytest.param("int16x8", marks=pytest.mark.slow)]
)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def content(model, representative, variant):
    return integer_step(model, variant, representative, gates=True)


def test_sequences_of_all_lengths_share_a_graph(model):
    graph, traces = step_graph(model), []
    unharmed = graph.step
    graph.step = lambda **tensors: traces.append(1) or unharmed(**tensors)
    samples = rollouts(graph, [{"ids": np.arange(1, n + 1, dtype=np.int32)} for n in (3, 4, 9)])
    assert len(samples) == 3 + 4 + 9 + 3
    assert len(traces) < 3


class Runner:
    """A step file; states are copied from output to input."""

    def __init__(self, content: bytes):
        self.step = Interpreter(model_content=content).get_signature_runner("step")
        self.given, self.results = self.step.get_input_details(), self.step.get_output_details()
        self.states = [name for name in self.given if name.startswith("state_")]

    def run(self, initial, **inputs):
        """Return every output and state of every step as real numbers, [steps, size]."""
        states = {name: self._stored(name, value) for name, value in initial.items()}
        rows = {name: [] for name in self.results}
        for row in zip(*inputs.values(), strict=True):
            given = {name: self._stored(name, x[None]) for name, x in zip(inputs, row, strict=True)}
            outputs = self.step(**given, **states)
            states = {name: outputs[name] for name in self.states}
            for name, value in outputs.items():
                scale, zero = self.results[name]["quantization"]
                rows[name].append((value[0].astype(float) - zero) * (scale or 1))
        return {name: np.array(values) for name, values in rows.items()}

    def _stored(self, name, value):
        (scale, zero), kind = self.given[name]["quantization"], self.given[name]["dtype"]
        if scale:
            limits = np.iinfo(kind)
            value = np.clip(np.round(value / scale) + zero, limits.min, limits.max)
        return value.astype(kind)


def truth(model, ids):
    """Return last, max, mean and probabilities [steps, size] in NumPy float64."""
    weights = [w.numpy().astype(float) for w in model.weights]
    embeddings, kernel, recurrent_kernel, bias, head, head_bias = weights
    case = {
        "x": embeddings[None, ids],
        "h0": np.zeros((1, model.units)),
        "kernel": kernel,
        "recurrent_kernel": recurrent_kernel,
        "bias": bias,
    }
    h = Reference(case, Convention()).states[0]
    count = np.arange(1, len(ids) + 1)[:, None]
    parts = h, np.maximum.accumulate(h), np.cumsum(h, axis=0) / count
    logits = np.concatenate(parts, axis=1) @ head + head_bias
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    named = dict(zip(("last", "max", "mean"), parts, strict=True))
    return {**named, "probabilities": raised / raised.sum(axis=1, keepdims=True)}


def seen(model, content, stream):
    """Return the file's last, max, mean and probabilities of a stream."""
    initial = step_graph(model, state_class=IntegerState).initial()
    values = Runner(content).run(initial, ids=stream)
    return {
        "last": values["state_last"],
        "max": values["state_max"],
        "mean": values["state_sum"] / UNITS / values["state_count"],
        "probabilities": values["probabilities"],
    }


def test_all_is_integers_and_a_state_has_one_scale(content, variant):
    runner = Runner(content)
    assert {"ids", "state_last", "state_max", "state_sum", "state_count"} == set(runner.given)
    assert {"rnn_z", "rnn_r", "probabilities"} <= set(runner.results)
    for name, details in {**runner.given, **runner.results}.items():
        whole = name == "ids" or name.endswith(("_sum", "_count"))
        assert details["dtype"] == (np.int32 if whole else KINDS[variant]), name
    for name in runner.states:
        assert runner.given[name]["quantization"] == runner.results[name]["quantization"], name
    assert integer_file.float_operators(content) == []


def test_errors_are_small_and_do_not_grow(model, content, variant, stream):
    given, expected = seen(model, content, stream), truth(model, stream)
    largest, mean = LIMITS[variant]
    for part, values in expected.items():
        assert np.ptp(values, axis=0).max() > 0.1  # something moves
        error = np.abs(given[part] - values)
        assert error.max() < largest, part
        assert error.mean() < mean, part
        assert error[-200:].mean() < 1.5 * error[100:300].mean() + 1e-4, part


def test_a_sum_is_exact(model, content, stream):
    values = Runner(content).run(step_graph(model, state_class=IntegerState).initial(), ids=stream)
    np.testing.assert_array_equal(values["state_count"][:, 0], np.arange(1, STEPS + 1))
    exact = np.cumsum(values["state_last"], axis=0)
    # Each step rounds to a unit, and the product with UNITS to the state's own kind of number.
    assert np.abs(values["state_sum"] / UNITS - exact).max() < STEPS * 0.003


def test_scales_that_differ_are_made_one(content, model, stream, variant):
    file = schema.ModelT.InitFromPackedBuf(content)
    graph = file.subgraphs[0]
    (result,) = (e for e in file.signatureDefs[0].outputs if e.name == b"state_last")
    wider = copy.deepcopy(graph.tensors[result.tensorIndex])
    wider.quantization.scale = wider.quantization.scale * 1.25
    number = integer_file._requantized(file, graph, result.tensorIndex, wider)
    graph.outputs = np.where(graph.outputs == result.tensorIndex, number, graph.outputs)
    result.tensorIndex = number
    changed = packed(file)
    runner = Runner(changed)
    given = runner.given["state_last"]["quantization"]
    assert given != runner.results["state_last"]["quantization"]

    shared = integer_file.share_scales(changed, ["state_last", "state_max"])
    runner = Runner(shared)
    assert given == runner.given["state_last"]["quantization"]
    assert given == runner.results["state_last"]["quantization"]
    expected = truth(model, stream)["last"]
    assert np.abs(seen(model, shared, stream)["last"] - expected).mean() < LIMITS[variant][1]
    assert integer_file.share_scales(shared, ["state_last", "state_max"]) == shared


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
def test_a_state_that_is_an_output_too_stays_one():
    random = np.random.default_rng(7)
    model = keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")])
    content = integer_step(model, "int8_full", [random.normal(size=(40, 4)) for _ in range(5)])
    parsed = schema.ModelT.InitFromPackedBuf(content)
    (graph,), (signature,) = parsed.subgraphs, parsed.signatureDefs
    given = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    about = graph.tensors[given["state_gru"]].quantization
    about.scale = 1.5 * about.scale
    changed = integer_file.share_scales(packed(parsed), ["state_gru"])
    parsed = schema.ModelT.InitFromPackedBuf(changed)
    (graph,), (signature,) = parsed.subgraphs, parsed.signatureDefs
    results = {entry.name.decode(): entry.tensorIndex for entry in signature.outputs}
    assert results["outputs"] != results["state_gru"]
    assert sorted(graph.outputs) == sorted(results.values())


def test_integer_memory_is_the_memory(model, stream):
    """The graph that is calibrated gives the float graph's numbers, but for the fixed point."""
    plain, integer = step_graph(model), step_graph(model, state_class=IntegerState)
    assert {name for name, spec in integer.states.items() if spec.dtype == tf.int32} == {
        "state_sum",
        "state_count",
    }
    states, others = plain.initial(), integer.initial()
    for word in stream[:50]:
        ids = tf.constant([word], tf.int32)
        states, others = plain.step(ids=ids, **states), integer.step(ids=ids, **others)
        np.testing.assert_allclose(others["state_last"], states["state_last"], atol=1e-6)
        np.testing.assert_allclose(others["probabilities"], states["probabilities"], atol=2e-3)
        states = {name: states[name] for name in plain.states}
        others = {name: others[name] for name in integer.states}
    np.testing.assert_allclose(
        others["state_sum"].numpy() / UNITS, states["state_sum"], atol=50 / UNITS
    )


def test_samples_are_steps_of_the_sequences(model):
    graph = step_graph(model)
    sequences = [{"ids": np.array(ids, np.int32)} for ids in ([3, 9, 4, 7, 5], [8, 6])]
    samples = rollouts(graph, sequences)
    assert [sample["ids"].tolist() for sample in samples] == [
        *([3], [9], [4], [7], [5], [3]),  # and the first again, to read the state after the last
        *([8], [6], [8]),
    ]
    for before, after in ((0, 1), (3, 4), (4, 5), (7, 8)):
        result = graph.step(**samples[before])
        for name in graph.states:
            np.testing.assert_allclose(result[name], samples[after][name], atol=1e-6)
    for first in (0, 6):
        for name, value in graph.initial().items():
            np.testing.assert_array_equal(samples[first][name], value)


def test_extreme_states_are_always_among_the_samples(model, representative):
    graph = step_graph(model)
    sequences = [{"ids": ids.astype(np.int32)} for ids in representative]
    everything, few = rollouts(graph, sequences, 10_000), rollouts(graph, sequences, 3)
    assert len(everything) == sum(map(len, representative)) + len(representative)
    assert 3 < len(few) < 25
    results, first = [graph.step(**sample) for sample in few], graph.initial()
    for name in graph.states:
        for extreme in (np.max, np.min):
            wanted = extreme([s[name] for s in everything])
            assert extreme([s[name] for s in few]) == wanted
            # And the step that makes it, but for one that is there before the first step.
            made = [extreme(result[name]) for result in results]
            assert wanted == extreme(first[name]) or np.isclose(made, wanted, rtol=1e-6).any()


def test_extreme_inputs_are_always_among_the_samples():
    graph = step_graph(keras.Sequential([keras.Input((None, 4)), GRU(7)]))
    steps = np.random.default_rng(1).standard_t(3, size=(30, 50, 4)).astype("float32")
    name = next(iter(graph.inputs))
    few = rollouts(graph, [{name: sequence} for sequence in steps], 3)
    assert len(few) < 12
    given = np.concatenate([sample[name] for sample in few])
    assert (given.max(), given.min()) == (steps.max(), steps.min())


OF_BOTH_VARIANTS = ("reset before, write", "layer norm", "mean")


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        *itertools.product(OF_BOTH_VARIANTS, INTEGER_ONLY),
        ("plain", "int8_full"),
        ("zoneout", "int8_full"),
    ],
)
def test_other_models(kind, variant):
    gru = {
        "plain": lambda: GRU(7),
        "reset before, write": lambda: GRU(7, reset_after=False, update_gate="write"),
        "zoneout": lambda: GRU(7, zoneout=0.1),
        "layer norm": lambda: GRU(7, layer_norm=True),
        "mean": lambda: GRU(7, return_sequences=True),
    }[kind]()
    pooling = [keras.layers.GlobalAveragePooling1D()] if kind == "mean" else []
    model = keras.Sequential([keras.Input((None, 4)), gru, *pooling, keras.layers.Dense(3)])
    shake(model, seed=2)
    random = np.random.default_rng(3)
    content = integer_step(model, variant, random.normal(size=(6, 80, 4)).astype(np.float32))
    stream = random.normal(size=(300, 4)).astype(np.float32)
    graph = step_graph(model)
    states, expected = graph.initial(), []
    for x in stream:
        after = graph.step(inputs=tf.constant(x[None]), **states)
        states = {name: after[name] for name in graph.states}
        expected.append(after["outputs"][0].numpy())
    initial = step_graph(model, state_class=IntegerState).initial()
    given = Runner(content).run(initial, inputs=stream)["outputs"]
    error = np.abs(given - expected) / np.ptp(expected)
    assert error.mean() < (0.05 if variant == "int8_full" else 0.005)
    assert error[-100:].mean() < 1.5 * error[50:150].mean() + 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras finds the option deprecated.
def test_a_normalization_without_a_mean_has_an_integer_form(tmp_path):
    norm = keras.layers.LayerNormalization(rms_scaling=True)
    model = keras.Sequential([keras.Input((None, 4)), GRU(7, return_sequences=True), norm, GRU(5)])
    steps = np.random.default_rng(0).normal(size=(3, 30, 4)).astype(np.float32)
    assert len(integer_step(model, "int8_full", steps)) > 1_000


def test_layer_without_an_integer_form_is_named():
    norm = keras.layers.LayerNormalization(name="norm")
    model = keras.Sequential([keras.Input((None, 4)), GRU(7, return_sequences=True), norm, GRU(5)])
    message = r"layer 'norm' \(LayerNormalization\) has no integer form for variant 'int8_full'"
    with pytest.raises(ConversionFailed, match=message):
        integer_step(model, "int8_full", np.ones((2, 30, 4), np.float32))


@pytest.mark.slow
def test_converter_that_really_crashes_is_reported(tmp_path):
    """TensorFlow's calibrator ends its process on a GRU's loop; when this fails, look again."""
    whole = SequenceGraph(Network(models.make("last")))
    signature = whole.whole.get_concrete_function(inputs=tf.TensorSpec((1, 9, 5), tf.float32))
    tf.saved_model.save(whole, str(tmp_path / "loop"), signatures={"step": signature})
    np.savez(tmp_path / "samples.npz", inputs=np.ones((4, 1, 9, 5), np.float32))
    arguments = [tmp_path / "loop", tmp_path / "samples.npz", "int8_full", tmp_path / "x.tflite"]
    what = "model 'loop' to variant 'int8_full'"
    with pytest.raises(ConversionFailed, match=rf"{what} crashed \(SIG(SEGV|ABRT)\)"):
        isolated(
            "gru_zoo.export.workers.calibrate_worker",
            [*map(str, arguments)],
            what=what,
            seconds=120,
        )
    assert not (tmp_path / "x.tflite").exists()


def test_time_limit_names_model_and_variant(model, representative):
    graph = step_graph(model, state_class=IntegerState)
    samples = rollouts(graph, [{"ids": representative[0].astype(np.int32)}])
    message = "model 'small' to variant 'int16x8' took longer than 0.1 seconds"
    with pytest.raises(ConversionFailed, match=message):
        calibrated(graph, samples, "int16x8", name="small", seconds=0.1)
