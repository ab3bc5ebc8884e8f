"""The fused kernel's ways through its loops, chosen by shape: each gives the same numbers."""

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.layers import fused, fused_gradients, fused_layout, fused_passes
from gru_zoo.layers.fused_layout import ROWS, Layout, layout_for
from tests.layers.test_fused import (
    CONVENTIONS,
    MASKS,
    REGULARIZED,
    _arguments,
    _judge,
    _loop,
    _run,
)

FEATURES = 33  # enough for one row's products to be taken before the loop


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("regularized", ["none", "both"])
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_columns_equal_the_loop(monkeypatch, reset_after, update_gate, regularized, backwards):
    monkeypatch.setattr(fused_passes, "layout_for", lambda *_: Layout(columns=True))
    tf.config.run_functions_eagerly(True)  # else a program compiled for rows would run
    options = REGULARIZED[regularized](np.random.default_rng(15)) | {"go_backwards": backwards}
    arguments, mask = _arguments(16, reset_after=reset_after), MASKS["any"]
    try:
        got = _run(arguments, mask, reset_after, update_gate, save_gates=False, **options)
    finally:
        tf.config.run_functions_eagerly(False)
    expected = _judge(arguments, mask, reset_after, update_gate, options)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("regularized", ["none", "both"])
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_gates_are_written_over_the_products(monkeypatch, reset_after, update_gate, regularized):
    """What large products run: the same numbers as small ones, whose gradients are checked."""
    options = REGULARIZED[regularized](np.random.default_rng(15))
    tensors = [tf.constant(a) for a in _arguments(16, reset_after=reset_after)]
    tf.config.run_functions_eagerly(True)  # else a program compiled for small ones would run

    def results():
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, last = _run(tensors, MASKS["any"], reset_after, update_gate, **options)
            total = tf.reduce_sum(outputs**2) + tf.reduce_sum(last)
        return [outputs, last, *tape.gradient(total, tensors)]

    try:
        expected = results()
        for module in (fused_passes, fused_layout):
            monkeypatch.setattr(module, "is_small", lambda *_: False)
        monkeypatch.setattr(fused_gradients, "_TO_TRANSPOSE", 0)
        for a, b in zip(results(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("regularized", ["none", "both"])
@pytest.mark.parametrize(("reset_after", "update_gate"), CONVENTIONS)
def test_one_row_has_the_gradients_of_its_batch(reset_after, update_gate, regularized):
    """One row's weight gradients are one product; two equal rows have twice its gradients."""
    tf.config.run_functions_eagerly(True)
    options = REGULARIZED[regularized](np.random.default_rng(15))
    options = {k: [f[:1] for f in v] if isinstance(v, list) else v[:1] for k, v in options.items()}
    x, h, *weights = map(tf.constant, _arguments(16, reset_after=reset_after, batch=1))

    def gradients(copies):
        more = {
            name: [tf.repeat(f, copies, 0) for f in value]
            if isinstance(value, list)
            else tf.repeat(value, copies, 0)
            for name, value in options.items()
        }
        tensors = [tf.repeat(x, copies, 0), tf.repeat(h, copies, 0), *weights]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, last = _run(tensors, None, reset_after, update_gate, **more)
            total = tf.reduce_sum(outputs**2) + tf.reduce_sum(last)
        return tape.gradient(total, weights)

    try:
        for one, two in zip(gradients(1), gradients(2), strict=True):
            np.testing.assert_allclose(2.0 * one, two, rtol=1e-11, atol=1e-12)
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("save", [True, False])
def test_outputs_are_kept_for_the_gradient_only_if_it_reads_them(monkeypatch, save):
    islands, kept = fused._islands, []

    def recording(convention, save):
        run_forward, run_backward, run_input_gradient = islands(convention, save)

        def run(context, arguments, upstream, outputs, saved):
            kept.append((outputs is not None, len(saved)))
            return run_backward(context, arguments, upstream, outputs, saved)

        return run_forward, run, run_input_gradient

    monkeypatch.setattr(fused, "_islands", recording)
    tensors = [tf.constant(a) for a in _arguments(16)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs, _ = _run(tensors, None, True, "keep", save_gates=save)
    assert None not in tape.gradient(outputs, tensors)
    assert kept == [(False, 5) if save else (True, 0)]


def test_the_layout_follows_the_shape():
    assert layout_for(64, 256) == layout_for(None, 256) == Layout(columns=True)
    assert layout_for(64, 32) == layout_for(1, 256) == ROWS


@pytest.mark.parametrize(
    ("batch", "time", "units", "save"),
    [
        (1, 2, 3, False),
        (1, 32, 128, False),  # products with x before the loop, by one product
        (1, 256, 256, False),  # by three
        (1, 64, 128, True),
        (33, 2, 200, False),
        (2, 53, 300, True),
    ],
)
def test_every_shape_s_program_compiles(batch, time, units, save):
    rng = np.random.default_rng(17)
    inputs, weights = (batch, time, FEATURES), (FEATURES, 3 * units)
    shapes = [inputs, (batch, units), weights, (units, 3 * units), (2, 3 * units)]
    arguments = [rng.normal(0.1, 0.2, shape).astype("float32") for shape in shapes]
    tensors = [tf.constant(a) for a in arguments]

    @tf.function(autograph=False)  # a graph, whose lengths are known
    def run(tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, _ = _run(tensors, None, True, "write", save_gates=save)
            total = tf.reduce_sum(outputs**2)
        return outputs, tape.gradient(total, tensors)

    outputs, gradients = run(tensors)
    expected, _ = _loop(arguments, None, True, "write")
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        direction = rng.normal(size=tensor.shape) / np.sqrt(np.size(tensor))
        ends = []
        for e in (1e-4, -1e-4):
            pairs = zip(arguments, tensors, strict=True)
            moved = [a + e * direction if t is tensor else a for a, t in pairs]
            ends.append((_loop(moved, None, True, "write")[0] ** 2).sum())
        found, expected = np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-4
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
