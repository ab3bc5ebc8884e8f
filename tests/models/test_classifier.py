import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.models.classifier import SequenceClassifier, load_classifier
from gru_zoo.text.tokenizers import WordTokenizer
from tests.cells import some_slow

WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "fine", "bad", "film", "a", "the", "not")
TEXTS = ["a fine film", "the film", "not a bad film, not at all", "", "bad bad bad"]


def classifier(**options):
    keras.utils.set_random_seed(5)
    defaults = {"embedding_dim": 4, "units": 5, "labels": ("no", "yes", "perhaps")}
    model = SequenceClassifier(WordTokenizer(WORDS, 8), **{**defaults, **options})
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.7, weight.shape))
    return model


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", some_slow())
def test_padding_does_not_change_a_prediction(cell, bidirectional):
    model = classifier(cell=cell, bidirectional=bidirectional, kernel="loop")
    ids = model.tokenizer.encode(TEXTS)
    longer = np.pad(ids, ((0, 0), (0, 5)))
    np.testing.assert_allclose(model(ids), model(longer), atol=1e-6)
    alone = np.concatenate([model(row[None, : np.count_nonzero(row)]) for row in ids])
    np.testing.assert_allclose(model(ids), alone, atol=1e-6)


def test_our_layer_and_keras_give_the_same():
    ours, theirs = classifier(), classifier(cell="keras_gru")
    for weight, value in zip(theirs.weights, ours.get_weights(), strict=True):
        assert weight.shape == value.shape
    theirs.set_weights(ours.get_weights())
    ids = ours.tokenizer.encode(TEXTS)
    np.testing.assert_allclose(ours(ids), theirs(ids), atol=1e-5)


def test_raw_texts_and_ids_give_the_same():
    model = classifier()
    expected = model(model.tokenizer.encode(TEXTS)).numpy()
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), expected, atol=1e-6)
    for one in (TEXTS[0], TEXTS[0].encode()):
        np.testing.assert_allclose(model.predict(one, verbose=0), expected[:1], atol=1e-6)
    np.testing.assert_allclose(model(tf.constant(TEXTS)), expected, atol=1e-6)
    assert expected.shape == (5, 3)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6)


class Column:
    """What is asked of a column of a table, as pandas has it."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, np.shape(values), object

    def to_numpy(self):
        return np.array(self.values, self.dtype)


@pytest.mark.parametrize(
    "collection",
    [
        tuple,
        np.array,
        lambda texts: np.array([text.encode() for text in texts]),
        lambda texts: np.array([text.encode() for text in texts], object),
        lambda texts: np.array(texts, np.dtypes.StringDType()),
        lambda texts: [np.str_(text) for text in texts],
        Column,
    ],
    ids=["tuple", "strings", "bytes", "objects", "variable width", "scalars", "column"],
)
def test_texts_may_be_in_any_collection(collection):
    model = classifier()
    expected = model.predict(TEXTS, verbose=0)
    np.testing.assert_array_equal(model.predict(collection(TEXTS), verbose=0), expected)
    one = model.predict(np.array(TEXTS[0]), verbose=0)
    np.testing.assert_allclose(one, expected[:1], atol=1e-6)


def test_a_column_of_pandas():
    pandas = pytest.importorskip("pandas")
    model = classifier()
    expected = model.predict(TEXTS, verbose=0)
    for kind in (object, "string"):
        series = pandas.Series(TEXTS, index=range(9, 4, -1), dtype=kind)
        np.testing.assert_array_equal(model.predict(series, verbose=0), expected)
    with pytest.raises(ValueError, match="x must be texts; number 2 is (nan|<NA>|None)"):
        model.predict(pandas.Series(["fine", None]))


@pytest.mark.parametrize("wrong", [None, 3, float("nan"), ["bad"]])
@pytest.mark.parametrize(
    "collection", [list, tuple, lambda texts: np.array([*texts, 0], object)[:-1]]
)
def test_what_is_no_text_is_named(collection, wrong):
    model = classifier()
    with pytest.raises(ValueError, match="x must be texts; number 2 is "):
        model.predict(collection(["fine", wrong, "bad"]))
    with pytest.raises(ValueError, match="x must be texts; number 1 is None"):
        model.predict(collection([None, "bad"]))


def test_ids_are_no_texts():
    model = classifier()
    ids = model.tokenizer.encode(TEXTS)
    expected = model.predict(TEXTS, verbose=0)
    for given in (ids, tf.constant(ids), tf.data.Dataset.from_tensor_slices(ids).batch(5)):
        np.testing.assert_allclose(model.predict(given, verbose=0), expected, atol=1e-6)


def test_word_by_word_equals_the_whole_and_streams_do_not_leak():
    model = classifier()
    ids = model.tokenizer.encode(["a fine bad film", "the the not film"])
    assert np.count_nonzero(ids[0]) == np.count_nonzero(ids[1]) == 5
    state = model.initial_state(2)
    for step in range(5):
        state = model.step(ids[:, step], state)
        prefix = np.where(np.arange(8) <= step, ids, 0)
        np.testing.assert_allclose(model.output(state), model(prefix), atol=1e-6)
    alone = model.initial_state(1)
    for step in range(5):
        alone = model.step(ids[1:, step], alone)
    np.testing.assert_allclose(model.output(alone), model.output(state)[1:], atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"bidirectional": True}, {"cell": "keras_gru"}, {"cell": "lstm"}]
)
def test_models_that_cannot_stream_say_why(options):
    with pytest.raises(ValueError, match="must be .* for streaming; got "):
        classifier(**options).initial_state(1)


def test_every_weight_receives_a_gradient():
    model = classifier(dropout=0.0)
    ids = model.tokenizer.encode(TEXTS)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(tf.math.log(model(ids, training=True)[:, 1]))
    for weight, gradient in zip(
        model.trainable_weights,
        tape.gradient(loss, [weight.value for weight in model.trainable_weights]),
        strict=True,
    ):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


@pytest.mark.slow
def test_it_overfits_eight_texts():
    keras.utils.set_random_seed(1)
    texts = [f"{a} {b}" for a in ("fine", "bad") for b in ("film", "a", "the", "not")]
    model = SequenceClassifier(WordTokenizer(WORDS, 8), embedding_dim=4, units=5, dropout=0.0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.05
    targets = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    model.fit(model.tokenizer.encode(texts), targets, epochs=150, batch_size=8, verbose=0)
    chosen = model.predict(texts, verbose=0).argmax(axis=1)
    assert chosen.tolist() == targets.tolist()


@pytest.mark.parametrize("cell", some_slow())
def test_the_archive_brings_back_the_model(cell, tmp_path):
    model = classifier(units=6, cell=cell)
    model.save(tmp_path / "model.keras")
    again = load_classifier(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_corrupt_archive_is_refused(tmp_path, keep):
    path = tmp_path / "model.keras"
    classifier().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(ValueError, match="path must be a whole .keras file; .* is corrupt"):
        load_classifier(path)


def test_no_texts():
    model = classifier()
    for nothing in ([], (), np.array([], object)):
        with pytest.raises(ValueError, match="x must be one text or more; got none"):
            model.predict(nothing)
    assert model.tokenizer.encode([]).shape == (0, model.tokenizer.sequence_length)


def test_missing_archives_and_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load_classifier(tmp_path / "none.keras")
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "d.keras")
    with pytest.raises(ValueError, match="must hold a SequenceClassifier; got a Sequential"):
        load_classifier(tmp_path / "d.keras")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "grru"}, "cell must be one of 'gru', .*, 'keras_gru'; got 'grru'. Did you mean"),
        ({"kernel": "fuse"}, "kernel must be one of .* got 'fuse'"),
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"embedding_dim": -1}, "embedding_dim must be an integer of at least 1; got -1"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\); got 1.0"),
        ({"bidirectional": "no"}, "bidirectional must be one of False, True; got 'no'"),
        ({"labels": ("one",)}, "labels must be two or more different names; got"),
        ({"labels": (1, 2)}, "labels must be texts of one line; got 1"),
        ({"labels": ("", "good")}, "labels must be texts of one line; got ''"),
        ({"labels": ("go\nod", "bad")}, r"labels must be texts of one line; got 'go\\nod'"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(**options)
