import numpy as np
import pytest

from gru_zoo.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)


def draw(seed, rows=4000):
    """Probabilities of three labels, and labels drawn from them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.7, 1.1, 0.4], rows)
    labels = (probabilities.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    return probabilities, labels


def test_error_against_a_sum_over_bins_by_hand():
    probabilities, labels = draw(0, 500)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    total = 0.0
    for bin in range(15):
        inside = (sure >= bin / 15) & ((sure < (bin + 1) / 15) | (bin == 14))
        if inside.any():
            total += inside.sum() / 500 * abs(right[inside].mean() - sure[inside].mean())
    assert expected_calibration_error(probabilities, labels) == pytest.approx(total)


def test_probabilities_that_are_true_have_no_error():
    assert expected_calibration_error(*draw(1, 40_000)) < 0.01


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_temperature_is_found_again(temperature):
    probabilities, labels = draw(2, 20_000)
    spoilt = with_temperature(probabilities, 1 / temperature)
    found = fit_temperature(spoilt, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    repaired = with_temperature(spoilt, found)
    assert expected_calibration_error(repaired, labels) < 0.02
    np.testing.assert_array_equal(repaired.argmax(axis=1), probabilities.argmax(axis=1))


def test_certainty_that_is_wrong_costs_much_and_not_everything():
    wrong = negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1]))
    assert 20 < wrong < 40


@pytest.mark.parametrize("rows", [0, 3])
def test_labels_must_fit(rows):
    message = f"labels must be one for each of 2 rows.*got shape .{rows},"
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(np.full((2, 2), 0.5), np.zeros(rows, int))


@pytest.mark.parametrize("labels", [[[1], [0]], [1, 2], [-1, 0]])
@pytest.mark.parametrize(
    "figure", [expected_calibration_error, negative_log_likelihood, fit_temperature]
)
def test_labels_are_numbers_of_columns(figure, labels):
    with pytest.raises(ValueError, match="labels must be"):
        figure(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array(labels))


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be a number above 0"):
        with_temperature(np.array([[0.2, 0.8]]), temperature)


def test_full_certainty_falls_into_the_last_bin():
    # One is wrong at 1, the other right at 0.99: in one bin the two nearly make up for each other.
    error = expected_calibration_error(np.array([[1.0, 0.0], [0.99, 0.01]]), np.array([1, 0]))
    assert error == pytest.approx(0.99 / 2)


def test_a_probability_of_0_does_not_hide_the_minimum():
    # One is wrong and certain; its loss must go on falling as T grows.
    probabilities, labels = np.array([[0.12, 0.88]] * 99 + [[1.0, 0.0]]), np.ones(100, int)
    grid = np.geomspace(1 / 20, 20, 2001)
    losses = [negative_log_likelihood(probabilities, labels, t) for t in grid]
    assert np.count_nonzero(np.diff(np.sign(np.diff(losses)))) == 1  # one minimum, as is said
    found = fit_temperature(probabilities, labels)
    assert found == pytest.approx(grid[np.argmin(losses)], rel=0.01)
    assert 1 < found < 1.3
