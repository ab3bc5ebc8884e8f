"""Convolutions over time: the definition in float64, Keras, and what a file makes of them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import Input, layers

from gru_zoo import GRU, export
from gru_zoo.export.checks import arrays
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.flatbuffer.operators import name_of
from gru_zoo.export.graphs import convolution
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.layers.pooling import MaskedPooling

T, F, N = 13, 5, 6  # steps, features, filters
RANDOM = np.random.default_rng(0)
DESTROYED = "ignore:Layer .* was passed an input with a mask"


def by_definition(x, kernel, bias, dilation, left):
    """y_t = sum over i of x_(t + i d - left) K_i + b, x zero outside of the sequence."""
    x, kernel = np.float64(x), np.float64(kernel)
    y = np.zeros((len(x), kernel.shape[2])) + np.float64(bias)
    for t in range(len(x)):
        for i in range(len(kernel)):
            source = t + i * dilation - left
            if 0 <= source < len(x):
                y[t] += x[source] @ kernel[i]
    return y


def frames(*shape):
    return RANDOM.normal(0.2, 1, size=shape).astype("float32")


def moved(model):
    """Return a model with every weight, BatchNormalization's moments too, off its first value."""
    random = np.random.default_rng(3)
    for weight in model.weights:
        value = random.normal(0.1, 0.4, weight.shape)
        weight.assign(0.3 + np.abs(value) if "variance" in weight.path else value)
    return model


def sequential(*stack, shape=(None, F)):
    return moved(keras.Sequential([Input(shape), *stack]))


def conv(kernel_size=3, dilation=2, padding="causal", **options):
    return layers.Conv1D(N, kernel_size, padding=padding, dilation_rate=dilation, **options)


def built(layer):
    return sequential(layer).layers[0]


def streamed(step, initial, x):
    """Return the outputs of all steps, [steps, ...]."""
    states, taken = initial, []
    for row in x:
        results = step(inputs=tf.constant(row[None]), **states)
        states = {name: results[name] for name in states}
        taken.append(results["outputs"][0])
    return np.stack(taken)


OPTIONS = {
    "dilated": ((3, 2), {}, 4),
    "plain": ((4, 1), {"activation": "relu"}, 3),
    "without bias": ((2, 3), {"use_bias": False}, 3),
    "same": ((4, 1), {"padding": "same"}, 1),
    "same, dilated": ((3, 3), {"padding": "same", "activation": "softmax"}, 3),
    "one frame": ((1, 1), {"padding": "valid", "activation": "tanh"}, 0),
    "beyond the sequence": ((3, 9), {}, 18),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_whole_sequence_is_the_definition_and_keras(name):
    (size, dilation), options, left = OPTIONS[name]
    layer, x = built(conv(size, dilation, **options)), frames(T, F)
    kernel, bias = layer.kernel.numpy(), 0 if layer.bias is None else layer.bias.numpy()
    wanted = by_definition(x, kernel, bias, dilation, left)
    wanted = keras.ops.convert_to_numpy(layer.activation(wanted))
    found = convolution.over_sequence(layer, tf.constant(x))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found, layer(x[None])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in OPTIONS if "same" not in name])
def test_a_stream_is_the_definition(name):
    (size, dilation), options, left = OPTIONS[name]
    model, x = sequential(conv(size, dilation, name="conv", **options)), frames(T, F)
    graph, layer = step_graph(model), model.layers[0]
    bias = 0 if layer.bias is None else layer.bias.numpy()
    wanted = by_definition(x, layer.kernel.numpy(), bias, dilation, left)
    wanted = keras.ops.convert_to_numpy(layer.activation(wanted))
    found = streamed(graph.step, graph.initial(), x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_state_is_the_last_frames_the_oldest_first():
    graph, x = step_graph(sequential(conv(name="conv"), layers.GRU(7, name="gru"))), frames(T, F)
    assert {name: tuple(spec.shape) for name, spec in graph.states.items()} == {
        "state_conv": (1, 4 * F),
        "state_gru": (1, 7),
    }
    states = graph.initial()
    assert not np.any(states["state_conv"])
    for row in x:
        results = graph.step(inputs=row[None], **states)
        states = {name: results[name] for name in states}
    np.testing.assert_array_equal(states["state_conv"], x[-4:].reshape(1, -1))


def normalized():
    return sequential(
        conv(use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GRU(7),
        layers.Dense(3),
    )


def beside():
    """The second GRU reads the convolution and the first GRU, the pooling both."""
    x = Input((None, F))
    y = conv(activation="tanh", name="largest_max")(x)
    h = layers.GRU(7, return_sequences=True)(y)
    both = layers.Concatenate()([y, h])
    read = [GRU(4)(both), layers.GlobalMaxPooling1D()(both), MaskedPooling()(y)]
    return moved(keras.Model(x, layers.Dense(3)(layers.Concatenate()(read))))


def called_twice():
    a, b, layer = Input((None, F), name="a"), Input((None, F), name="b"), conv(name="conv")
    read = [layers.GRU(7)(layer(a)), layers.GRU(4)(layer(b))]
    return moved(keras.Model([a, b], layers.Dense(3)(layers.Concatenate()(read))))


def words():
    stack = layers.Embedding(20, F, mask_zero=True), conv(), layers.GRU(7), layers.Dense(3)
    return sequential(*stack, shape=(None,))


# name -> (model, its states)
CAUSAL = {
    "normalized": (normalized, 2),
    "behind a GRU": (
        lambda: sequential(layers.GRU(7, return_sequences=True), conv(), GRU(4), layers.Dense(3)),
        3,
    ),
    "between GRUs, every step": (
        lambda: sequential(
            conv(2, 1), layers.GRU(7, return_sequences=True), conv(), GRU(4, return_sequences=True)
        ),
        4,
    ),
    "two": (lambda: sequential(conv(2, 5), conv(4, 1), conv(1, 1), layers.GRU(7)), 3),
    "beside": (beside, 10),
    "called twice": (called_twice, 4),
    "words": (words, 2),
    "masked": (lambda: sequential(layers.Masking(), conv(), layers.GRU(7), layers.Dense(3)), 2),
    "half precision": (lambda: sequential(conv(dtype="mixed_float16"), layers.GRU(7)), 2),
}
AHEAD = {
    "same": lambda: sequential(conv(4, padding="same"), layers.GRU(7), layers.Dense(3)),
    "depthwise": lambda: sequential(
        layers.DepthwiseConv1D(4, padding="same", depth_multiplier=2, activation="relu"),
        layers.GRU(7),
    ),
    "separable": lambda: sequential(
        layers.SeparableConv1D(N, 3, padding="same", dilation_rate=2, depth_multiplier=2),
        layers.GRU(7, return_sequences=True),
    ),
}
# What the loops make differently; CI runs the others too.
QUICK = ("behind a GRU", "beside", "masked", "words", *AHEAD)
LIMIT = {"half precision": 1e-2}


def given_to(model, time):
    """Return inputs of one sequence by name; some of its steps are zero."""
    given = {}
    for name, about in Network(model).inputs.items():
        ids = RANDOM.integers(20, size=(1, time)).astype("int32")
        given[name] = ids if about.kind == "ids" else frames(1, time, F)
        given[name][:, 2::3] = 0
    return given


def of_keras(model, given):
    return np.float32(model(list(given.values()) if len(given) > 1 else given.popitem()[1]))


@pytest.mark.filterwarnings(DESTROYED)
@pytest.mark.parametrize("name", CAUSAL)
def test_a_stream_gives_what_keras_gives(name):
    make, states = CAUSAL[name]
    model = make()
    graph, given = step_graph(model), given_to(model, T)
    assert len(graph.states) == states
    memory = graph.initial()
    for t in range(T):
        results = graph.step(**{key: x[:, t] for key, x in given.items()}, **memory)
        memory = {key: results[key] for key in memory}
    wanted = of_keras(model, given)
    last = wanted[:, -1] if wanted.ndim > 2 else wanted
    np.testing.assert_allclose(results["outputs"], last, atol=LIMIT.get(name, 1e-5))


@pytest.mark.filterwarnings(DESTROYED)
@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in (*CAUSAL, *AHEAD)],
)
@pytest.mark.parametrize("time", [T, pytest.param(1, marks=pytest.mark.slow)])
def test_a_whole_sequence_gives_what_keras_gives(name, time):
    model = AHEAD[name]() if name in AHEAD else CAUSAL[name][0]()
    graph, given = SequenceGraph(Network(model)), given_to(model, time)
    assert graph.causal == (name in CAUSAL)
    found = graph.whole(**{key: tf.constant(x) for key, x in given.items()})["outputs"]
    np.testing.assert_allclose(found, of_keras(model, given), atol=LIMIT.get(name, 1e-5))


def operators(content, graph):
    """Return the operators of a file's graph by name, in their order."""
    model = schema.ModelT.InitFromPackedBuf(content)
    codes = [name_of(code) for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[graph].operators]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return the model `normalized` and its file."""
    path, model = tmp_path_factory.mktemp("convolved") / "m.tflite", normalized()
    export.tflite(model, path)
    return model, path


def test_litert_runs_both_signatures(file):
    model, path = file
    for time in (1, 3, 40):
        x = frames(1, time, F)
        whole = Interpreter(str(path)).get_signature_runner("serving_default")(inputs=x)
        stream = Streamer(path)
        last = [stream.push(row) for row in x[0]][-1]
        np.testing.assert_allclose(whole["outputs"], model(x), atol=1e-5)
        np.testing.assert_allclose(last["outputs"], whole["outputs"], atol=1e-6)


def test_a_convolution_in_front_is_in_no_loop_and_its_normalization_nowhere(file):
    content = file[1].read_bytes()
    graphs = range(len(schema.ModelT.InitFromPackedBuf(content).subgraphs))
    found = [operators(content, graph) for graph in graphs]
    assert "CONCATENATION" in found[0] and "CONCATENATION" in found[1]
    assert all("CONCATENATION" not in body for body in found[2:])
    front = found[1][: found[1].index("SPLIT")]
    assert sorted(front) == sorted(
        ["CONCATENATION", "RESHAPE", "STRIDED_SLICE", "STRIDED_SLICE", "RESHAPE"]
        + 2 * ["FULLY_CONNECTED"]
    )


def test_what_looks_ahead_has_no_step(tmp_path):
    model = sequential(conv(4, padding="same", name="conv"), layers.GRU(7))
    export.tflite(model, tmp_path / "m.tflite")
    assert list(Interpreter(str(tmp_path / "m.tflite")).get_signature_list()) == ["serving_default"]
    with pytest.raises(
        ValueError, match="layer 'conv' cannot run step by step: padding must be 'c"
    ):
        step_graph(model)


class Mine(layers.Conv1D):
    """A subclass, which may compute anything."""


REFUSED = {
    "valid": (conv(padding="valid", name="c"), "padding 'causal' or 'same', .* got 'valid'"),
    "strides": (layers.Conv1D(N, 3, 2, padding="causal", name="c"), r"strides=\(1,\); got \(2,\)"),
    "groups": (layers.Conv1D(10, 3, groups=5, padding="causal", name="c"), "groups=1; got 5"),
    "channels": (
        conv(data_format="channels_first", name="c"),
        "data_format='channels_last'; got 'channels_first'",
    ),
    "subclass": (Mine(N, 3, padding="causal", name="c"), "must be one of Conv1D, .* itself; got"),
    "depthwise": (layers.DepthwiseConv1D(3, name="c"), "padding 'same', which keeps .* 'valid'"),
    "separable": (layers.SeparableConv1D(N, 3, name="c"), "padding 'same', which keeps .* 'valid'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_and_option(name, tmp_path):
    layer, message = REFUSED[name]
    model = sequential(layer, layers.GRU(7), shape=(T, F))
    for make in (step_graph, lambda model: export.tflite(model, tmp_path / "m.tflite")):
        with pytest.raises(ValueError, match=f"layer 'c' .*{message}") as error:
            make(model)
        assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def ignores_dilation(layer, before, row):
    frames = tf.concat([before, row], -1)[:, -layer.kernel_size[0] * F :]
    return convolution._product(layer, frames), tf.concat([before, row], -1)[:, F:]


def shifted(layer, before, row):
    y, _ = right(layer, before, row)
    return y, tf.concat([before[:, 2 * F :], row, row], -1)


def reversed_frames(layer, before, row):
    again = tf.reverse(tf.reshape(before, (-1, F)), [0])
    return right(layer, tf.reshape(again, (1, -1)), row)


def forgets_the_oldest(layer, before, row):
    y, after = right(layer, before, row)
    return y, tf.concat([tf.zeros((1, F)), after[:, F:]], -1)


right = convolution.in_step


@pytest.fixture(scope="module")
def looks_far():
    """Return a model whose step is right, and back further than those others are compared on."""
    model = sequential(conv(2, 11), layers.GRU(7))
    arrays.require_step(model)
    return model


@pytest.mark.parametrize(
    "wrong",
    [ignores_dilation, shifted, reversed_frames, forgets_the_oldest],
    ids=lambda f: f.__name__,
)
def test_a_wrong_step_is_refused(wrong, looks_far, monkeypatch):
    monkeypatch.setattr(convolution, "in_step", wrong)
    with pytest.raises(Refused, match="must be within 1e-05"):
        arrays.require_step(looks_far)


VARIANTS = ("float16", "int8", "int4", "int8_full", "int16x8")


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
@pytest.mark.parametrize(
    ("variant", "name"),
    [
        *((variant, "normalized") for variant in VARIANTS),
        *itertools.product(("int8", "int8_full"), ("behind a GRU", "two")),
    ],
)
def test_every_variant_is_near_keras_on_a_long_stream(variant, name, tmp_path):
    if variant == "int4":
        pytest.importorskip("ai_edge_quantizer")
    make, _ = CAUSAL[name]
    model = make()
    for weight in model.trainable_variables:  # Of the size that trained ones have.
        weight.assign(0.5 * weight)
    options = {}
    if variant in ("int8_full", "int16x8"):
        options = {"representative": [frames(40, F) for _ in range(30)]}
    export.tflite(model, tmp_path / "m.tflite", variant, **options)
    stream, x = Streamer(tmp_path / "m.tflite"), frames(1, 300, F)
    found = [stream.push(row)["outputs"][0] for row in x[0]]
    wanted = [model(x[:, : t + 1])[0] for t in (9, 99, 299)]
    limit = {"float16": 1e-3, "int16x8": 1e-2, "int4": 0.2}.get(variant, 5e-2)
    np.testing.assert_allclose(np.array(found)[[9, 99, 299]], wanted, atol=limit)


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
@pytest.mark.parametrize("variant", ["float32", "int8_full", "int16x8"])
def test_a_microcontroller_steps_as_keras_does(variant):
    pytest.importorskip("tflite_micro")
    from benchmarks import micro_steps
    from gru_zoo.export import micro

    model, x = normalized(), frames(30, F)
    representative = None if variant == "float32" else [frames(40, F) for _ in range(30)]
    content = micro.step_file(model, variant, representative)
    about = micro.MicroStep(content)
    assert micro.smallest_arena(content) < 20_000
    outputs = micro_steps.stream(about, about, content, [x], len(x))["outputs"]
    wanted = [model(x[None, : t + 1])[0] for t in range(len(x))]
    limit = {"float32": 1e-5, "int8_full": 0.1, "int16x8": 0.02}[variant]
    np.testing.assert_allclose(outputs.reshape(len(x), -1), np.array(wanted), atol=limit)


def test_a_saved_model_holds_convolutions_too(tmp_path):
    model = sequential(conv(), layers.BatchNormalization(), GRU(7), layers.Dense(3))
    export.saved_model(model, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    x = frames(2, T, F)
    given = served.signatures["serving_default"](inputs=tf.constant(x))["outputs"]
    np.testing.assert_allclose(given, model(x), atol=1e-5)
