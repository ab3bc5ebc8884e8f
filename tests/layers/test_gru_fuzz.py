"""Minutes of random arguments, shapes and masks against the reference; other ones each time."""

import os
import time

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gru_zoo.layers.gru import GRU
from tests.layers.test_gru_reference import KERNELS, compiling, judge, layer_of
from tests.reference import CONVENTIONS, Draws

MINUTES = float(os.environ.get("GRU_ZOO_FUZZ_MINUTES", 5))


@st.composite
def cases(draw):
    """Return weights, a mask, draws of dropout and zoneout, options, and whether XLA runs it."""
    size = st.integers(1, 9)
    batch, steps, features, units = draw(size), draw(st.integers(1, 12)), draw(size), draw(size)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.01, 0.6, 3.0]))

    def array(*shape):
        return (scale * rng.standard_normal(shape)).astype("float64")

    case = {
        "x": array(batch, steps, features),
        "h0": array(batch, units),
        "kernel": array(features, 3 * units),
        "recurrent_kernel": array(units, 3 * units),
        "bias": array(2, 3 * units) if draw(st.booleans()) else np.zeros((2, 3 * units)),
    }
    mask = draw(st.sampled_from([None, 0.2, 0.9]))
    mask = None if mask is None else rng.random((batch, steps)) < mask
    draws = Draws(
        inputs=2.0 * rng.integers(0, 2, (3, batch, features)) if draw(st.booleans()) else 1.0,
        state=2.0 * rng.integers(0, 2, (3, batch, units)) if draw(st.booleans()) else 1.0,
        kept=1.0 * rng.integers(0, 2, (batch, steps, units)) if draw(st.booleans()) else 0.0,
    )
    options = {
        "kernel": draw(st.sampled_from(KERNELS)),
        "go_backwards": draw(st.booleans()),
        "dtype": "float64",
    }
    if draw(st.booleans()):
        options["layer_norm"] = True
        case["gain"] = 1.0 + array(2, 3 * units)
    # XLA takes a second for a program, and with the optimizations that users have.
    compiled = draw(st.sampled_from([False] * 7 + [True]))
    return case, draw(st.sampled_from(CONVENTIONS)), mask, draws, options, compiled


@settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(cases())
def fifty_examples(drawn):
    one_equals_the_reference(*drawn)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it computes in float64")
def test_random_layers_equal_the_reference():
    until = time.monotonic() + 60 * MINUTES
    while time.monotonic() < until:
        fifty_examples()


def one_equals_the_reference(case, convention, mask, draws, options, compiled):
    from tests.layers.test_gru_extras import draw_these

    layer = draw_these(layer_of(case, convention, **options), draws)
    limits = {"rtol": 1e-8, "atol": 1e-9}
    with compiling(compiled):
        judge(layer, case, convention, mask, limits=limits, draws=draws, training=True)


WRONG = {
    "units": st.one_of(st.integers(max_value=0), st.floats(), st.text(), st.none(), st.booleans()),
    "update_gate": st.one_of(st.text(), st.none(), st.integers()),
    "kernel": st.one_of(st.text(), st.none(), st.integers()),
    "use_cudnn": st.one_of(st.text(min_size=5), st.none(), st.integers(2)),
    "zoneout": st.one_of(st.floats(1.0), st.floats(max_value=-0.001), st.text(), st.none()),
    "dropout": st.one_of(st.floats(1.0), st.floats(max_value=-0.001), st.text(), st.none()),
    "layer_norm": st.one_of(st.text(), st.none(), st.integers(2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_any_wrong_argument_is_named(name):
    @settings(max_examples=50, deadline=None, database=None)
    @given(WRONG[name])
    def run(value):
        with pytest.raises(ValueError, match=rf"^{name} must be .*; got "):
            GRU(**{"units": 3, name: value})

    run()
