"""Four bugs that a GRU can have, planted one at a time: the reference must notice each.

Each is planted in what the kernel computes with, so that it meets every kernel alike: swapping the
z and r columns, say, is what a kernel that read the gates in the wrong order would compute.
"""

import numpy as np
import pytest

from tests.layers.test_gru_reference import KERNELS, compiling, judge, layer_of
from tests.reference import CONVENTIONS, UNITS, Convention, random_case


def z_and_r_swapped(case, convention):
    order = np.r_[UNITS : 2 * UNITS, :UNITS, 2 * UNITS : 3 * UNITS]
    packed = ("kernel", "recurrent_kernel", "bias")
    return {**case, **{name: case[name][..., order] for name in packed}}, convention


def update_flipped(case, convention):
    gate = {"keep": "write", "write": "keep"}[convention.update_gate]
    return case, Convention(convention.reset_after, gate)


def recurrent_bias_dropped(case, convention):
    return {**case, "bias": case["bias"] * np.array([[1.0], [0.0]], case["bias"].dtype)}, convention


def recurrent_kernel_transposed(case, convention):
    gates = np.split(case["recurrent_kernel"], 3, axis=-1)
    return {**case, "recurrent_kernel": np.hstack([gate.T for gate in gates])}, convention


BUGS = [z_and_r_swapped, update_flipped, recurrent_bias_dropped, recurrent_kernel_transposed]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_reference_notices(bug, convention, kernel):
    if bug is recurrent_bias_dropped and not convention.reset_after:
        pytest.skip("with the reset before the product there is no recurrent bias to drop")
    case = random_case(dtype="float32")
    layer = layer_of(*bug(case, convention), kernel=kernel)
    with compiling(False), pytest.raises(AssertionError, match="outputs"):
        judge(layer, case, convention)
