"""The reference itself: its hand-derived gradient against finite differences, and known cases."""

import numpy as np
import pytest

from tests.reference import (
    BATCH,
    CONVENTIONS,
    FEATURES,
    MASKS,
    TIME,
    UNITS,
    Draws,
    Reference,
    random_case,
)


def some_draws():
    rng = np.random.default_rng(8)
    return Draws(
        inputs=2.0 * (rng.random((3, BATCH, FEATURES)) < 0.5),
        state=1.5 * (rng.random((3, BATCH, UNITS)) < 0.7),
        kept=(rng.random((BATCH, TIME, UNITS)) < 0.4).astype("float64"),
    )


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("draws", [None, some_draws()], ids=["plain", "dropout and zoneout"])
@pytest.mark.parametrize("gain", [False, True], ids=["plain", "layer norm"])
def test_gradient_equals_finite_differences(convention, mask, go_backwards, draws, gain):
    case = random_case(gain=gain)
    rng = np.random.default_rng(1)
    d_states, d_last = (
        rng.standard_normal((BATCH, TIME, UNITS)),
        rng.standard_normal((BATCH, UNITS)),
    )

    def loss(changed):
        run = Reference(changed, convention, MASKS[mask], go_backwards, draws)
        return (run.states * d_states).sum() + (run.last * d_last).sum()

    run = Reference(case, convention, MASKS[mask], go_backwards, draws)
    gradients = run.gradients(d_states, d_last)
    step = 1e-5
    for name, array in case.items():
        direction = rng.standard_normal(array.shape)
        ahead = loss({**case, name: array + step * direction})
        behind = loss({**case, name: array - step * direction})
        difference = (ahead - behind) / (2 * step)
        given = (gradients[name] * direction).sum()
        np.testing.assert_allclose(given, difference, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_a_shut_update_gate_does_what_the_convention_says(convention):
    case = random_case()
    case["bias"][0, :UNITS] = -60.0  # z = 0
    case["bias"][1, :UNITS] = 0.0
    run = Reference(case, convention)
    stays = np.abs(run.states - case["h0"][:, None]).max() < 1e-12
    assert stays == (convention.update_gate == "write")


def test_the_four_conventions_differ():
    runs = [Reference(random_case(), convention).last for convention in CONVENTIONS]
    for i, first in enumerate(runs):
        for second in runs[:i]:
            assert np.abs(first - second).max() > 1e-2
