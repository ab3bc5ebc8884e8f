"""convert: to and from the ONNX operator GRU, checked by onnxruntime."""

import numpy as np
import pytest

from gru_zoo.convert import from_onnx, from_onnx_tensors, to_onnx_tensors
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

B, T, D, U = 3, 5, 4, 7


def draw(*shape, seed=0):
    return (0.4 * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def tensors(directions=1, bias=True):
    arrays = {
        "W": draw(directions, 3 * U, D, seed=1),
        "R": draw(directions, 3 * U, U, seed=2),
        "B": draw(directions, 6 * U, seed=3),
    }
    return arrays if bias else {"W": arrays["W"], "R": arrays["R"]}


def model_of(arrays, inputs=("X", "W", "R", "B", "", "h0"), constants=True, **attributes):
    """An ONNX model of one GRU node named "gru"."""
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    names = [name if name in ("X", "h0", *arrays) or "lens" in name else "" for name in inputs]
    node = helper.make_node("GRU", names, ["Y", "Y_h"], name="gru", **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, number, None) for name in ("X", "h0")],
        [helper.make_tensor_value_info(name, number, None) for name in ("Y", "Y_h")],
        [onnx.numpy_helper.from_array(v, k) for k, v in arrays.items() if constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model, x, h0):
    """Return Y [batch, time, directions * units] and Y_h [directions, batch, units]."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    y, y_h = session.run(None, {"X": x.swapaxes(0, 1), "h0": h0})
    return y.transpose(2, 0, 1, 3).reshape(B, T, -1), y_h


def outputs_of(layer, x, h0):
    if isinstance(layer, StackedGRU):
        return layer(x, initial_state=h0)
    y, h = layer(x, initial_state=h0[0])
    return (y[:, ::-1] if layer.go_backwards else y), h[None]


@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("bias, update_gate", [(True, "keep"), (False, "write")])
def test_equals_onnxruntime_both_ways(linear_before_reset, direction, bias, update_gate):
    directions = 2 if direction == "bidirectional" else 1
    arrays = tensors(directions, bias)
    attributes = {
        "hidden_size": U,
        "direction": direction,
        "linear_before_reset": linear_before_reset,
    }
    model = model_of(arrays, **attributes)
    layer = from_onnx(model, update_gate=update_gate, kernel="loop")
    x, h0 = draw(B, T, D), draw(directions, B, U, seed=5)
    wanted = run(model, x, h0)
    for got, want in zip(outputs_of(layer, x, h0), wanted, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)
    back = to_onnx_tensors(layer)
    assert back.attributes == attributes
    for got, want in zip(run(model_of(back.tensors, **attributes), x, h0), wanted, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_there_and_back_bit_for_bit(linear_before_reset, direction, bias, update_gate):
    arrays = tensors(2 if direction == "bidirectional" else 1, bias)
    if bias and not linear_before_reset:
        arrays["B"][:, 3 * U :] = 0.0  # only the sum of the halves survives in this convention
        arrays["B"][:, :2] = -0.0
    layer = from_onnx_tensors(
        **arrays,
        direction=direction,
        linear_before_reset=linear_before_reset,
        update_gate=update_gate,
    )
    back = to_onnx_tensors(layer)
    assert list(back.tensors) == list(arrays)
    for key, array in arrays.items():
        assert back.tensors[key].tobytes() == array.tobytes(), key
    again = from_onnx_tensors(**back.tensors, **back.attributes, update_gate=update_gate)
    for mine, theirs in zip(again.get_weights(), layer.get_weights(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_each_layer_of_a_stack_is_a_node():
    layer = StackedGRU(U, num_layers=2, bidirectional=True, dtype="float64")
    layer.build((None, None, D))
    second = to_onnx_tensors(layer, index=1)
    assert second.tensors["W"].shape == (2, 3 * U, 2 * U)
    assert second.tensors["W"].dtype == "float64"
    assert from_onnx_tensors(**second.tensors, **second.attributes).dtype == "float64"
    with pytest.raises(ValueError, match="index must be an integer from 0 to 1; got 2"):
        to_onnx_tensors(layer, index=2)


def test_reads_a_file_and_a_node_and_constant_nodes(tmp_path):
    onnx = pytest.importorskip("onnx")
    arrays = tensors()
    model = model_of(arrays, hidden_size=U)
    onnx.save(model, tmp_path / "gru.onnx")
    node = model.graph.node[0]
    protos = {key: onnx.numpy_helper.from_array(value) for key, value in arrays.items()}
    moved = model_of(arrays, constants=False, hidden_size=U)
    for key, proto in protos.items():
        moved.graph.node.insert(0, onnx.helper.make_node("Constant", [], [key], value=proto))
    layers = [
        from_onnx(tmp_path / "gru.onnx"),
        from_onnx(str(tmp_path / "gru.onnx"), "gru"),
        from_onnx(node, initializers=arrays),
        from_onnx(node, initializers=protos),
        from_onnx(moved),
    ]
    for layer in layers:
        for key, array in to_onnx_tensors(layer).tensors.items():
            if key != "B":
                np.testing.assert_array_equal(array, arrays[key])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch warns about its own exporter
def test_an_export_by_torch_converts_layer_by_layer(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    module = torch.nn.GRU(D, U, num_layers=2, batch_first=True, bidirectional=True)
    x = torch.from_numpy(draw(B, T, D))
    torch.onnx.export(module, (x,), tmp_path / "torch.onnx", dynamo=False)
    with pytest.raises(ValueError, match="node must say which GRU: '/GRU', '/GRU_1'; got None"):
        from_onnx(tmp_path / "torch.onnx")
    first, second = (from_onnx(tmp_path / "torch.onnx", name) for name in ("/GRU", "/GRU_1"))
    output, _ = second(first(x.numpy())[0])
    np.testing.assert_allclose(output, module(x)[0].detach(), atol=1e-5)


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"clip": 3.0}, "'gru' must have no attribute clip, which .*; got 3.0"),
        ({"layout": 1}, r"layout of node 'gru' must be 0 \(time first\); got 1"),
        ({"activations": ["Relu", "Tanh"]}, "must be Sigmoid and Tanh .*; got Relu, Tanh"),
        ({"activations": ["HardSigmoid", "Tanh"]}, "got HardSigmoid, Tanh"),
        ({"activation_alpha": [0.1]}, r"no attribute activation_alpha.*got \[0.1"),
        ({"direction": "both"}, "direction of node 'gru' must be one of .*; got 'both'"),
        ({"direction": 3}, "direction of node 'gru' must be one of .*; got 3"),
        ({"activations": [1.0]}, "must be Sigmoid and Tanh .*; got 1.0"),
        ({"activations": 3}, "activations of node 'gru' must be a list; got 3"),
        ({"linear_before_reset": 2}, "linear_before_reset must be one of 0, 1; got 2"),
        ({"hidden_size": "many"}, "hidden_size must be an integer of at least 1; got 'many'"),
        ({"hidden_size": 8}, "hidden_size must equal the last axis of R, 7; got 8"),
        ({"direction": "bidirectional"}, r"R must have shape \[2, 21, 7\].*; got \[1, 21, 7\]"),
    ],
)
def test_wrong_attributes(attributes, message):
    with pytest.raises(ValueError, match=message) as error:
        from_onnx(model_of(tensors(), **attributes))
    assert "\n" not in str(error.value)


def test_default_activations_may_be_spelt_out():
    model = model_of(tensors(2), direction="bidirectional", activations=["Sigmoid", "tanh"] * 2)
    assert from_onnx(model).directions == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"inputs": ("X", "W", "R", "B", "lens")}, "no sequence_lens .*mask.*; got 'lens'"),
        ({"constants": False}, r"W of node 'gru' must be a constant .*; got 'W'"),
        ({"inputs": ("X", "W")}, "R of node 'gru' must be given"),
        ({"inputs": ("X", "W", "R", "", "", "B")}, "initial_h of node 'gru' must be zero"),
    ],
)
def test_wrong_inputs(change, message):
    with pytest.raises(ValueError, match=message):
        from_onnx(model_of(tensors(), **change))


@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256))])
def test_a_file_that_is_no_model_is_named(content, tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "gru.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="source must be a whole ONNX file; .*gru.onnx is none"):
        from_onnx(path)
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        from_onnx(tmp_path / "missing.onnx")


@pytest.mark.parametrize("ending", ["json", "onnxtxt", "textproto"])
def test_a_text_that_is_no_model_is_named(ending, tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / f"gru.{ending}"
    path.write_text("no model")
    with pytest.raises(ValueError, match=f"a whole ONNX file; .*gru.{ending} is none") as error:
        from_onnx(path)
    assert "\n" not in str(error.value)


def test_a_model_without_its_external_data_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "gru.onnx"
    options = {"save_as_external_data": True, "location": "data", "size_threshold": 0}
    onnx.save(model_of(tensors()), path, **options)
    assert from_onnx(path).units == U
    (tmp_path / "data").unlink()
    with pytest.raises(ValueError, match="a whole ONNX file; .*gru.onnx is none: .*data"):
        from_onnx(path)
    with pytest.raises(ValueError, match="W of node 'gru' must hold its numbers: "):
        from_onnx(onnx.load(path, load_external_data=False))


@pytest.mark.parametrize(
    "initializers, message",
    [
        (3, "initializers must be a Mapping; got a int"),
        ("W", "initializers must be a Mapping; got a str"),
        ({"W": None}, "W of node 'gru' must be an array of numbers; got a NoneType"),
    ],
)
def test_wrong_initializers(initializers, message):
    pytest.importorskip("onnx")
    node = model_of(tensors()).graph.node[0]
    with pytest.raises(ValueError, match=message):
        from_onnx(node, initializers=initializers)
    with pytest.raises(ValueError, match="node must be None for a NodeProto, .*; got 'gru'"):
        from_onnx(node, "gru", initializers=tensors())


def test_wrong_nodes():
    onnx = pytest.importorskip("onnx")
    lstm = onnx.helper.make_node("LSTM", ["X", "W", "R"], ["Y"], name="other")
    with pytest.raises(ValueError, match="node 'other' must be a GRU; got LSTM"):
        from_onnx(lstm)
    model = model_of(tensors())
    with pytest.raises(ValueError, match="node must be one of 'gru'; got 'grus'. Did you mean"):
        from_onnx(model, "grus")
    with pytest.raises(ValueError, match="initializers must be None for a model"):
        from_onnx(model, initializers={})
    second = model.graph.node.add()
    second.CopyFrom(model.graph.node[0])
    second.name, second.output[0] = "", "Z"
    with pytest.raises(ValueError, match="node must say which GRU: 'gru', 'Z'; got None"):
        from_onnx(model)
    assert from_onnx(model, "Z").units == U
    second.name = "gru"  # names may repeat, and say nothing then
    with pytest.raises(ValueError, match="node must say which GRU: 'Y', 'Z'; got None"):
        from_onnx(model)
    with pytest.raises(ValueError, match="node must be one of 'Y', 'Z'; got 'gru'"):
        from_onnx(model, "gru")
    assert from_onnx(model, "Y").units == U
    del model.graph.node[:]
    with pytest.raises(ValueError, match="must hold a GRU node in its main graph; got none"):
        from_onnx(model)
    with pytest.raises(ValueError, match="source must be a path, an onnx.ModelProto.*; got int"):
        from_onnx(3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"W": draw(21, 4)}, r"W must have shape \[1, 21, 4\].*; got \[21, 4\]"),
        ({"R": draw(1, 28, 7)}, r"R must have shape \[1, 21, 7\].*; got \[1, 28, 7\]"),
        ({"B": draw(1, 21)}, r"B must have shape \[1, 42\].*; got \[1, 21\]"),
        ({"B": np.ones((1, 42))}, "B must be float.*; got float64, and W is float32"),
        ({"W": np.ones((1, 21, 4), int)}, "must be float"),
        ({"R": 3.0}, "R must have shape"),
        ({"W": None}, "W must be an array of numbers; got a NoneType"),
        ({"B": [[1], [1, 2]]}, "B must be an array of numbers; got a list"),
        ({"hidden_size": "7"}, "hidden_size must be an integer of at least 1; got '7'"),
        ({"direction": "backward"}, "direction must be one of 'forward', 'reverse', "),
        ({"update_gate": "x"}, "update_gate must be one of"),
    ],
)
def test_wrong_tensors(change, message):
    with pytest.raises(ValueError, match=message):
        from_onnx_tensors(**{**tensors(), **change})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"activation": "relu"}, "activation must be 'tanh' for ONNX; got 'relu'"),
        ({"recurrent_activation": "relu"}, "recurrent_activation must be 'sigmoid' for ONNX"),
    ],
)
def test_what_onnx_tensors_do_not_say(options, message):
    layer = GRU(U, **options)
    layer.build((None, None, D))
    with pytest.raises(ValueError, match=message):
        to_onnx_tensors(layer)
