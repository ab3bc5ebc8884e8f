import numpy as np
import pytest

from gru_zoo.arguments import (
    finite,
    fraction,
    instance,
    listed,
    number,
    numeric,
    one_of,
    pathlike,
    place,
    positive_int,
    string,
)


def test_one_of_names_argument_choices_value_and_a_near_name():
    with pytest.raises(ValueError) as error:
        one_of("kernel", "fuse", ["loop", "fused"])
    assert str(error.value) == (
        "kernel must be one of 'loop', 'fused'; got 'fuse'. Did you mean 'fused'?"
    )


def test_one_of_suggests_nothing_when_nothing_is_near():
    with pytest.raises(ValueError, match=r"got 'xyz'\.$"):
        one_of("kernel", "xyz", ["loop", "fused"])


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "3"])
def test_positive_int_refuses(value):
    with pytest.raises(ValueError, match="units must be an integer of at least 1; got "):
        positive_int("units", value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, True, None, "0.5", float("nan")])
def test_fraction_refuses(value):
    with pytest.raises(ValueError, match=r"dropout must be a number in \[0, 1\); got "):
        fraction("dropout", value)


@pytest.mark.parametrize("value", [-1, 3, 1.5, True, None, "1"])
def test_place_refuses(value):
    with pytest.raises(ValueError, match="example must be an integer from 0 to 2; got "):
        place("example", value, size=3)


@pytest.mark.parametrize("value", [3, None, {1}, {1: 2}])
def test_listed_refuses(value):
    with pytest.raises(ValueError, match="units must be a list; got "):
        listed("units", value)


@pytest.mark.parametrize("value", [None, "3", [[1], [1, 2]], 1j, {}, np.array(["3"]), object()])
def test_numeric_refuses(value):
    with pytest.raises(ValueError, match="x must be an array of numbers; got a "):
        numeric("x", value)


@pytest.mark.parametrize("value", [None, "1", True, 1j, [1]])
def test_number_refuses(value):
    with pytest.raises(ValueError, match="low must be a number; got "):
        number("low", value)


@pytest.mark.parametrize("value, got", [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_finite_refuses(value, got):
    with pytest.raises(ValueError, match=f"z must be finite; got {got}"):
        finite("z", np.array([0.5, value]))


@pytest.mark.parametrize("value", [None, 3, b"out"])
def test_pathlike_refuses(value):
    with pytest.raises(ValueError, match="out must be a string or an os.PathLike; got "):
        pathlike("out", value)


def test_instance_refuses():
    with pytest.raises(ValueError, match="gates must be a dict; got a list"):
        instance("gates", [], dict)


def test_good_values_pass(tmp_path):
    assert listed("units", range(3)) == [0, 1, 2]
    assert numeric("mask", [[True], [False]]).shape == (2, 1)
    assert number("low", np.float32(0.5)) == 0.5
    assert finite("z", np.ones(3)).shape == (3,)
    assert pathlike("out", tmp_path) == str(tmp_path)
    assert instance("gates", {}, dict) == {}
    assert place("example", 2, size=3) == 2
    assert string("prefix", "") == ""
    assert one_of("cell", "gru", ["gru"]) == "gru"
    assert positive_int("units", 7) == 7
    assert fraction("dropout", 0) == 0.0
