"""SavedModel of models over arrays: any batch and length, and TensorFlow alone."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gru_zoo import GRU, StackedGRU
from gru_zoo.export import saved_model_folder
from gru_zoo.export.checks import inspection
from gru_zoo.export.graphs.plain_loops import plain_loops
from gru_zoo.export.saved_model_folder import saved_model
from tests.export.conftest import shake

T, D, U, IDS = 5, 4, 7, 11


def sequential(shape, *members):
    return keras.Sequential([layers.Input(shape), *members])


def functional():
    sound = layers.Input((None, D), name="sound")
    words = layers.Input((None,), name="words", dtype="int32")
    x = layers.Embedding(IDS, 6, mask_zero=True)(words)
    x = layers.Bidirectional(GRU(U, return_sequences=True), name="states")(x)
    pooled = layers.GlobalAveragePooling1D()(x)
    h = layers.GRU(U)(sound)
    joined = layers.Dense(3, name="joined")(layers.Concatenate()([h, pooled]))
    return keras.Model({"sound": sound, "words": words}, {"joined": joined, "states": x})


MODELS = {
    "fused": lambda: sequential((None, D), GRU(U, kernel="fused", return_sequences=True)),
    "keras": lambda: sequential((None, D), layers.GRU(U, use_cudnn="auto"), layers.Dense(2)),
    "fixed time": lambda: sequential((T, D), layers.GRU(U), layers.Dense(2)),
    "ids": lambda: sequential((None,), layers.Embedding(IDS, 6, mask_zero=True), layers.GRU(U)),
    "zoneout": lambda: sequential((None, D), GRU(U, zoneout=0.2, layer_norm=True)),
    "functional": functional,
}
PROGRAM = """
    import sys

    sys.modules.update(dict.fromkeys(("gru_zoo", "keras")))  # None forbids the import.
    import numpy as np
    import tensorflow as tf

    for folder in sys.argv[1:]:
        loaded = tf.saved_model.load(folder)
        arrays = dict(np.load(folder + ".npz"))
        served = loaded.signatures["serving_default"](
            **{name: tf.constant(array) for name, array in arrays.items()}
        )
        np.savez(folder + ".out.npz", **{name: y.numpy() for name, y in served.items()})
"""


def inputs_of(signature, batch, time):
    """Random arrays for a signature, the last steps zero."""
    random = np.random.default_rng(5)
    arrays = {}
    for name, spec in signature.structured_input_signature[1].items():
        shape = [batch, spec.shape[1] or time, *spec.shape[2:]]
        drawn = random.integers(1, IDS, size=shape) if spec.dtype == tf.int32 else None
        arrays[name] = random.normal(size=shape) if drawn is None else drawn
        arrays[name] = arrays[name].astype(spec.dtype.as_numpy_dtype)
        arrays[name][0, -1:] = 0
    return arrays


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return name -> model and folder of every model, and what TensorFlow alone makes of it."""
    folder, made, batches = tmp_path_factory.mktemp("saved"), {}, {}
    for number, name in enumerate(MODELS):
        model = MODELS[name]()
        shake(model, 3)
        path = folder / str(number)
        saved_model(model, path)
        signature = tf.saved_model.load(str(path)).signatures["serving_default"]
        batches[name] = inputs_of(signature, batch=2, time=9)
        np.savez(f"{path}.npz", **batches[name])
        made[name] = model, path
    program = [sys.executable, "-I", "-c", textwrap.dedent(PROGRAM)]
    run = subprocess.run([*program, *(str(p) for _, p in made.values())], capture_output=True)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    return {
        name: (model, batches[name], dict(np.load(f"{path}.out.npz")), path)
        for name, (model, path) in made.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_tensorflow_alone_gives_what_keras_gives(name, saved):
    model, arrays, given, path = saved[name]
    with plain_loops(model):
        wanted = model(arrays if len(arrays) > 1 else next(iter(arrays.values())))
    if not isinstance(wanted, dict):
        wanted = {"outputs": wanted}
    assert given.keys() == wanted.keys()
    for key, array in given.items():
        np.testing.assert_allclose(array, wanted[key], rtol=1e-5, atol=1e-5)
    operators = inspection.inspect(path)["operators"]
    assert not [one for one in operators if one.startswith(("Cudnn", "Xla"))]


@pytest.mark.parametrize("batch, time", [(1, 1), (3, 2), (5, 30)])
def test_batch_and_time_are_dynamic(batch, time, saved):
    model, _, _, path = saved["functional"]
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    arrays = inputs_of(signature, batch, time)
    given = signature(**{name: tf.constant(array) for name, array in arrays.items()})
    assert given["states"].shape == (batch, time, 2 * U)
    with plain_loops(model):
        np.testing.assert_allclose(given["joined"], model(arrays)["joined"], atol=1e-5)


def test_the_last_states_of_a_stack_keep_their_shape(tmp_path):
    x = layers.Input((None, D))
    model = keras.Model(x, dict(zip(("states", "last"), StackedGRU(U, 2)(x), strict=True)))
    saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    given = loaded.signatures["serving_default"](tf.zeros((3, T, D)))
    assert sorted(one.shape.as_list() for one in given.values()) == [[2, 3, U], [3, T, U]]


class Hidden(layers.Layer):
    """Looks numbers up in a table that is none of its attributes."""

    def __init__(self):
        super().__init__()
        pairs = tf.lookup.KeyValueTensorInitializer([30, 40], [1, 2], tf.int32, tf.int32)
        table = tf.lookup.StaticHashTable(pairs, 0)
        self.look_up = lambda numbers: table.lookup(numbers)

    def call(self, numbers):
        return self.look_up(numbers)


def looked_up(lookup):
    """Return a model of numbers that a table turns into ids."""
    return keras.Sequential(
        [layers.Input((None,), dtype="int32"), lookup, layers.Embedding(5, 4), GRU(U)]
    )


def test_a_table_is_saved_too(tmp_path):
    model = looked_up(layers.IntegerLookup(vocabulary=[30, 40, 50]))
    saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    ids = np.array([[30, 50, 7, 0]], np.int32)
    given = loaded.signatures["serving_default"](ids=tf.constant(ids))["outputs"]
    with plain_loops(model):
        np.testing.assert_allclose(given, model(ids), atol=1e-5)


def test_a_table_that_cannot_be_found_is_told(tmp_path):
    with pytest.raises(ValueError, match="must read nothing but weights, and tables that are att"):
        saved_model(looked_up(Hidden()), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_layers_are_left_as_they_were(saved):
    layer = saved["keras"][0].layers[0]
    assert layer.use_cudnn == "auto"


def test_a_folder_that_differs_is_refused(monkeypatch, tmp_path):
    def off(model, call, *inputs):
        return {name: given + tf.constant(1e-4) for name, given in call(*inputs).items()}

    monkeypatch.setattr(saved_model_folder, "run_plain", off)
    with pytest.raises(
        inspection.Refused, match="must be within 1e-05 of the model; output 'outputs'"
    ):
        saved_model(MODELS["ids"](), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_the_largest_difference_is_returned(monkeypatch, tmp_path):
    def off(model, call, *inputs):
        return {name: given + tf.constant(4e-6) for name, given in call(*inputs).items()}

    model = MODELS["ids"]()
    assert saved_model(model, tmp_path / "near") < 1e-6
    monkeypatch.setattr(saved_model_folder, "run_plain", off)
    assert saved_model(model, tmp_path / "model") == pytest.approx(4e-6, rel=0.3)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "int64"])
@pytest.mark.parametrize("shape", [(None, D), (D,)])
def test_numbers_keep_the_models_own_type(dtype, shape, tmp_path):
    samples = layers.Input(shape, dtype=dtype, name="samples")
    read = layers.Rescaling(0.1)(samples)
    words = layers.Input((None,), dtype="int32", name="words")
    read = [GRU(U)(read) if len(shape) > 1 else read, GRU(U)(layers.Embedding(IDS, 6)(words))]
    model = keras.Model([samples, words], layers.Concatenate()(read))
    saved_model(model, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    _, specs = served.structured_input_signature
    assert specs["samples"].dtype.name == dtype
    steps = (3, *(T if size is None else size for size in shape))
    x = np.random.default_rng(0).integers(2, size=steps).astype(dtype)
    ids = np.ones((3, T), np.int32)
    given = served(samples=tf.constant(x), words=tf.constant(ids))["outputs"]
    np.testing.assert_allclose(given, model([x, ids]), atol=1e-5)


def test_a_batch_that_fit_has_fixed_is_opened(tmp_path):
    model = keras.Sequential([layers.GRU(U), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, T, D)), np.ones((8, 2)), batch_size=8, verbose=0)
    assert model.inputs[0].shape == (8, T, D)
    saved_model(model, tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    x = np.random.default_rng(0).normal(size=(3, T, D)).astype("float32")
    np.testing.assert_allclose(served(tf.constant(x))["outputs"], model(x), atol=1e-5)


def test_what_cannot_be_served(tmp_path):
    stateful = keras.Sequential([layers.Input((T, D), batch_size=2), layers.GRU(U, stateful=True)])
    with pytest.raises(ValueError, match=r"must leave the batch open; input .* \(2, 5, 4\)"):
        saved_model(stateful, tmp_path / "model")
    with pytest.raises(ValueError, match="model must be .* got GRU"):
        saved_model(GRU(U), tmp_path / "model")
    assert not list(tmp_path.iterdir())
