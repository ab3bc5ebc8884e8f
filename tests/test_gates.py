"""gates: textbook cases, recombination, masks, models, saturation, the picture."""

import json
import struct

import keras
import numpy as np
import pytest
from keras import ops

from gru_zoo.gates import Saturation, heat_map, layer_gates, model_gates, saturation
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

B, T, D, U = 3, 5, 4, 7
MASK = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomized(layer, features=D, seed=1, batch=None):
    layer.build((batch, None, features))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(scale=0.5, size=w.shape) for w in layer.weights])
    return layer


def with_gates(z_input, r_input, **options):
    """A GRU whose gates are sigmoid(z_input) and sigmoid(r_input), whatever comes in."""
    layer = randomized(GRU(U, return_sequences=True, kernel="loop", **options))
    kernel, recurrent, bias = layer.get_weights()
    for weights in (kernel, recurrent, bias):
        weights[..., : 2 * U] = 0.0
    input_bias = bias[0] if layer.cell.reset_after else bias
    input_bias[:U], input_bias[U : 2 * U] = z_input, r_input
    layer.set_weights([kernel, recurrent, bias])
    return layer


def recombined(gates):
    """Return the states that z, c and the states before give, [batch, time, units]."""
    keep = gates.z if gates.update_gate == "keep" else 1 - gates.z
    keep = gates.zoneout + (1 - gates.zoneout) * keep
    states = keep * gates.before + (1 - keep) * gates.c
    return np.where(gates.mask[:, :, None], states, gates.before)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_gates_recombined_are_the_layers_outputs(reset_after, update_gate, go_backwards, masked):
    layer = randomized(
        GRU(
            U,
            reset_after=reset_after,
            update_gate=update_gate,
            go_backwards=go_backwards,
            return_sequences=True,
            return_state=True,
            kernel="loop",
        )
    )
    x, h0, mask = draw(B, T, D), draw(B, U, seed=3), MASK if masked else None
    outputs, last = layer(x, initial_state=h0, mask=mask)
    gates = layer_gates(layer, x, mask=mask, initial_state=h0)
    states = recombined(gates)
    np.testing.assert_allclose(states, gates.after, atol=1e-6)
    in_order = np.asarray(outputs)[:, ::-1] if go_backwards else np.asarray(outputs)
    seen = MASK if masked else np.ones((B, T), bool)
    np.testing.assert_allclose(states[seen], in_order[seen], atol=1e-6)
    np.testing.assert_allclose(states[:, 0 if go_backwards else -1], last, atol=1e-6)
    for gate in (gates.z, gates.r, gates.c):
        np.testing.assert_array_equal(np.isnan(gate).all(-1), ~seen)
        np.testing.assert_array_equal(np.isnan(gate).any(-1), ~seen)
    assert (gates.z[seen] > 0).all() and (gates.z[seen] < 1).all()


@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_zoneout_and_layer_norm(update_gate):
    options = {"zoneout": 0.2, "layer_norm": True, "update_gate": update_gate}
    layer = randomized(GRU(U, return_sequences=True, kernel="loop", **options))
    gates = layer_gates(layer, draw(B, T, D), mask=MASK)
    outputs = np.asarray(layer(draw(B, T, D), mask=MASK))
    np.testing.assert_allclose(recombined(gates)[MASK], outputs[MASK], atol=1e-6)


@pytest.mark.parametrize("use_bias", [False, True])
def test_keras_layer(use_bias):
    layer = randomized(keras.layers.GRU(U, return_sequences=True, use_bias=use_bias))
    gates = layer_gates(layer, draw(B, T, D), mask=MASK)
    outputs = np.asarray(layer(draw(B, T, D), mask=MASK))
    np.testing.assert_allclose(recombined(gates)[MASK], outputs[MASK], atol=1e-6)


def test_cho_reset_gate_shut_forgets_the_state():
    """Cho et al. 2014: with r = 0 the candidate is tanh(x Wc + bc), whatever h is."""
    layer = with_gates(0.0, -1e4, reset_after=False)
    x = draw(B, T, D)
    first, second = (layer_gates(layer, x, initial_state=draw(B, U, seed=s)) for s in (3, 4))
    assert not first.r.any()
    np.testing.assert_array_equal(first.c, second.c)
    kernel, _, bias = layer.get_weights()
    np.testing.assert_allclose(first.c, np.tanh(x @ kernel[:, 2 * U :] + bias[2 * U :]), atol=1e-6)
    open_gate = with_gates(0.0, 1e4, reset_after=False)
    first, second = (layer_gates(open_gate, x, initial_state=draw(B, U, seed=s)) for s in (3, 4))
    assert np.abs(first.c - second.c).max() > 0.1


def test_reset_after_shut_leaves_the_input_bias_only():
    layer = with_gates(0.0, -1e4, reset_after=True)
    x = draw(B, T, D)
    kernel, _, bias = layer.get_weights()
    wanted = np.tanh(x @ kernel[:, 2 * U :] + bias[0, 2 * U :])
    gates = layer_gates(layer, x, initial_state=draw(B, U, seed=3))
    np.testing.assert_allclose(gates.c, wanted, atol=1e-6)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
@pytest.mark.parametrize("z", [0, 1])
def test_update_gate_keeps_or_writes_fully(reset_after, update_gate, z):
    layer = with_gates(1e4 if z else -1e4, 0.3, reset_after=reset_after, update_gate=update_gate)
    x, h0 = draw(B, T, D), draw(B, U, seed=3)
    gates = layer_gates(layer, x, initial_state=h0)
    np.testing.assert_array_equal(gates.z, np.full((B, T, U), z))
    outputs = np.asarray(layer(x, initial_state=h0))
    if (z == 1) == (update_gate == "keep"):
        np.testing.assert_array_equal(outputs, np.repeat(h0[:, None], T, axis=1))
    else:
        np.testing.assert_allclose(outputs, gates.c, atol=1e-6)


def test_half_and_double_precision():
    for dtype, limit in (("float64", 1e-12), ("mixed_float16", 1e-2)):
        layer = randomized(GRU(U, dtype=dtype, return_sequences=True, kernel="loop"))
        gates = layer_gates(layer, draw(B, T, D))
        assert gates.z.dtype == ("float64" if dtype == "float64" else "float32")
        np.testing.assert_allclose(recombined(gates), layer(draw(B, T, D)), atol=limit)


def a_model(layer):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(11, D, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(1)(layer(x)))


IDS = np.array([[4, 7, 2, 9, 1], [3, 5, 0, 0, 0]])


def test_layer_in_a_functional_model():
    layer = GRU(U, name="reader", kernel="loop")
    model = a_model(layer)
    embedded = model.layers[1].embeddings.numpy()[IDS]
    wanted = layer_gates(layer, embedded, mask=IDS != 0)
    for name in (None, "reader"):
        gates = model_gates(model, IDS, name)
        np.testing.assert_array_equal(gates.mask, IDS != 0)
        np.testing.assert_allclose(gates.z, wanted.z, atol=1e-6)
    assert "call" not in vars(layer)


class Subclassed(keras.Model):
    def __init__(self, times=1):
        super().__init__()
        self.inner = keras.Sequential([keras.layers.Embedding(11, D, mask_zero=True)])
        self.reader = GRU(U, return_sequences=True, name="reader", kernel="loop")
        self.times = times

    def call(self, ids):
        x = self.inner(ids)
        state = ops.ones((ops.shape(ids)[0], U))
        for _ in range(self.times):
            h = self.reader(x, mask=ids != 0, initial_state=state)
        return h


def test_layer_in_a_subclassed_model_with_its_initial_state():
    model = Subclassed()
    model(IDS)
    gates = model_gates(model, IDS)
    np.testing.assert_array_equal(gates.before[:, 0], np.ones((2, U)))
    np.testing.assert_array_equal(gates.mask, IDS != 0)
    twice = Subclassed(times=2)
    twice(IDS)
    with pytest.raises(ValueError, match="'reader' must run once .*; it ran 2 times"):
        model_gates(twice, IDS)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: StackedGRU(U, 2, True, kernel="loop", return_state=False), "backward_1"),
        (lambda: keras.layers.Bidirectional(GRU(U, name="g", kernel="loop")), "backward_g"),
        (lambda: keras.layers.Bidirectional(keras.layers.GRU(U, name="g")), "backward_g"),
    ],
)
def test_layer_inside_a_layer(make, name):
    layer = make()
    gates = model_gates(a_model(layer), IDS, name)
    assert (gates.layer, gates.go_backwards) == (name, True)
    np.testing.assert_array_equal(gates.mask, IDS != 0)
    np.testing.assert_array_equal(gates.before[1, 1], np.zeros(U))  # starts after the padding


def test_layers_of_one_name_are_told_apart_by_path():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(11, D)(ids)
    stacks = [StackedGRU(U, name=name, kernel="loop", return_state=False) for name in "ab"]
    model = keras.Model(ids, [stack(x) for stack in stacks])
    with pytest.raises(ValueError, match=r"\('a/forward_0', 'b/forward_0'\); got 'forward_0'"):
        model_gates(model, IDS, "forward_0")
    x = model.layers[1](IDS)
    for stack in stacks:
        gates = model_gates(model, IDS, f"{stack.name}/forward_0")
        np.testing.assert_allclose(gates.z, layer_gates(stack.grus[0][0], x).z, atol=1e-6)


def test_stateful_layer_keeps_its_state():
    layer = GRU(U, stateful=True, kernel="loop")
    model = keras.Sequential([keras.Input(batch_shape=(B, T, D)), layer])
    model(draw(B, T, D))
    remembered = layer.states[0].numpy()
    gates = model_gates(model, draw(B, T, D, seed=2))
    np.testing.assert_array_equal(gates.before[:, 0], remembered)
    np.testing.assert_array_equal(layer.states[0].numpy(), remembered)
    np.testing.assert_array_equal(
        layer_gates(layer, draw(B, T, D, seed=2)).before[:, 0], remembered
    )


def test_a_gate_that_is_no_number_is_not_counted_as_open_or_shut():
    layer = GRU(2, kernel="loop")
    layer.build((None, None, 1))
    x = np.array([0.5, np.nan], "float32").reshape(1, 2, 1)
    with pytest.raises(
        ValueError, match="gates of steps that are not masked must be finite; got NaN"
    ):
        saturation(layer_gates(layer, x))
    report = saturation(layer_gates(layer, x, mask=[[True, False]]))
    assert report.steps == 1


def test_saturation_counts_what_hand_made_weights_do():
    """z = sigmoid(x): x in (-9, -9, 0, 9 | masked 9) is shut, shut, half, open."""
    layer = GRU(2, kernel="loop", update_gate="write", name="hand")
    layer.build((None, None, 1))
    kernel = np.zeros((1, 6))
    kernel[0] = [1, 0, 0, -1, 0, 0]  # unit 0: z follows x; unit 1: r follows -x
    layer.set_weights([kernel, np.zeros((2, 6)), np.zeros((2, 6))])
    x = np.array([-9, -9, 0, 9, 9], "float32").reshape(1, 5, 1)
    report = saturation(layer_gates(layer, x, mask=[[True, True, True, True, False]]))
    assert report.steps == 4
    assert report.z_low.tolist() == [0.5, 0.0]
    assert report.z_high.tolist() == [0.25, 0.0]
    assert report.r_low.tolist() == [0.0, 0.25]
    assert report.r_high.tolist() == [0.0, 0.5]
    assert json.loads(json.dumps(report.as_dict()))["z_low"] == [0.5, 0.0]
    lines = str(report).splitlines()
    assert lines[0] == "hand: 4 steps, 2 units; update gate 'write': 1 overwrites the state"
    assert lines[2].split() == "update gate z < 0.05 25.0% 50.0% 0".split()
    assert lines[5].split() == "reset gate r > 0.95 25.0% 50.0% 1".split()
    assert saturation(layer_gates(layer, x), low=0.5, high=0.6).z_low.tolist() == [0.4, 0.0]
    assert isinstance(report, Saturation)


@pytest.mark.parametrize(
    "options", [{}, {"tokens": ["$a$", "fine", "filmé", "$", "_"], "show": ["z"], "units": [3, 1]}]
)
def test_heat_map_is_a_png(tmp_path, options):
    gates = layer_gates(randomized(GRU(U, kernel="loop")), draw(B, T, D), mask=MASK)
    heat_map(gates, tmp_path / "new" / "gates.png", example=1, title="a $ title", **options)
    data = (tmp_path / "new" / "gates.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 600 and height > 200
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["gates.png"]


def test_picture_shows_the_numbers():
    from gru_zoo.gates_figure import draw as draw_figure

    z = np.array([[0.0, np.nan, 1.0], [0.25, np.nan, 0.5]])
    figure = draw_figure(
        {"z": z, "c": 3 * z},
        rows=[4, 6],
        first_step=7,
        tokens=["a", "b", "c"],
        z_means="1 keeps the state",
        title="gru",
    )
    upper, lower = figure.axes[:2]
    np.testing.assert_array_equal(np.ma.filled(upper.images[0].get_array(), np.nan), z)
    assert upper.images[0].get_clim() == (0.0, 1.0)
    assert lower.images[0].get_clim() == (-3.0, 3.0)
    assert "1 keeps the state" in upper.get_title(loc="left")
    assert [label.get_text() for label in lower.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in upper.get_yticklabels()] == ["4", "6"]


def some_gates(mask=None):
    layer = randomized(GRU(U, kernel="loop"))
    return layer_gates(layer, draw(B, T, D), mask=mask)


def not_a_number():
    gates = some_gates()
    gates.c[0, 2, 3] = np.nan
    return gates


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda: layer_gates(keras.layers.LSTM(U), draw(B, T, D)), "layer must be a GRU; got LSTM"),
        (lambda: layer_gates(GRU(U), draw(B, T, D)), "layer must be built"),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, 3)),
            r"inputs must have shape \(batch None, .*features 4\); got \(3, 5, 3\)",
        ),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, D), mask=MASK[:, :4]),
            r"mask must have shape \(batch 3, time 5\); got \(3, 4\)",
        ),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, D), initial_state=draw(2, U)),
            r"initial_state must have shape \(batch 3, units 7\); got \(2, 7\)",
        ),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, D), initial_state=[]),
            r"initial_state must have shape \(batch 3, units 7\); got \(0,\)",
        ),
        (lambda: layer_gates(randomized(GRU(U)), "abc"), "inputs must be an array of .* a str"),
        (lambda: layer_gates(randomized(GRU(U)), None), "inputs must be an array of .* a NoneType"),
        (lambda: layer_gates(randomized(GRU(U)), [[1, 2], [3]]), "inputs must be an array of num"),
        (
            lambda: layer_gates(randomized(GRU(U)), keras.Input((T, D))),
            "inputs must be an array of numbers; got a KerasTensor of float32",
        ),
        (lambda: layer_gates(randomized(GRU(U)), 1j * draw(B, T, D)), "got a ndarray of complex64"),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, D), initial_state=[[[1], [1, 2]]]),
            "initial_state must be an array of numbers; got a list",
        ),
        (
            lambda: layer_gates(randomized(GRU(U)), draw(B, T, D), mask="right"),
            "mask must be an array of numbers; got a str",
        ),
        (lambda: model_gates(GRU(U), IDS), "model must be a keras.Model; got GRU"),
        (
            lambda: model_gates(a_model(GRU(U, name="reader")), IDS, "reeder"),
            "one GRU layer of the model .'reader'.; got 'reeder'. Did you mean 'reader'",
        ),
        (lambda: model_gates(a_model(keras.layers.LSTM(U)), IDS), r"\(none\); got None"),
        (lambda: saturation(some_gates(), low=0.9, high=0.1), "low < high .*; got 0.9 and 0.1"),
        (lambda: saturation(some_gates(), low=None), "low must be a number; got None"),
        (lambda: saturation(some_gates(), high="1"), "high must be a number; got '1'"),
        (lambda: saturation([some_gates()]), "gates must be a Gates; got a list"),
        (lambda: heat_map("gates", "x.png"), "gates must be a Gates; got a str"),
        (lambda: heat_map(some_gates(), None), "path must be a string or an os.PathLike; got None"),
        (lambda: saturation(some_gates(np.zeros((B, T)))), "a step that is not masked; got none"),
        (
            lambda: heat_map(some_gates(), "x.jpg"),
            "path's ending must be one of '.png'; got '.jpg'",
        ),
        (
            lambda: heat_map(some_gates(), "x.png", example=3),
            "example must be an integer from 0 to 2; got 3",
        ),
        (lambda: heat_map(some_gates(), "x.png", tokens=["a"]), "for each of 5 steps; got 1"),
        (lambda: heat_map(some_gates(), "x.png", tokens=3), "tokens must be a list; got 3"),
        (lambda: heat_map(some_gates(), "x.png", tokens=set("abcde")), "tokens must be a list"),
        (lambda: heat_map(some_gates(), "x.png", title=3), "title must be a string; got 3"),
        (lambda: heat_map(some_gates(), "x.png", show=3), "show must be a list; got 3"),
        (lambda: heat_map(some_gates(), "x.png", units=3), "units must be a list; got 3"),
        (lambda: heat_map(some_gates(), "x.png", show=["h"]), "show must be one of .* got 'h'"),
        (lambda: heat_map(some_gates(), "x.png", show=[]), "show must name one of"),
        (lambda: heat_map(some_gates(), "x.png", units=[7]), "units must be .* 0 to 6; got 7"),
        (lambda: heat_map(some_gates(), "x.png", units=[1.5]), "units must be .*; got 1.5"),
        (lambda: heat_map(some_gates(), "x.png", units=[]), "units must name one .*; got none"),
        (lambda: heat_map(some_gates(), "x.png", example=True), "example must be .*; got True"),
        (
            lambda: heat_map(not_a_number(), "x.png"),
            "gates of steps that are not masked must be finite",
        ),
        (
            lambda: heat_map(some_gates(np.zeros((B, T))), "x.png"),
            "example must have a step that is not masked; got 0",
        ),
    ],
)
def test_wrong_input(act, message):
    with pytest.raises(ValueError, match=message) as error:
        act()
    assert "\n" not in str(error.value)


def test_a_state_may_come_in_kerass_list():
    layer, h0 = randomized(GRU(U)), draw(B, U, seed=3)
    expected = layer_gates(layer, draw(B, T, D), initial_state=h0).after
    for given in ([h0], (ops.convert_to_tensor(h0),), h0.tolist()):
        got = layer_gates(layer, draw(B, T, D), initial_state=given).after
        np.testing.assert_array_equal(got, expected)
    one = layer_gates(layer, draw(1, T, D), initial_state=h0[:1].tolist())
    np.testing.assert_array_equal(one.before[0, 0], h0[0])
