"""A stream through a file: equal to the model, pausable, copyable, and alone."""

import copy
import pickle

import numpy as np
import pytest

from gru_zoo import export
from gru_zoo.export.runners.streamer import Streamer, _float, _quantized
from tests.export.conftest import make_classifier

IDS = np.random.default_rng(8).integers(1, 40, 12)


def pushed(stream, ids):
    outputs = None
    for word in ids:
        outputs = stream.push(word)
    return outputs["probabilities"]


@pytest.fixture(scope="module")
def path(exported):
    return exported["float32"]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_of_a_stream_equal_the_model(classifier, path, chunk):
    """A stream that is pickled between chunks, and goes on in another interpreter."""
    state = Streamer(path).state
    for start in range(0, len(IDS), chunk):
        stream = Streamer(path)
        stream.state = pickle.loads(pickle.dumps(state))
        result = pushed(stream, IDS[start : start + chunk])
        state = stream.state
    wanted = classifier.predict(IDS[None].astype(np.int32), verbose=0)
    np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_two_streams_do_not_leak(path):
    one, two, alone = Streamer(path), Streamer(path), Streamer(path)
    for a, b in zip(IDS, IDS[::-1], strict=True):
        last = one.push(a)
        two.push(b)
    np.testing.assert_array_equal(last["probabilities"], pushed(alone, IDS))
    assert np.abs(two.state["state_last"] - one.state["state_last"]).max() > 1e-3


def test_a_copied_state_goes_its_own_way(path):
    stream = Streamer(path)
    pushed(stream, IDS[:5])
    before = copy.deepcopy(stream.state)
    first = pushed(stream, IDS[5:])
    for name, value in before.items():
        assert value.dtype == stream.state[name].dtype
    stream.state = before
    np.testing.assert_array_equal(pushed(stream, IDS[5:]), first)
    stream.reset()
    assert np.all(stream.state["state_max"] == -1) and not stream.state["state_sum"].any()


def test_a_state_from_a_file_outlives_the_file(path, tmp_path):
    stream = Streamer(path)
    pushed(stream, IDS[:5])
    np.savez(tmp_path / "state.npz", **stream.state)
    wanted = pushed(stream, IDS[5:])
    with np.load(tmp_path / "state.npz") as lazy:
        stream.state = lazy
    np.testing.assert_array_equal(pushed(stream, IDS[5:]), wanted)


def test_an_assigned_state_is_the_streams_own(path):
    stream = Streamer(path)
    pushed(stream, IDS[:5])
    given = {name: value.copy() for name, value in stream.state.items()}
    stream.state = given
    given["state_last"][:] = 7
    assert np.abs(stream.state["state_last"]).max() < 1


def test_whole_and_step_agree(classifier, exported):
    from ai_edge_litert.interpreter import Interpreter

    for variant in ("float32", "float16", "int8"):
        runner = Interpreter(str(exported[variant])).get_signature_runner("serving_default")
        whole = runner(ids=IDS[None].astype(np.int32))["probabilities"]
        np.testing.assert_allclose(pushed(Streamer(exported[variant]), IDS), whole, atol=1e-6)


def test_integers_are_rescaled_between_out_and_in():
    out = {"quantization": (0.5, 3), "dtype": np.int8}
    into = {"quantization": (0.25, -1), "dtype": np.int8}
    assert _quantized(_float(np.int8([13, 3]), out), into).tolist() == [19, -1]
    assert _quantized(np.array([1e3, -1e3]), into).tolist() == [127, -128]


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
def test_an_integer_file_streams(tmp_path):
    model = make_classifier()
    random = np.random.default_rng(0)
    texts = [random.integers(1, 40, 12) for _ in range(40)]
    export.tflite(model, tmp_path / "full.tflite", "int8_full", representative=texts)
    stream = Streamer(tmp_path / "full.tflite")
    wanted = model.predict(IDS[None].astype(np.int32), verbose=0)
    np.testing.assert_allclose(pushed(stream, IDS), wanted, atol=0.1)
    assert stream.state["state_last"].dtype == np.int8


def test_a_file_without_a_step_says_so(exported):
    with pytest.raises(ValueError, match="must have the signature 'step'; .*serving_default"):
        Streamer(exported["mediapipe"])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda stream: stream.push(), "inputs must be ids; got none"),
        (lambda stream: stream.push(None), "inputs must be ids; got none"),
        (lambda stream: stream.push(3, words=4), "be ids; got words, one without a name"),
        (lambda stream: stream.push(3, ids=4), "be ids; got ids, one without a name"),
        (lambda stream: stream.push(words=4), "inputs must be ids; got words"),
        (lambda stream: stream.push([3, 4]), r"ids must be one step \[\]; got the shape \[2\]"),
        (lambda stream: stream.push([]), r"ids must be one step \[\]; got the shape \[0\]"),
        (lambda stream: stream.push("three"), "ids must be an array of numbers; got a str"),
        (lambda stream: stream.push([[1], [2, 3]]), "ids must be an array of numbers; got a list"),
        (lambda stream: stream.push(2**70), "ids must be an array of numbers; got a int"),
        (lambda stream: stream.push(-1), r"ids must be rows of .* got ids=\[-1\]"),
        (lambda stream: stream.push(10**6), r"ids must be rows of .* got ids=\[1000000\]"),
    ],
)
def test_a_step_is_one_of_each_input(path, act, message):
    stream = Streamer(path)
    before = {name: value.copy() for name, value in stream.state.items()}
    with pytest.raises(ValueError, match=message):
        act(stream)
    assert all(np.array_equal(stream.state[name], value) for name, value in before.items())
    np.testing.assert_array_equal(pushed(stream, IDS), pushed(Streamer(path), IDS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: None, "state must be a dictionary of .*; got NoneType"),
        (lambda state: {}, r"state must be a dictionary of .*'state_last'.*; got \[\]"),
        (lambda state: state | {"more": 1}, "state must be a dictionary of .*; got .*'more'"),
        (lambda state: state | {"state_last": None}, "state_last must be an array of numbers; got"),
        (
            lambda state: state | {"state_last": np.ones((1, 3), "float32")},
            r"state_last must be float32 \[1, \d+\]; got float32 \[1, 3\]",
        ),
        (
            lambda state: state | {"state_last": state["state_last"].astype("float64")},
            "state_last must be float32 .*; got float64",
        ),
    ],
)
def test_a_state_is_one_of_the_file(path, change, message):
    stream = Streamer(path)
    stream.push(3)
    before = stream.state
    with pytest.raises(ValueError, match=message):
        stream.state = change(before)
    assert stream.state is before


@pytest.mark.parametrize("wrong", [None, 3, b"model.tflite"])
def test_a_path_is_a_path(wrong):
    with pytest.raises(ValueError, match="path must be a string or an os.PathLike; got"):
        Streamer(wrong)


@pytest.mark.parametrize("value", [1.5, np.float32("nan")])
def test_an_id_is_a_whole_number(path, value):
    stream = Streamer(path)
    with pytest.raises(ValueError, match="an id must be a whole number; got"):
        stream.push(value)
    stream.push(1.0)  # as numbers come from JavaScript or a table


@pytest.mark.parametrize("value", [2**31, 2**40, -(2**40), 1e10])
def test_an_id_that_int32_cannot_hold_is_told_its_limits(path, value):
    with pytest.raises(
        ValueError, match="an id must be from -2147483648 to 2147483647, which int32"
    ):
        Streamer(path).push(value)


def test_a_number_becomes_the_nearest_integer():
    about = {"quantization": (0.5, 3), "dtype": np.int8}
    assert _quantized(np.array([0.4, -0.4, 0.2, 0.9]), about).tolist() == [4, 2, 3, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_input_of_integers_is_finite(value):
    about = {"quantization": (0.5, 3), "dtype": np.int8, "shape": np.array([1, 2], np.int32)}
    stream = Streamer.__new__(Streamer)
    stream._given = {"x": about}
    with pytest.raises(ValueError, match="x must be finite in a file of integers"):
        stream._tensor("x", [0.5, value])
