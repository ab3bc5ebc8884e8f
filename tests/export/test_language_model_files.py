"""A language model's files: the next token's probabilities, whole and token by token."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from gru_zoo import export
from gru_zoo.artifacts.language_model import language_model_parts
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.flatbuffer.checksum_archive import unsealed
from gru_zoo.export.flatbuffer.operators import name_of
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.runners.lite_language_model import LiteLanguageModel
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer
from tests.export.conftest import make_classifier

# Every format of a model, each compared: CI does it.
pytestmark = pytest.mark.slow

LIMITS = {"float32": 1e-5, "float16": 1e-2, "int8": 1e-1}
# Enough of them that a second table would show in the file's size.
WORDS = (*SPECIAL, *(f"word{number}" for number in range(600)), "it's")
EMBEDDING, UNITS = 40, 23
IDS = np.array([1, 5, 17, 603, 2, 8, 8, 41], np.int32)


def make(tokenizer, **options):
    keras.utils.set_random_seed(5)
    model = LanguageModel(tokenizer, EMBEDDING, UNITS, **options)
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.4, weight.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return make(WordTokenizer(WORDS, 400, fold_case=True))


@pytest.fixture(scope="module")
def wanted(model):
    """Probabilities after each id of IDS, as the Keras model gives them, [time, tokens]."""
    return tf.nn.softmax(model(IDS[None]))[0].numpy()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("language_model")
    for variant in LIMITS:
        export.tflite(model, folder / f"{variant}.tflite", variant, sequence_length=30)
    return folder


@pytest.mark.parametrize("variant", LIMITS)
def test_a_stream_gives_the_models_probabilities_after_every_token(files, wanted, variant):
    stream = export.Streamer(files / f"{variant}.tflite")
    assert set(stream.state) == {"state_last"}
    for number, after in zip(IDS, wanted, strict=True):
        given = stream.push(number)["probabilities"]
        assert given.shape == (1, len(WORDS))
        np.testing.assert_allclose(given[0], after, rtol=0, atol=LIMITS[variant])
    assert np.ptp(wanted[-1]) > 0.05


@pytest.mark.parametrize("variant", LIMITS)
def test_the_whole_gives_the_token_after_the_last_at_any_length(files, wanted, variant):
    path = str(files / f"{variant}.tflite")
    run = Interpreter(model_path=path, num_threads=1).get_signature_runner("serving_default")
    for length in (1, 2, len(IDS)):
        given = run(ids=IDS[None, :length])["probabilities"]
        np.testing.assert_allclose(given[0], wanted[length - 1], rtol=0, atol=LIMITS[variant])


def test_the_step_graph_is_the_models_step(model, wanted):
    graph = step_graph(model)
    states = graph.initial()
    for number, after in zip(IDS, wanted, strict=True):
        outputs = graph.step(ids=tf.constant([number]), **states)
        states = {name: outputs[name] for name in states}
        np.testing.assert_allclose(outputs["probabilities"][0], after, rtol=0, atol=1e-6)
    given = Network(model).call({"ids": IDS[None]})["probabilities"]
    np.testing.assert_allclose(given[0], wanted[-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("policy", "limit"), [("float64", 1e-6), ("mixed_float16", 5e-3)])
def test_a_model_of_another_precision_is_written_in_float32(policy, limit, tmp_path):
    model = make(WordTokenizer(WORDS, 400, fold_case=True), dtype=policy)
    graph = step_graph(model)
    given = graph.step(ids=tf.constant(IDS[:1]), **graph.initial())["probabilities"]
    wanted = tf.nn.softmax(model(IDS[None, :1]))[:, -1]
    np.testing.assert_allclose(given, wanted, rtol=0, atol=limit)
    export.tflite(model, tmp_path / "model.tflite", sequence_length=9)


@pytest.mark.parametrize(("variant", "size"), [("float32", 4), ("float16", 2), ("int8", 1)])
def test_the_table_is_in_the_file_once(files, model, variant, size):
    content = schema.ModelT.InitFromPackedBuf(unsealed(files / f"{variant}.tflite"))
    table = model.embedding.embeddings.numpy().size * size
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in content.buffers]
    assert [size for size in sizes if size >= table] == [table]
    # In int8 each row has a scale, twice, and biases stay as they are.
    spare = 1.3 if variant == "int8" else 1.05
    assert sum(sizes) < spare * size * model.count_params()


def test_a_table_of_halves_is_looked_up_and_multiplied_by_apart(files):
    content = schema.ModelT.InitFromPackedBuf(unsealed(files / "float16.tflite"))
    looked_up = 0
    for graph in content.subgraphs:
        readers = {}
        for operator in graph.operators:
            kind = name_of(content.operatorCodes[operator.opcodeIndex])
            for tensor in operator.inputs:
                readers.setdefault(int(tensor), set()).add(kind)
            for tensor in operator.outputs if kind == "DEQUANTIZE" else ():
                readers.setdefault(int(tensor), set()).add("halves")
        kinds = [kinds for kinds in readers.values() if {"halves", "GATHER"} <= kinds]
        looked_up += len(kinds)
        # XNNPACK would pack the table anew at every call.
        assert all(kinds == {"halves", "GATHER"} for kinds in kinds)
    assert looked_up == 2  # of the whole sequence and of a step


def test_the_file_holds_its_tokenizer(files, model, tmp_path):
    texts = ["Word5 WORD600, it\u2019s", ""]
    lite = LiteLanguageModel(files / "int8.tflite")
    assert lite.tokenizer.vocabulary == model.tokenizer.vocabulary
    assert lite.tokenizer.words(texts).to_list() == [[8, 2, 603], []]
    letters = make(CharacterTokenizer("ab\n\u00e9"))
    export.tflite(letters, tmp_path / "letters.tflite", "float16", sequence_length=30)
    lite = LiteLanguageModel(tmp_path / "letters.tflite")
    assert lite.tokenizer.words(["b\u00e9\nx"]).to_list() == [[4, 6, 5, 2]]
    given = lite.read(4)
    np.testing.assert_allclose(given, tf.nn.softmax(letters(np.array([[4]])))[0, 0], atol=1e-2)


def test_a_saved_model_gives_the_same(model, wanted, tmp_path):
    export.saved_model(model, tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    run = loaded.signatures["serving_default"]
    given = run(ids=tf.constant(np.stack([IDS, IDS[::-1]])))["probabilities"]
    np.testing.assert_allclose(given[0], wanted[-1], rtol=0, atol=1e-5)
    other = tf.nn.softmax(model(IDS[None, ::-1]))[0, -1]
    np.testing.assert_allclose(given[1], other, rtol=0, atol=1e-5)


def test_a_files_perplexity_is_that_of_the_tokens_that_came(files, model, wanted):
    compare = language_model_parts(model, IDS[None])["compare"]
    record = compare(files / "float32.tflite", "model_float32.tflite")
    perplexity = np.exp(-np.log(wanted[np.arange(len(IDS) - 1), IDS[1:]]).mean())
    assert record["metric"] == pytest.approx(perplexity, rel=1e-4)
    assert record["model_metric"] == pytest.approx(perplexity, rel=1e-4)
    assert 0 < record["largest_difference"] < 1e-5
    other = make(model.tokenizer)
    other.projection.bias.assign(other.projection.bias + 1)
    compare = language_model_parts(other, IDS[None])["compare"]
    with pytest.raises(Refused, match="must be within 1e-05 of the model's probabilities"):
        compare(files / "float32.tflite", "model_float32.tflite")


def test_a_file_of_characters_is_scored_in_bits_a_character(tmp_path):
    letters = make(CharacterTokenizer("abnr"))
    ids = np.array([[1, 4, 3, 5, 3, 5, 3]], np.int32)
    export.tflite(letters, tmp_path / "letters.tflite", sequence_length=30)
    compare = language_model_parts(letters, ids)["compare"]
    record = compare(tmp_path / "letters.tflite", "model_float32.tflite")
    shares = tf.nn.softmax(letters(ids[:, :-1]))[0].numpy()[np.arange(6), ids[0, 1:]]
    bits = -np.log2(shares).mean()
    assert record["metric"] == pytest.approx(bits, rel=1e-4)
    assert record["model_metric"] == pytest.approx(bits, rel=1e-4)


def test_what_cannot_be_had(model, files, tmp_path):
    with pytest.raises(ValueError, match="must be a SequenceClassifier for variant 'mediapipe'"):
        export.tflite(model, tmp_path / "no.tflite", "mediapipe")
    classifier = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
    export.tflite(classifier, tmp_path / "other.tflite", sequence_length=30)
    with pytest.raises(ValueError, match="vocab.txt attached"):
        LiteLanguageModel(tmp_path / "other.tflite")
    export.tflite(make_classifier(), tmp_path / "labels.tflite")
    with pytest.raises(ValueError, match="a probability for each of its .*labels.tflite gives 3"):
        LiteLanguageModel(tmp_path / "labels.tflite")


def test_onnx_cannot_be_had(model, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="must not be a LanguageModel for ONNX"):
        export.onnx(model, tmp_path / "no.onnx")
