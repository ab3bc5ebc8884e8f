"""A sequence in chunks equals the sequence whole, and two streams do not leak into each other."""

import keras
import numpy as np
import pytest

from tests.gradients import outputs_and_gradients
from tests.layers.test_gru_reference import KERNELS, LIMITS, compiling, layer_of
from tests.reference import CONVENTIONS, FEATURES, UNITS, random_case

STEPS = 21  # 1, 3 and 7 divide it


@pytest.fixture
def streams():
    return np.random.default_rng(6).standard_normal((2, STEPS, FEATURES)).astype("float32")


def layer_for_streams(streams, **options):
    """Return a layer built for the two streams, with weights of `random_case`."""
    case = {**random_case(dtype="float32"), "x": streams}
    return layer_of(case, CONVENTIONS[0], **options)


def same(given, wanted):
    to_numpy = keras.ops.convert_to_numpy
    np.testing.assert_allclose(to_numpy(given), to_numpy(wanted), **LIMITS["float32"])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_equal_the_whole(kernel, chunk, streams):
    with compiling(chunk == 7):
        chunks_equal_the_whole(kernel, chunk, streams)


def chunks_equal_the_whole(kernel, chunk, streams):
    by_argument = layer_for_streams(streams, kernel=kernel)
    by_itself = layer_for_streams(streams, kernel=kernel, stateful=True)
    whole, last = by_argument(streams)
    state, pieces, stateful_pieces = None, [], []
    for start in range(0, STEPS, chunk):
        part = streams[:, start : start + chunk]
        piece, state = by_argument(part, initial_state=state)
        pieces.append(piece)
        stateful_pieces.append(by_itself(part)[0])
    same(keras.ops.concatenate(pieces, axis=1), whole)
    same(keras.ops.concatenate(stateful_pieces, axis=1), whole)
    same(state, last)
    same(keras.ops.copy(by_itself.states[0]), last)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_steps_of_the_cell_equal_the_whole(convention, streams):
    layer = layer_of({**random_case(dtype="float32"), "x": streams}, convention, kernel="loop")
    whole, _ = layer(streams)
    state = keras.ops.zeros((2, UNITS))
    projected = layer.cell.project(streams)
    for t in range(STEPS):
        state = layer.cell.recur(projected[:, t], state)
        same(state, whole[:, t])


@pytest.mark.parametrize("kernel", KERNELS)
def test_streams_do_not_leak(kernel, streams):
    layer = layer_for_streams(streams, kernel=kernel, stateful=True)
    first = [layer(streams[:, i : i + 7])[0] for i in range(0, STEPS, 7)]
    layer.reset_state()
    other = streams.copy()
    other[1] = 100.0  # a loud neighbour
    again = [layer(other[:, i : i + 7])[0] for i in range(0, STEPS, 7)]
    for quiet, loud in zip(first, again, strict=True):
        same(loud[0], quiet[0])


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_stateful_layer_has_the_gradients_of_its_state_given(kernel, streams):
    x, rng = streams[:, :7], np.random.default_rng(7)
    h0, d_last = rng.standard_normal((2, 2, UNITS)).astype("float32")
    d_states = rng.standard_normal((2, 7, UNITS)).astype("float32")
    with compiling(False):
        given = layer_for_streams(streams, kernel=kernel)
        _, _, wanted = outputs_and_gradients(given, x, h0, None, d_states, d_last)
        remembered = layer_for_streams(streams, kernel=kernel, stateful=True)
        remembered.states[0].assign(h0)
        _, _, gradients = outputs_and_gradients(remembered, x, None, None, d_states, d_last)
    assert len(gradients) == 4
    for name, gradient in gradients.items():
        same(gradient, wanted[name])


@pytest.mark.parametrize("kernel", KERNELS)
def test_padding_in_a_chunk_keeps_the_state(kernel, streams):
    layer = layer_for_streams(streams, kernel=kernel)
    _, wanted = layer(streams[:, :7])
    padded = np.concatenate([streams[:, :7], 9.0 * np.ones_like(streams[:, 7:])], axis=1)
    mask = np.broadcast_to(np.arange(STEPS) < 7, (2, STEPS))
    same(layer(padded, mask=mask)[1], wanted)
