"""What a user changes of a layer's cell is what the layer computes, on every kernel."""

import keras
import numpy as np
import pytest

from gru_zoo.convert import to_keras
from gru_zoo.layers.gru import GRU, GRUCell
from tests.reference import BATCH, FEATURES, MASKS, TIME, UNITS

X = np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES)).astype("float32")
MASK = np.asarray(MASKS["any pattern"])


class Recurs(GRUCell):
    def recur(self, projected, state, dropped=None, kept=None):
        return super().recur(projected, state, dropped, kept) + 1.0


class Projects(GRUCell):
    def project(self, inputs, dropped=None):
        return super().project(inputs, dropped) * 2.0


class Gates(GRUCell):
    def gates(self, projected, state, dropped=None):
        z, r, c = super().gates(projected, state, dropped)
        return z * 0.5, r, c


class Calls(GRUCell):
    def call(self, inputs, states, training=False):
        new, _ = super().call(inputs, states, training=training)
        return new + 1.0, [new + 1.0]


def with_cell(kind, **options):
    keras.utils.set_random_seed(3)
    layer = GRU(UNITS, return_sequences=True, return_state=True, **options)
    layer.cell = kind(UNITS)
    return layer


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
@pytest.mark.parametrize("kind", [Recurs, Projects, Gates, Calls])
def test_a_cell_of_another_class_computes_what_it_says(kind, mask):
    layer = with_cell(kind)
    found, last = (np.asarray(keras.ops.convert_to_numpy(y)) for y in layer(X, mask=mask))
    cell, state = layer.cell, np.zeros((BATCH, UNITS), "float32")
    for t in range(TIME):
        new = keras.ops.convert_to_numpy(cell(X[:, t], [state])[0])
        state = new if mask is None else np.where(mask[:, t, None], new, state)
        kept = slice(None) if mask is None else mask[:, t]
        np.testing.assert_allclose(found[kept, t], state[kept], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, state, rtol=1e-5, atol=1e-6)
    assert layer.kernel_used == "loop"
    assert f"its cell is a {kind.__name__}, which may compute something else" in layer.kernel_reason


@pytest.mark.parametrize("kernel", ["fused", "cudnn"])
def test_a_kernel_of_fixed_equations_refuses_a_cell_of_another_class(kernel):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("no other backend has them")
    with pytest.raises(ValueError, match="its cell is a Recurs, which may compute something else"):
        with_cell(Recurs, kernel=kernel)(X)


def test_a_cell_of_another_class_is_not_converted():
    layer = with_cell(Recurs)
    layer.build(X.shape)
    with pytest.raises(ValueError, match=r"layer must have a gru_zoo GRUCell; got .*Recurs\."):
        to_keras(layer)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("kernel", ["loop", "unrolled", "auto"])
def test_a_rate_of_recurrent_dropout_set_later_drops_the_same_of_every_gate(kernel, reset_after):
    options = {"seed": 5, "reset_after": reset_after}
    x = np.random.default_rng(1).normal(size=(5, TIME, FEATURES)).astype("float32")
    layer = GRU(UNITS, kernel=kernel, **options)
    layer.build(x.shape)
    layer.cell.recurrent_dropout = 0.5
    found = keras.ops.convert_to_numpy(layer(x, training=True))
    twin = GRUCell(UNITS, **options)
    twin.recurrent_dropout = 0.5
    state = keras.ops.zeros((5, UNITS))
    mask = twin.get_recurrent_dropout_mask(state)
    for t in range(TIME):
        state = layer.cell.recur(layer.cell.project(x[:, t]), state, [mask] * 3)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(state), rtol=1e-5, atol=1e-6)
    assert np.abs(found - keras.ops.convert_to_numpy(layer(x))).max() > 0.01
