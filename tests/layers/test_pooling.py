import numpy as np
import pytest

from gru_zoo.layers.pooling import MaskedPooling

STATES = np.random.default_rng(3).uniform(-0.9, 0.9, (3, 5, 4)).astype("float32")


def by_hand(states, mask):
    rows = []
    for sequence, keep in zip(states.astype("float64"), mask, strict=True):
        real = sequence[keep]
        rows.append(
            np.concatenate([real[-1], real.max(axis=0), real.mean(axis=0)])
            if len(real)
            else np.zeros(3 * states.shape[-1])
        )
    return np.stack(rows)


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((3, 5), bool),
        np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool),
        np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 1, 1]], bool),
    ],
    ids=["full", "right padded", "any pattern, one row fully masked"],
)
@pytest.mark.parametrize("shift", [0, -50, -1e6], ids=["states", "below 0", "far below 0"])
def test_equals_a_loop_over_the_real_steps(mask, shift):
    states = STATES + np.float32(shift)
    np.testing.assert_allclose(
        MaskedPooling()(states, mask=mask), by_hand(states, mask), rtol=1e-5, atol=1e-6
    )


def test_without_a_mask_every_step_counts():
    expected = by_hand(STATES, np.ones((3, 5), bool))
    np.testing.assert_allclose(MaskedPooling()(STATES), expected, rtol=1e-5, atol=1e-6)


def test_the_running_state_gives_the_same():
    layer = MaskedPooling()
    state = layer.initial_state(3, 4)
    np.testing.assert_array_equal(layer.result(state), np.zeros((3, 12)))
    for step in range(5):
        state = layer.update(state, STATES[:, step])
        expected = by_hand(STATES[:, : step + 1], np.ones((3, step + 1), bool))
        np.testing.assert_allclose(layer.result(state), expected, rtol=1e-5, atol=1e-6)
