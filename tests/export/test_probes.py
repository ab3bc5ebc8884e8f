"""What an exported file is compared with."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import GRU
from gru_zoo.export.network import Network
from gru_zoo.export.probes import EAGER, answers


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
