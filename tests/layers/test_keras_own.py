"""Keras' own published tests that use a GRU, run with our classes in place of Keras'."""

import importlib
import inspect
import types
import unittest

import pytest
from keras.src import layers as keras_layers

from gru_zoo.layers import kernels
from gru_zoo.layers.gru import GRU, GRUCell

MODULES = ("gru_test", "bidirectional_test", "stacked_rnn_cells_test")

SLOW = ("gru_test-test_basics", "stacked_rnn_cells_test-test_basics")  # they train many models

CANNOT_APPLY = {
    "test_fused_gru_eligibility": "asks whether Bidirectional may hand both directions to Keras' "
    "own cuDNN call, which it does for subclasses of keras.layers.GRU only: that call knows "
    "nothing of update_gate, so our GRU is none",
    "test_torch_cudnn_dispatch_fires": "spies PyTorch's cuDNN, which Keras' own GRU calls",
    "test_torch_cudnn_bidirectional_gru_dispatch_fires": "spies PyTorch's cuDNN, as above",
}


def published_tests():
    """Return Keras' test cases whose source mentions a GRU, as (id, module, case)."""
    found = []
    for name in MODULES:
        module = importlib.import_module(f"keras.src.layers.rnn.{name}")
        for suite in unittest.defaultTestLoader.loadTestsFromModule(module):
            for case in suite:
                method = getattr(case, case._testMethodName)
                source = inspect.getsource(inspect.unwrap(method))
                if name == "gru_test" or "GRU" in source:
                    test = f"{name}-{case._testMethodName}"
                    marks = [pytest.mark.slow] if test in SLOW else []
                    found.append(pytest.param(module, case, id=test, marks=marks))
    return found


PUBLISHED = published_tests()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras' tests train on a generator
@pytest.mark.parametrize(("module", "case"), PUBLISHED)
def test_passes_with_our_gru(module, case, monkeypatch):
    run(module, case, monkeypatch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("module", "case"), [p.values for p in PUBLISHED if p.marks][:1])
def test_basics_pass_with_the_loop(module, case, monkeypatch):
    with kernels.forced("loop"):
        run(module, case, monkeypatch)


def run(module, case, monkeypatch):
    if case._testMethodName in CANNOT_APPLY:
        pytest.skip(CANNOT_APPLY[case._testMethodName])
    ours = types.SimpleNamespace(**{**vars(keras_layers), "GRU": GRU, "GRUCell": GRUCell})
    monkeypatch.setattr(module, "layers", ours)
    result = unittest.TestResult()
    case.run(result)
    for _, reason in result.skipped:
        pytest.skip(f"Keras skips it here: {reason}")
    problems = [text for _, text in result.failures + result.errors]
    assert result.testsRun == 1 and not problems, "\n".join(problems)


def test_the_tests_were_found():
    assert len(PUBLISHED) >= 15, [param.id for param in PUBLISHED]
