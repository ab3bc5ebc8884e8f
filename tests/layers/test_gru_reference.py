"""Every kernel x convention x direction x mask x bias x initial state against the reference."""

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU
from tests.gradients import outputs_and_gradients
from tests.reference import (
    BATCH,
    CONVENTIONS,
    MASKS,
    TIME,
    UNITS,
    Reference,
    random_case,
)

KERNELS = ["loop", "unrolled", *(["fused"] if keras.backend.backend() == "tensorflow" else [])]
LIMITS = {"float32": {"rtol": 1e-5, "atol": 1e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def layer_of(case, convention, **options):
    """Return a built layer with the weights of `case`; no bias where the case's is zero."""
    options.setdefault("use_bias", bool(np.any(case["bias"])))
    layer = GRU(
        UNITS,
        return_sequences=True,
        return_state=True,
        reset_after=convention.reset_after,
        update_gate=convention.update_gate,
        **options,
    )
    layer.build(case["x"].shape)
    weights = [case["kernel"], case["recurrent_kernel"]]
    if options["use_bias"]:
        weights.append(case["bias"] if convention.reset_after else case["bias"][0])
    layer.set_weights(weights)
    return layer


def judge(layer, case, convention, mask=None, initial_state=True, limits=LIMITS["float32"]):
    """Raise AssertionError unless outputs, last state and all gradients equal the reference's."""
    case = case if initial_state else {**case, "h0": np.zeros_like(case["h0"])}
    run = Reference(case, convention, mask, layer.go_backwards)
    shown, visible = run.shown()
    rng = np.random.default_rng(2)
    d_states = rng.standard_normal((BATCH, TIME, UNITS)).astype(case["x"].dtype)
    d_last = rng.standard_normal((BATCH, UNITS)).astype(case["x"].dtype)
    wanted = run.gradients(d_states * visible, d_last.astype("float64"))
    if not convention.reset_after:
        wanted["bias"] = wanted["bias"][0]
    outputs, last, gradients = outputs_and_gradients(
        layer, case["x"], case["h0"] if initial_state else None, mask, d_states, d_last
    )
    np.testing.assert_allclose(outputs, shown, **limits, err_msg="outputs")
    np.testing.assert_allclose(last, run.last, **limits, err_msg="last state")
    for name, gradient in gradients.items():
        scale = np.abs(wanted[name]).max()  # a sum of many terms is as exact as its largest are
        np.testing.assert_allclose(
            gradient / scale, wanted[name] / scale, **limits, err_msg=f"gradient of {name}"
        )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_float32(kernel, convention, go_backwards):
    for bias in (True, False):
        case = random_case(dtype="float32", bias=bias)
        layer = layer_of(case, convention, kernel=kernel, go_backwards=go_backwards)
        for mask in MASKS.values():
            for initial_state in (True, False):
                judge(layer, case, convention, mask, initial_state)
                assert layer.kernel_used == kernel


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX computes in 32 bits by default")
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", [CONVENTIONS[0], CONVENTIONS[3]], ids=str)
def test_float64(kernel, convention):
    case = random_case()
    layer = layer_of(case, convention, kernel=kernel, dtype="float64")
    judge(layer, case, convention, MASKS["any pattern"], limits=LIMITS["float64"])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mask", [name for name in MASKS if MASKS[name] is not None])
def test_zero_output_for_mask(kernel, go_backwards, mask):
    case, mask = random_case(dtype="float32"), MASKS[mask]
    options = {"kernel": kernel, "go_backwards": go_backwards, "zero_output_for_mask": True}
    layer = layer_of(case, CONVENTIONS[0], **options)
    outputs, last = layer(case["x"], initial_state=case["h0"], mask=mask)
    run = Reference(case, CONVENTIONS[0], mask, go_backwards)
    to_numpy = keras.ops.convert_to_numpy
    np.testing.assert_allclose(to_numpy(outputs), run.shown(True)[0], **LIMITS["float32"])
    np.testing.assert_allclose(to_numpy(last), run.last, **LIMITS["float32"])


def test_every_kernel_is_judged():
    assert set(KERNELS) <= set(kernels.KERNELS)
