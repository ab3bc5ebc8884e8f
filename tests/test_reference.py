"""The reference itself: its hand-derived gradient against finite differences, and known cases."""

import numpy as np
import pytest

from tests.reference import BATCH, CONVENTIONS, MASKS, TIME, UNITS, Reference, random_case


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_gradient_equals_finite_differences(convention, mask, go_backwards):
    case = random_case()
    rng = np.random.default_rng(1)
    d_states, d_last = (
        rng.standard_normal((BATCH, TIME, UNITS)),
        rng.standard_normal((BATCH, UNITS)),
    )

    def loss(changed):
        run = Reference(changed, convention, MASKS[mask], go_backwards)
        return (run.states * d_states).sum() + (run.last * d_last).sum()

    gradients = Reference(case, convention, MASKS[mask], go_backwards).gradients(d_states, d_last)
    step = 1e-5
    for name, array in case.items():
        direction = rng.standard_normal(array.shape)
        ahead = loss({**case, name: array + step * direction})
        behind = loss({**case, name: array - step * direction})
        difference = (ahead - behind) / (2 * step)
        np.testing.assert_allclose((gradients[name] * direction).sum(), difference, rtol=1e-6)


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
