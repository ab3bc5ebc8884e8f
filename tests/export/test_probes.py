"""What an exported file is compared with."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import GRU, export
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.checks.probes import EAGER, Probe, answers, probes
from gru_zoo.export.graphs.network import Network


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((None, 4)), GRU(7), keras.layers.Dense(3)])


def test_one_graph_gives_what_the_loop_in_python_gives(model):
    network = Network(model)
    x = np.random.default_rng(0).normal(size=(2, EAGER + 1, 4)).astype("float32")
    ours = answers(model, network, {"inputs": x})
    np.testing.assert_allclose(ours["outputs"], network.call({"inputs": x})["outputs"], atol=1e-6)


def test_many_exports_warn_of_no_retracing(model, caplog):
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        x = {"inputs": np.ones((1, EAGER + 1, 4), "float32")}
        for _ in range(7):  # TensorFlow warns from the fifth on
            answers(model, Network(model), x)
    finally:
        logger.removeHandler(caplog.handler)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_inputs_of_one_shape_differ_and_are_padded_in_other_places():
    a, b = (keras.Input((None, 4), name=name) for name in "ab")
    joined = keras.layers.Concatenate()([keras.layers.Masking(-1.0)(a), b])
    model = keras.Model([a, b], GRU(7)(joined))
    _, probe = probes(model)
    a, b = probe.inputs["a"], probe.inputs["b"]
    assert not (a == b).any()
    masked, zeros = (a == -1).all(-1), (b == 0).all(-1)
    assert masked.any(1).all() and zeros.any(1).all() and (masked != zeros).any(1).all()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32])
def test_what_is_no_float_must_be_equal(kind):
    wanted = np.array([[0, 1, 1]], kind)
    probe = Probe({}, {"positive": wanted})
    assert probe.compare({"positive": wanted.copy()}, "some file") == 0
    with pytest.raises(
        Refused, match="must be within 0 of the model; output 'positive' differs by 1"
    ):
        probe.compare({"positive": np.array([[1, 1, 1]], kind)}, "some file")


def test_large_numbers_differ_in_proportion_and_equal_nan_in_nothing():
    wanted = np.float32([[0.5, -100.0, np.nan]])
    probe = Probe({}, {"outputs": wanted})
    given = wanted + np.float32([[2e-6, -5e-4, 0]])
    assert probe.compare({"outputs": given}, "some file") == pytest.approx(5e-6, rel=0.1)
    for other in ([[0.5, -100.0, 1.0]], [[np.nan, -100.0, np.nan]], [[0.5, -100.1, np.nan]]):
        with pytest.raises(Refused, match="must be within 1e-05 of the model; output 'outputs'"):
            probe.compare({"outputs": np.float32(other)}, "some file")


def test_small_numbers_among_large_ones_are_rounded_as_those():
    wanted = np.float32([[0.5, -5000.0]])
    probe = Probe({}, {"outputs": wanted})
    moved = wanted + np.float32([[5e-4, 0]])  # one rounding of a float32 of 5,000
    assert probe.compare({"outputs": moved}, "some file") == pytest.approx(1e-7, rel=0.05)
    with pytest.raises(Refused, match="must be within 1e-05 of the model; output 'outputs'"):
        probe.compare({"outputs": wanted + np.float32([[0.1, 0]])}, "some file")
    lone = Probe({}, {"outputs": wanted[:, :1]})  # Each output has a size of its own.
    with pytest.raises(Refused, match="differs by 0.0005"):
        lone.compare({"outputs": moved[:, :1]}, "some file")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_compared_as_half_precision(policy):
    head = keras.layers.Dense(3, dtype="float32")
    model = keras.Sequential([keras.Input((None, 4)), GRU(7, dtype=policy), head])
    for probe in probes(model):
        near, far = ({"outputs": probe.outputs["outputs"] + off} for off in (5e-3, 0.05))
        assert 1e-3 < probe.compare(near, "some file") < 1e-2
        with pytest.raises(Refused, match="must be within 0.01 of the model"):
            probe.compare(far, "some file")


@pytest.mark.parametrize("write", [export.tflite, export.saved_model])
def test_an_output_of_bools_is_compared(write, tmp_path):
    x = keras.Input((None, 4))
    write(keras.Model(x, GRU(7)(x) > 0), tmp_path / "model")
    assert (tmp_path / "model").exists()  # It gets its name once it is what Keras gives.
