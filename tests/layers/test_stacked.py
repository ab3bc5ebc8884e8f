"""StackedGRU: shapes, states, masks, dropout, saving; equality with torch.nn.GRU."""

import keras
import numpy as np
import pytest
from keras import ops

from gru_zoo.convert import from_torch
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

B, T, D, U = 3, 5, 4, 7
LENGTHS = [5, 2, 4]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]


def draw(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def randomized(layer, features=D, seed=1):
    """Build the layer and give every weight random numbers, biases too."""
    layer.build((None, None, features))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(scale=0.4, size=w.shape) for w in layer.weights])
    return layer


def torch_gru(**options):
    torch = pytest.importorskip("torch")
    torch.manual_seed(2)
    return torch.nn.GRU(D, U, batch_first=True, **options).eval()


def numpy(tensor):
    return tensor.detach().numpy()


@pytest.mark.parametrize("num_layers, bias", [(1, True), (2, False), (3, True)])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_equals_torch_with_initial_state(num_layers, bias, bidirectional, update_gate):
    torch = pytest.importorskip("torch")
    theirs = torch_gru(num_layers=num_layers, bidirectional=bidirectional, bias=bias)
    ours = from_torch(theirs, update_gate=update_gate, kernel="loop")
    x, h0 = draw(B, T, D), draw(num_layers * (1 + bidirectional), B, U, seed=3)
    output, h_n = ours(x, initial_state=h0)
    wanted, wanted_h_n = theirs(torch.from_numpy(x), torch.from_numpy(h0))
    np.testing.assert_allclose(output, numpy(wanted), atol=1e-5)
    np.testing.assert_allclose(h_n, numpy(wanted_h_n), atol=1e-5)


@pytest.mark.parametrize(
    "kernel, with_state", [("auto", True), ("loop", False), ("unrolled", True)]
)
def test_mask_equals_packed_sequences(kernel, with_state):
    torch = pytest.importorskip("torch")
    theirs = torch_gru(num_layers=2, bidirectional=True)
    ours = from_torch(theirs, kernel=kernel)
    x, h0 = draw(B, T, D), draw(4, B, U, seed=3) * with_state
    pack = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), LENGTHS, batch_first=True, enforce_sorted=False
    )
    packed, wanted_h_n = theirs(pack, torch.from_numpy(h0))
    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    output, h_n = ours(x, initial_state=h0 if with_state else None, mask=MASK)
    np.testing.assert_allclose(output, numpy(wanted), atol=1e-5)
    np.testing.assert_allclose(h_n, numpy(wanted_h_n), atol=1e-5)


def test_gradients_equal_torch():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes a TensorFlow tape")
    torch = pytest.importorskip("torch")
    tf = pytest.importorskip("tensorflow")
    theirs = torch_gru(num_layers=2, bidirectional=True)
    ours = from_torch(theirs, kernel="unrolled")
    x = draw(B, T, D)
    theirs_x = torch.from_numpy(x).requires_grad_()
    wanted, wanted_h_n = theirs(theirs_x)
    ((wanted**2).sum() + (wanted_h_n**3).sum()).backward()
    ours_x = tf.Variable(x)
    with tf.GradientTape() as tape:
        output, h_n = ours(ours_x)
        loss = ops.sum(output**2) + ops.sum(h_n**3)
    of_x, of_kernel = tape.gradient(loss, [ours_x, ours.backward_grus[0].cell.kernel.value])
    np.testing.assert_allclose(of_x, theirs_x.grad, atol=1e-4)
    rzn = np.split(numpy(theirs.weight_ih_l0_reverse.grad).T, 3, axis=-1)
    np.testing.assert_allclose(of_kernel, np.hstack([rzn[1], rzn[0], rzn[2]]), atol=1e-4)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_one_layer_is_a_gru(reset_after, update_gate):
    options = {"reset_after": reset_after, "update_gate": update_gate, "kernel": "loop"}
    stacked = randomized(StackedGRU(U, **options))
    alone = GRU(U, return_sequences=True, return_state=True, **options)
    alone.build((None, None, D))
    alone.set_weights(stacked.get_weights())
    output, h_n = stacked(draw(B, T, D))
    wanted, last = alone(draw(B, T, D))
    np.testing.assert_array_equal(output, wanted)
    np.testing.assert_array_equal(h_n[0], last)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(bidirectional):
    layer = randomized(StackedGRU(U, 2, bidirectional=bidirectional, kernel="loop"))
    x = draw(B, T, D)
    short, h_short = layer(x[1:2, :2])
    long, h_long = layer(x[1:2], mask=MASK[1:2])
    np.testing.assert_allclose(long[:, :2], short, atol=1e-6)
    np.testing.assert_allclose(h_long, h_short, atol=1e-6)
    assert not ops.any(long[:, 2:])


def test_mask_arrives_from_embedding_even_beside_an_initial_state():
    embedding = keras.layers.Embedding(11, D, mask_zero=True)
    layer = randomized(StackedGRU(U, bidirectional=True, kernel="loop"))
    ids = np.where(MASK, 1 + np.arange(T), 0)
    h0 = draw(2, B, U)
    output, h_n = layer(embedding(ids), initial_state=ops.convert_to_tensor(h0))
    wanted, wanted_h_n = layer(embedding.embeddings.numpy()[ids], initial_state=h0, mask=MASK)
    np.testing.assert_allclose(output, wanted, atol=1e-6)
    np.testing.assert_allclose(h_n, wanted_h_n, atol=1e-6)
    np.testing.assert_array_equal(output._keras_mask, MASK)
    assert getattr(h_n, "_keras_mask", None) is None


def test_mask_arrives_in_a_compiled_model_beside_an_initial_state():
    ids, start = keras.Input((None,), dtype="int32"), keras.Input((2, U))
    x = keras.layers.Embedding(11, D, mask_zero=True)(ids)
    h0 = ops.transpose(start, (1, 0, 2))
    layer = StackedGRU(U, bidirectional=True, kernel="loop", return_state=False)
    model = keras.Model([ids, start], layer(x, initial_state=h0))
    model.compile("sgd", "mse")
    given = [np.where(MASK, 1 + np.arange(T), 0), draw(B, 2, U)]
    found = model.predict(given, verbose=0)
    assert not found[~MASK].any() and np.abs(found[MASK]).min() > 0
    short = [given[0][1:2, :2], given[1][1:2]]
    np.testing.assert_allclose(found[1:2, :2], model.predict(short, verbose=0), atol=1e-6)


def test_dropout_only_between_layers_and_only_in_training():
    x = ops.ones((64, 2, D))
    one = randomized(StackedGRU(U, num_layers=1, dropout=0.5, kernel="loop"))
    np.testing.assert_array_equal(one(x, training=True)[0], one(x)[0])
    two = randomized(StackedGRU(U, num_layers=2, dropout=0.5, kernel="loop", seed=3))
    assert np.ptp(two(x)[0], axis=0).max() < 1e-6  # equal rows stay equal without dropout
    output, h_n = two(x, training=True)
    assert np.ptp(output, axis=0).max() > 1e-2  # dropped after layer 0 ...
    assert np.ptp(h_n[0], axis=0).max() < 1e-6  # ... but not inside it,
    np.testing.assert_array_equal(output[:, -1], h_n[1])  # and not after the last layer
    assert ops.all(ops.abs(output) > 0)


def test_no_two_places_drop_alike():
    layer = StackedGRU(U, 3, bidirectional=True, dropout=0.5, recurrent_dropout=0.5, seed=3)
    grus = [gru for both in layer.grus for gru in both]
    seeds = [part.seed for part in (*layer.dropouts, *grus)]
    assert len(set(seeds)) == len(seeds) == 2 + 6
    numpys = StackedGRU(U, 3, dropout=0.5, seed=np.int64(3))
    assert [part.seed for part in numpys.dropouts] == seeds[:2]


# Keras' own saving converts variables in a way that NumPy 2 warns about.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_saved_model_computes_the_same(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(11, D, mask_zero=True)(ids)
    output, h_n = StackedGRU(U, 2, bidirectional=True, dropout=0.1, kernel="loop", seed=5)(x)
    model = keras.Model(ids, [output, h_n])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = np.array([[1, 2, 3, 0], [4, 0, 0, 0]])
    for got, wanted in zip(loaded(batch), model(batch), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_config_holds_every_argument():
    options = {
        "units": U,
        "num_layers": 2,
        "bidirectional": True,
        "dropout": 0.25,
        "recurrent_dropout": 0.5,
        "activation": "relu",
        "use_bias": False,
        "kernel_initializer": keras.initializers.GlorotUniform(seed=3),
        "recurrent_regularizer": keras.regularizers.L2(0.1),
        "reset_after": False,
        "update_gate": "write",
        "zoneout": 0.125,
        "layer_norm": True,
        "kernel": "loop",
        "return_state": False,
        "seed": 3,
        "dtype": "float64",
        "name": "stack",
    }
    layer = StackedGRU(**options)
    again = StackedGRU.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    cell = again.backward_grus[1].cell
    assert (cell.update_gate, cell.zoneout, cell.layer_norm) == ("write", 0.125, True)
    assert again.compute_dtype == "float64"
    assert layer.get_config()["kernel_initializer"]["config"]["seed"] == 3
    layer = StackedGRU(**{**options, "dtype": "float32"})  # JAX has no float64 unless told
    layer.build((None, None, U))  # forward and backward of layer 0 are of one shape
    first, second = (gru.cell.kernel.numpy() for gru in layer.grus[0])
    assert np.abs(first - second).max() > 0.1


def test_works_in_sequential_and_learns():
    model = keras.Sequential(
        [
            keras.Input((T, D)),
            StackedGRU(U, bidirectional=True, kernel="unrolled", return_state=False),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", run_eagerly=True)
    history = model.fit(draw(8, T, D), draw(8, 1, seed=1), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.layers[0].output.shape == (None, T, 2 * U)


def test_symbolic_shapes_are_the_real_ones():
    x, h0 = keras.Input((None, D)), keras.Input(batch_shape=(4, None, U))
    layer = StackedGRU(U, num_layers=2, bidirectional=True)
    output, h_n = layer(x, initial_state=h0)
    assert output.shape == (None, None, 2 * U)
    assert h_n.shape == (4, None, U)
    shapes = layer.compute_output_shape((B, T, D))
    assert shapes == ((B, T, 2 * U), (4, B, U))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"num_layers": 0}, "num_layers must be an integer of at least 1; got 0"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\); got 1.0"),
        ({"update_gate": "kept"}, "update_gate must be one of 'keep', 'write'; got 'kept'"),
        ({"kernel": "fast"}, "kernel must be one of .*; got 'fast'"),
        ({"bidirectional": "no"}, "bidirectional must be one of False, True; got 'no'"),
        ({"num_layers": 2, "bidirectional": 0.5}, "bidirectional must be one of .*; got 0.5"),
        ({"return_state": "no"}, "return_state must be one of False, True; got 'no'"),
        ({"seed": "a"}, "seed must be an integer or None; got 'a'"),
        ({"seed": 1.5}, "seed must be an integer or None; got 1.5"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        StackedGRU(**{"units": U, **options})


def test_an_initializer_without_a_configuration():
    class Tenths(keras.initializers.Initializer):
        def __init__(self, step):
            self.step = step

        def __call__(self, shape, dtype=None):
            return keras.ops.full(shape, self.step, dtype)

    layer = StackedGRU(U, 2, kernel_initializer=Tenths(0.1))
    layer.build((B, T, D))
    for (gru,) in layer.grus:
        np.testing.assert_allclose(gru.cell.kernel, 0.1)


@pytest.mark.parametrize("shape", [(1, B, U), (4, B, U + 1), (4, B + 1, U), (B, U)])
def test_wrong_initial_state(shape):
    layer = StackedGRU(U, num_layers=2, bidirectional=True)
    with pytest.raises(ValueError, match=r"initial_state must have shape .*\[4, 3, 7\]; got \["):
        layer(draw(B, T, D), initial_state=draw(*shape))


def test_a_seed_generator_gives_every_gru_other_weights():
    for seed in (1, keras.random.SeedGenerator(1)):
        initializer = keras.initializers.GlorotUniform(seed=seed)
        layer = StackedGRU(U, 1, bidirectional=True, kernel_initializer=initializer)
        layer.build((None, None, D))
        forwards, backwards = (gru.get_weights()[0] for gru in layer.grus[0])
        assert np.abs(forwards - backwards).max() > 0.1
