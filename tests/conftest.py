"""Shared fixtures; TensorFlow's start-up messages are silenced before it is imported."""

import gc
import os

import pytest

from tests.plugins import quick_xla
from tests.plugins.passed import Passed
from tests.plugins.shares import Shares

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_addoption(parser):
    parser.addoption("--require-gpu", action="store_true", help="fail gpu tests without a GPU")
    parser.addoption("--after-pass", action="store_true", help="leave out what passed before")


def pytest_configure(config):
    config.pluginmanager.register(Passed(config))
    config.pluginmanager.register(Shares())
    quick_xla.use(config.option.markexpr)


def pytest_collection_finish():
    """Leave what is imported by now out of Python's garbage collections: a tenth of tests' time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def converted_here(monkeypatch):
    """Run what a conversion to integers runs in processes of their own in this one.

    Each would import TensorFlow, which takes longer than the conversion. Not for what may crash;
    that the processes work is told where nothing else is (tests/export/test_calibrated.py).
    """
    import importlib
    import warnings

    from gru_zoo.export import integer_step
    from gru_zoo.export.checks import arrays
    from gru_zoo.export.workers.isolated import ConversionFailed

    def here(module, arguments, *, what, seconds):
        with warnings.catch_warnings():
            # The interpreter that TensorFlow calibrates with says that it will be gone one day.
            warnings.simplefilter("ignore")
            if importlib.import_module(module).main([*arguments]):
                raise ConversionFailed(f"{what} failed")

    for module in (arrays, integer_step):
        monkeypatch.setattr(module, "isolated", here)


@pytest.fixture(scope="module")
def loop_kernel():
    """Run GRUs as plain loops: nothing is compiled for shapes as small as a module's."""
    from gru_zoo.layers.kernels import forced

    with forced("loop"):
        yield


def pytest_runtest_setup(item):
    """Skip a test marked `gpu` where Keras' backend has no GPU, or fail it with --require-gpu."""
    if item.get_closest_marker("gpu") and not _gpu_is_there():
        (pytest.fail if item.config.getoption("--require-gpu") else pytest.skip)("needs a GPU")


def _gpu_is_there():
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    if keras.backend.backend() == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
