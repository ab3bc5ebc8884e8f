"""Every kernel x convention x direction x mask x bias x initial state against the reference."""

import contextlib

import keras
import numpy as np
import pytest

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU
from tests.gradients import outputs_and_gradients
from tests.reference import CONVENTIONS, MASKS, Reference, random_case

KERNELS = ["loop", "unrolled", *(["fused"] if keras.backend.backend() == "tensorflow" else [])]
LIMITS = {"float32": {"rtol": 1e-5, "atol": 1e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


@contextlib.contextmanager
def compiling(wanted):
    """Compile the fused kernel's programs, or run the same operations one by one.

    XLA takes about a second for each program; two conventions are enough to judge its work.
    """
    if wanted or keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def layer_of(case, convention, **options):
    """Return a built layer with the weights of `case`; no bias where the case's is zero."""
    options.setdefault("use_bias", bool(np.any(case["bias"])))
    layer = GRU(
        case["h0"].shape[-1],
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
    if options.get("layer_norm"):
        weights.append(case["gain"])
    layer.set_weights(weights)
    return layer


def judge(
    layer,
    case,
    convention,
    mask=None,
    initial_state=True,
    limits=LIMITS["float32"],
    draws=None,
    training=False,
):
    """Raise AssertionError unless outputs, last state and all gradients equal the reference's."""
    case = case if initial_state else {**case, "h0": np.zeros_like(case["h0"])}
    run = Reference(case, convention, mask, layer.go_backwards, draws)
    shown, visible = run.shown()
    rng = np.random.default_rng(2)
    d_states = rng.standard_normal(run.states.shape).astype(case["x"].dtype)
    d_last = rng.standard_normal(run.last.shape).astype(case["x"].dtype)
    wanted = run.gradients(d_states * visible, d_last.astype("float64"))
    if not convention.reset_after:
        wanted["bias"] = wanted["bias"][0]
    outputs, last, gradients = outputs_and_gradients(
        layer, case["x"], case["h0"] if initial_state else None, mask, d_states, d_last, training
    )
    np.testing.assert_allclose(outputs, shown, **limits, err_msg="outputs")
    np.testing.assert_allclose(last, run.last, **limits, err_msg="last state")
    for name, gradient in gradients.items():
        # A sum is as exact as its largest terms are, and they are of about 1 if it is nearly 0.
        scale = max(np.abs(wanted[name]).max(), 1e-3)
        np.testing.assert_allclose(
            gradient / scale, wanted[name] / scale, **limits, err_msg=f"gradient of {name}"
        )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("same", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_float32(kernel, convention, go_backwards, same):
    """Both or neither of bias and initial state; one without the other in the slow tests."""
    for bias, initial_state in [(True, same), (False, not same)]:
        case = random_case(dtype="float32", bias=bias)
        layer = layer_of(case, convention, kernel=kernel, go_backwards=go_backwards)
        with compiling(convention in (CONVENTIONS[0], CONVENTIONS[3])):
            for mask in MASKS.values():
                judge(layer, case, convention, mask, initial_state)
                assert layer.kernel_used == kernel


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled(kernel, convention, dtype):
    case = random_case(dtype=dtype)
    layer = layer_of(case, convention, kernel=kernel, dtype=dtype)
    for mask in (None, MASKS["any pattern"]):
        judge(layer, case, convention, mask, limits=LIMITS[dtype])


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX computes in 32 bits by default, and so does Keras' matmul on PyTorch",
)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_float64(kernel, convention):
    case = random_case()
    layer = layer_of(case, convention, kernel=kernel, dtype="float64")
    with compiling(False):
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
