"""Files of a tagger: what they split, look up and tag is what the model does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.artifacts.tagger import tagger_files, tagger_goldens, tagger_parts
from gru_zoo.data.universal_dependencies import Sentence
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.runners.lite_tagger import LiteTagger
from gru_zoo.export.tagger_folder import tagger_saved_model
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.word_features import WordFeatures
from gru_zoo.text.words import treebank_words

# Every format of a model, each compared: CI does it.
pytestmark = pytest.mark.slow

TEXTS = [
    "I can't believe it's not Müller-Thurgau, e.g. at 10.30!!!!",
    "",
    "WE’LL e-mail: bob@example.com / ÉCOLE 1,000,000 £ ² ٣ 日本語 don't-ask",
    "  n't  'S   \u00a0 _x_ rock'n'roll 😀😀😀😀 ... .... ",
    "cafe\u0301s \u0939\u093f\u0928\u094d\u0926\u0940 \u0301a ...\u0301 don\u0301't",
    "\u2764\ufe0fgood 1\ufe0f\u20e3 's\u0301 e\u0301n't",
    "\ufeffsoft\u00adware don\u200b't \u202aIt's\u202c\u200e is\u200dn't \u2066a\u2069",
    "\u0646\u0645\u06cc\u200c\u062e\u0648 \U0001f469\u200d\U0001f680 \u200c ' \u200d's -\u200ds",
    "İstanbul ΣΊΣΥΦΟΣ Straße ǅ aaaaaa XXXXXXX 99999 ''''",
]
WORDS = [words for words in map(treebank_words, TEXTS) if words]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    sizes = {"word_dim": 5, "affix_dim": 3, "units": 4, "num_layers": 2}
    tagger = Tagger(WordFeatures.fit(WORDS + WORDS), ("DET", "NOUN", "VERB"), **sizes)
    random = np.random.default_rng(2)
    for weight in tagger.weights:
        if weight.dtype == "float32":
            weight.assign(random.normal(0, 0.9, weight.shape))
    return tagger


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tagger") / "saved_model"
    tagger_saved_model(model, path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


def test_texts_are_split_as_python_splits_them(loaded):
    words = loaded.signatures["serving_default"](text=tf.constant(TEXTS))["words"].numpy()
    given = [[word.decode() for word in row if word] for row in words]
    assert given == [treebank_words(text) for text in TEXTS]


def test_texts_are_tagged_as_the_model_tags_their_words(loaded, model):
    tags = loaded.signatures["serving_default"](text=tf.constant(TEXTS))["tags"].numpy()
    given = [[tag.decode() for tag in row if tag] for row in tags]
    assert [row for row in given if row] == model.tag(WORDS)
    nothing = loaded.signatures["serving_default"](text=tf.constant(["", " "]))
    assert nothing["tags"].numpy().tolist() == [[b""], [b""]]


def test_the_features_of_words_are_those_of_python(loaded, model):
    longest = max(map(len, WORDS))
    padded = tf.constant([[*words, *[""] * (longest - len(words))] for words in WORDS])
    results = loaded.signatures["words"](words=padded)
    for row, wanted in zip(
        results["probabilities"].numpy(), model.probabilities(WORDS), strict=True
    ):
        np.testing.assert_allclose(row[: len(wanted)], wanted, atol=1e-5)


def test_tflite_and_its_assets_tag_as_the_model_does(model, tmp_path):
    parts = tagger_parts(model, [Sentence(tuple(words), ("NOUN",) * len(words)) for words in WORDS])
    (tmp_path / "assets").mkdir()
    for name, content in parts["assets"].items():
        (tmp_path / "assets" / name).write_bytes(content)
    name = "model_float32.tflite"
    parts["files"][name](tmp_path / name)
    record = parts["compare"](tmp_path / name, name)
    assert record["variant"] == "float32" and record["sentences"] == len(WORDS)
    assert record["largest_difference"] < 1e-5 and record["metric"] == record["model_metric"]
    lite = LiteTagger(tmp_path / name)
    assert lite.tag(WORDS) == model.tag(WORDS)
    np.testing.assert_allclose(
        lite.probabilities(WORDS[0]), model.probabilities(WORDS[:1])[0], atol=1e-5
    )
    given = lite.probabilities(np.array(WORDS[0]))
    np.testing.assert_array_equal(given, lite.probabilities(WORDS[0]))
    for nothing in ([], np.array([], str)):
        with pytest.raises(ValueError, match="words must be one or more; got none"):
            lite.tag([nothing])
    for tagger in (model, lite):
        with pytest.raises(ValueError, match="sentences must be words each; number 2 is 'I can'"):
            tagger.tag([WORDS[0], "I can"])
    with pytest.raises(ValueError, match="words must be strings; number 2 is None"):
        lite.tag([["I", None]])
    with pytest.raises(ValueError, match="words must be the words of a sentence; got the text"):
        lite.probabilities("I can")


def test_onnx_does_what_the_model_does(model, tmp_path):
    pytest.importorskip("onnxruntime")
    parts = tagger_parts(model, [Sentence(tuple(words), ("NOUN",) * len(words)) for words in WORDS])
    parts["files"]["model.onnx"](tmp_path / "model.onnx")
    record = parts["compare"](tmp_path / "model.onnx", "model.onnx")
    assert record["variant"] == "onnx" and record["largest_difference"] < 1e-5


def test_a_file_of_another_model_is_refused(model, folder):
    other = Tagger.from_config(model.get_config())
    other.set_weights([weight * 1.1 for weight in model.get_weights()])
    parts = tagger_parts(other, [Sentence(tuple(words), ("NOUN",) * len(words)) for words in WORDS])
    with pytest.raises(Refused, match="must be within 1e-05 of the model's probabilities"):
        parts["compare"](folder, "saved_model")


def test_goldens_are_words_one_after_the_other(model):
    goldens = tagger_goldens(model, WORDS)
    assert goldens["lengths"].tolist() == [len(words) for words in WORDS]
    assert goldens["words"].shape == (goldens["lengths"].sum(),)
    assert goldens["probabilities"].shape == (goldens["lengths"].sum(), 3)


def test_another_cell_has_no_such_files(model):
    other = Tagger.from_config({**model.get_config(), "cell": "rnn"})
    with pytest.raises(ValueError, match="cell must be 'gru' for a tagger's device files; got 'rn"):
        tagger_files(other)
    with pytest.raises(ValueError, match="model must be a Tagger; got a? ?Sequential"):
        tagger_saved_model(keras.Sequential([keras.Input((2,))]), "nowhere")
