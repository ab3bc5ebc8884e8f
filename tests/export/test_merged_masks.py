"""Sequences that are merged: their masks mean in an exported graph what they mean in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from gru_zoo import GRU, StackedGRU, export
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.word_features import WordFeatures
from tests.export.conftest import shake
from tests.small_data import small_treebank

A = np.array([[3, 1, 0, 2, 0, 0]], np.int32)
B = np.array([[0, 2, 0, 4, 5, 0]], np.int32)


def embedded(mask_zero, *merge):
    """Return a model of two inputs of ids, the second one's vectors masked or not."""
    a, b = (keras.Input((None,), dtype="int32", name=name) for name in ("a", "b"))
    x = layers.Embedding(6, 4, mask_zero=True)(a), layers.Embedding(6, 4, mask_zero=mask_zero)(b)
    for one in merge:
        x = one(x)
    return keras.Model([a, b], GRU(7, return_sequences=True)(x))


MODELS = {
    "concatenated": lambda: embedded(True, layers.Concatenate()),
    "added": lambda: embedded(True, layers.Add()),
    "concatenated, one without mask": lambda: embedded(False, layers.Concatenate()),
    "added, one without mask": lambda: embedded(False, layers.Add()),
    "an operation that is no layer": lambda: embedded(True, lambda x: x[0] + 2.0 * x[1]),
}


@pytest.mark.parametrize("name", MODELS)
def test_masks_merge_as_in_keras(name):
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    shake(model, 3)
    wanted = model([A, B])
    graph = SequenceGraph(Network(model))
    given = graph.whole(a=tf.constant(A), b=tf.constant(B))["outputs"]
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("merge", [layers.Multiply, layers.Maximum, layers.Minimum])
@pytest.mark.parametrize("mask_zero", [True, False], ids=["both masked", "one masked"])
def test_layers_that_compute_by_masks_are_refused_by_name(merge, mask_zero, tmp_path):
    pytest.importorskip("onnxruntime")
    model = embedded(mask_zero, merge(name="join"))
    for write in (export.tflite, export.onnx):
        with pytest.raises(
            ValueError, match=f"'join' \\({merge.__name__}\\) must .* without a mask"
        ):
            write(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("merge", [layers.Multiply, layers.Maximum, layers.Minimum])
def test_the_same_layers_without_a_mask_are_not_refused(merge, tmp_path):
    pytest.importorskip("onnxruntime")
    x = keras.Input((None, 4))
    model = keras.Model(x, GRU(5)(merge()([layers.Dense(3)(x), layers.Dense(3)(x)])))
    export.onnx(model, tmp_path / "model.onnx")
    assert export.tflite(model, tmp_path / "model.tflite") < 1e-5


def through(*stack):
    """Return a model of padded ids whose word vectors go through other layers first."""
    ids = [keras.Input((None,), dtype="int32"), layers.Embedding(6, 4, mask_zero=True)]
    return keras.Sequential([*ids, *stack, GRU(7)])


ENDING = {
    "a layer that supports no masking": lambda: through(layers.RMSNormalization()),
    "one in TimeDistributed": lambda: through(layers.TimeDistributed(layers.RMSNormalization())),
    "one that does": lambda: through(layers.LayerNormalization()),
}


@pytest.mark.filterwarnings("ignore:Layer 'rms_normalization.*does not support mask")
@pytest.mark.parametrize("name", ENDING)
def test_masks_end_where_keras_lets_them_end(name):
    keras.utils.set_random_seed(3)
    model = ENDING[name]()
    shake(model, 3)
    graph = SequenceGraph(Network(model))
    given = graph.whole(ids=tf.constant(A))["outputs"]
    np.testing.assert_allclose(given, model(A), rtol=1e-5, atol=1e-6)


def test_a_file_that_takes_padding_for_words_is_refused(tmp_path, monkeypatch):
    keras.utils.set_random_seed(3)
    model = through(layers.Dense(5))
    shake(model, 3)
    unharmed = Network._embedded
    monkeypatch.setattr(
        Network, "_embedded", lambda self, layer, ids, masked: unharmed(self, layer, ids, False)
    )
    with pytest.raises(Refused, match="must be within 1e-05 of the model"):
        export.tflite(model, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_tagger_in_litert_tags_padded_sentences_as_keras_does(tmp_path):
    keras.utils.set_random_seed(3)
    sentences = [sentence.words for sentence in small_treebank.sentences("train")[:3]]
    model = Tagger(WordFeatures.fit(sentences), ("DET", "NOUN", "X"), 5, 3, units=4, num_layers=2)
    shake(model, 3)
    path = tmp_path / "tagger.tflite"
    export.tflite(model, path, "float32", sequence_length=9)
    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    ids = model.features.encode(sentences, time=9)
    wanted = model(ids)
    for row in range(3):
        one = {name: array[row : row + 1] for name, array in ids.items()}
        np.testing.assert_allclose(runner(**one)["outputs"][0], wanted[row], atol=1e-5)


def masking(value):
    """Return a model that masks steps of a value other than zero."""
    return keras.Sequential([keras.Input((None, 4)), layers.Masking(value), layers.GRU(7)])


def test_tflite_is_compared_on_steps_that_masking_takes_for_padding(tmp_path, monkeypatch):
    model = masking(-1.0)
    shake(model, 3)
    assert export.tflite(model, tmp_path / "right.tflite") < 1e-5
    unharmed = Network.walk
    monkeypatch.setattr(Network, "walk", lambda *args, **_: unharmed(*args, masked=False))
    with pytest.raises(Refused, match="must be within 1e-05 of the model"):
        export.tflite(model, tmp_path / "wrong.tflite")


def test_onnx_is_compared_on_steps_that_masking_takes_for_padding(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    model = masking(-1.0)
    shake(model, 3)
    export.onnx(model, tmp_path / "right.onnx")
    from gru_zoo.export.onnx_writer import layers as onnx_layers
    from gru_zoo.export.onnx_writer import walk as onnx_walk

    monkeypatch.setitem(onnx_walk._WRITERS, layers.Masking, onnx_layers.unchanged)
    with pytest.raises(Refused, match="must be within 1e-05 of the model"):
        export.onnx(model, tmp_path / "wrong.onnx")


@pytest.mark.parametrize("write", [export.tflite, export.onnx])
def test_a_file_of_two_inputs_is_compared_where_one_is_padding(write, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    model = embedded(True, layers.Multiply())
    shake(model, 3)
    from gru_zoo.export.graphs import network
    from gru_zoo.export.onnx_writer import layers as onnx_layers

    for module in (network, onnx_layers):
        monkeypatch.setattr(module, "require_unmasked", lambda layer, masks: None)
    with pytest.raises(Refused, match="must be within 1e-05 of the model"):
        write(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_numbers_without_time_beside_a_sequence_are_refused_by_name(tmp_path):
    sequence, numbers = keras.Input((None, 4)), keras.Input((3,), dtype="int32", name="numbers")
    both = layers.Concatenate(name="join")([layers.GRU(5)(sequence), numbers])
    with pytest.raises(ValueError, match="input 'numbers' of the model must be float, or ids"):
        export.tflite(
            keras.Model([sequence, numbers], layers.Dense(2)(both)), tmp_path / "a.tflite"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Layer .* mask")
def test_a_stacks_masked_steps_are_zeros_to_a_maximum():
    keras.utils.set_random_seed(3)
    ids = [keras.Input((None,), dtype="int32"), layers.Embedding(6, 4, mask_zero=True)]
    stack = StackedGRU(7, 2, return_state=False)
    model = keras.Sequential([*ids, stack, layers.GlobalMaxPooling1D()])
    shake(model, 3)
    padded = np.array([[3, 1, 0, 2, 0, 0]], np.int32)
    wanted = model(padded).numpy()
    assert (wanted == 0).any() and (wanted != 0).any()  # a padded step is the largest of some
    graph = SequenceGraph(Network(model))
    given = graph.whole(ids=tf.constant(padded))["outputs"]
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)
