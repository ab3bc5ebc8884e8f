import pytest

from gru_zoo.arguments import fraction, one_of, place, positive_int, string


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


def test_good_values_pass():
    assert place("example", 2, size=3) == 2
    assert string("prefix", "") == ""
    assert one_of("cell", "gru", ["gru"]) == "gru"
    assert positive_int("units", 7) == 7
    assert fraction("dropout", 0) == 0.0
