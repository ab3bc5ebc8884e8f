import keras
import pytest

from gru_zoo.layers.encoders import CELLS, encoder
from gru_zoo.models.budget import units_for
from tests.cells import some_slow


def model(cell, units):
    inputs = keras.Input((None, 4))
    states = encoder(cell, units, bidirectional=True, num_layers=2)(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(states))


@pytest.mark.parametrize("cell", some_slow(CELLS))
def test_every_cell_meets_the_budget(cell):
    units = units_for(lambda units: model(cell, units), 99_000)
    assert abs(model(cell, units).count_params() - 99_000) <= 1980


@pytest.mark.parametrize("units", [1, 2, 3, 17, 1000])
def test_the_units_behind_a_count_are_found(units):
    assert units_for(lambda n: n * (n + 5), units * (units + 5)) == units


@pytest.mark.parametrize(("parameters", "nearest"), [(1240, 31), (1261, 32), (1279, 32)])
def test_the_nearest_units_are_taken(parameters, nearest):
    assert units_for(lambda units: 40 * units, parameters) == nearest


@pytest.mark.parametrize(
    ("build", "parameters", "message"),
    [
        (lambda units: 1000 * units, 1500, "got 1,500, and 1 units, the nearest, give 1,000"),
        (lambda units: 1000 * units, 10, "got 10, and 1 units, the nearest, give 1,000"),
        (lambda units: 5, 100, "got 100, and .* units, the nearest, give 5"),
        (lambda units: units, 0, "parameters must be an integer of at least 1; got 0"),
    ],
)
def test_what_no_units_give_is_refused(build, parameters, message):
    with pytest.raises(ValueError, match=message):
        units_for(build, parameters)
