"""Weights of 4 bits, the embedding's among them."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from gru_zoo import export
from gru_zoo.export.flatbuffer import int4 as module
from gru_zoo.export.flatbuffer.int4 import int4, with_lookups
from gru_zoo.export.runners.lite_classifier import LiteClassifier
from tests.export.conftest import REVIEWS, make_classifier

ROWS, WIDTH, COLUMNS = 300, 24, 40


class Texts(tf.Module):
    """tanh(E[ids] W), and a GATHER of rows that are not constant."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(0)
        self.table = tf.Variable(random.normal(0.1, 0.3, (ROWS, WIDTH)).astype(np.float32))
        self.matrix = tf.Variable(random.normal(0.0, 0.2, (WIDTH, COLUMNS)).astype(np.float32))

    @tf.function
    def __call__(self, ids, order):
        rows = tf.tanh(tf.gather(self.table, ids) @ self.matrix)
        return {"y": tf.gather(rows, order)}


@pytest.fixture(scope="module")
def content():
    texts = Texts()
    ids, order = tf.TensorSpec((6,), tf.int32, "ids"), tf.TensorSpec((4,), tf.int32, "order")
    function = texts.__call__.get_concrete_function(ids, order)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], texts).convert()


def run(content, ids=(7, 0, 299, 7, 41, 5), order=(3, 0, 5, 1)):
    runner = Interpreter(model_content=content).get_signature_runner()
    return runner(ids=np.array(ids, np.int32), order=np.array(order, np.int32))["y"]


def operators(content):
    model = schema.ModelT.InitFromPackedBuf(content)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def test_lookup_gives_the_same_rows_bit_for_bit(content):
    lookups = with_lookups(content)
    kinds = schema.BuiltinOperator
    assert operators(content).count(kinds.GATHER) == 2
    assert operators(lookups).count(kinds.EMBEDDING_LOOKUP) == 1
    assert operators(lookups).count(kinds.GATHER) == 1  # rows that are made at run time
    np.testing.assert_array_equal(run(lookups), run(content))
    assert with_lookups(lookups) == lookups


def test_weights_are_int4_and_results_near(content):
    pytest.importorskip("ai_edge_quantizer")
    small = int4(content)
    tensors = schema.ModelT.InitFromPackedBuf(small).subgraphs[0].tensors
    shapes = {tuple(t.shape) for t in tensors if t.type == schema.TensorType.INT4}
    assert shapes == {(ROWS, WIDTH), (COLUMNS, WIDTH)}
    # Half a byte a weight, a scale (4) and a zero point (8) a row, and the rest of a small file.
    assert len(small) < (0.5 * WIDTH + 12) * (ROWS + COLUMNS) + 6000
    model = schema.ModelT.InitFromPackedBuf(small)
    (entry,) = (entry for entry in model.metadata if entry.name == b"min_runtime_version")
    assert bytes(model.buffers[entry.buffer].data) == module.RUNTIME
    given, expected = run(small), run(content)
    assert 1e-3 < np.abs(given - expected).max() < 0.25
    assert np.corrcoef(given.ravel(), expected.ravel())[0, 1] > 0.97


def test_file_without_weights_is_refused():
    pytest.importorskip("ai_edge_quantizer")
    function = tf.function(lambda x: {"y": tf.tanh(x)})
    one = function.get_concrete_function(tf.TensorSpec((3,), tf.float32, "x"))
    empty = tf.lite.TFLiteConverter.from_concrete_functions([one]).convert()
    with pytest.raises(ValueError, match="content must hold float32 matrices or embeddings"):
        int4(empty)


def test_missing_package_names_the_extra(content, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r'ai_edge_quantizer: pip install "gru-zoo\[int4\]"'):
        int4(content)


def test_two_signatures_agree_and_share_their_weights(tmp_path, capfd):
    pytest.importorskip("ai_edge_quantizer")
    model = make_classifier(embedding_dim=64, units=32)
    path = tmp_path / "model.tflite"
    export.tflite(model, path, "int4")
    assert "%|" not in capfd.readouterr().err  # the bars of the quantizer, with 100 tensors or more
    packed = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    halves = [len(buffer.data) for buffer in packed.buffers if buffer.data is not None]
    for weight in (model.embedding.embeddings, model.rnn.cell.recurrent_kernel):
        assert halves.count(int(np.prod(weight.shape)) // 2) == 1, weight.path
    stream, whole = export.Streamer(path), LiteClassifier(path)
    with pytest.raises(ValueError, match="ids must be rows of their embedding"):
        stream.push(ids=len(model.tokenizer.vocabulary))
    ids = model.tokenizer.encode([REVIEWS[1]])[0]
    for word in ids[: np.count_nonzero(ids)]:
        result = stream.push(ids=np.array([word], np.int32))
    np.testing.assert_allclose(
        result["probabilities"], whole.predict([REVIEWS[1]]), rtol=0, atol=2e-2
    )


def test_an_output_may_have_a_name_that_the_converter_gives(tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    x = keras.Input((None, 64))
    y = keras.layers.GRU(64, return_sequences=True)(x)
    for name in ("add_2", "mul"):
        model = keras.Model(x, [y, keras.layers.Add(name=name)([x, y])])
        assert export.tflite(model, tmp_path / f"{name}.tflite", "int4") < 0.3
