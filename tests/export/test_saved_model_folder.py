"""SavedModel: texts in, labelled probabilities out, in a process that has TensorFlow alone."""

import json
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.export import saved_model_folder
from gru_zoo.export.checks import inspection
from gru_zoo.export.graphs.plain_loops import run_plain
from gru_zoo.export.saved_model_folder import saved_model
from tests.export.conftest import LABELS, REVIEWS, make_classifier, random_reviews
from tests.export.text_kinds import piece_classifier
from tests.nasty_texts import NASTY


@pytest.mark.slow
def test_fresh_process_needs_tensorflow_alone(classifier, exported, tmp_path):
    program = """
        import json, sys

        # None forbids the import.
        sys.modules.update(dict.fromkeys(("gru_zoo", "keras", "ai_edge_litert")))
        import tensorflow as tf

        folder, texts = sys.argv[1], json.loads(sys.argv[2])
        loaded = tf.saved_model.load(folder)
        result = loaded.signatures["serving_default"](text=tf.constant(texts))
        print(json.dumps({
            "label": [label.decode() for label in result["label"].numpy()],
            "score": result["score"].numpy().tolist(),
            "probabilities": result["probabilities"].numpy().tolist(),
            "labels": [label.decode() for label in result["labels"].numpy()[0]],
        }))
    """
    run = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(program)]
        + [str(exported["saved_model"]), json.dumps(REVIEWS)],
        capture_output=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    result = json.loads(run.stdout)
    expected = classifier.predict(REVIEWS, verbose=0)
    np.testing.assert_allclose(result["probabilities"], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(result["score"], expected.max(axis=1), rtol=0, atol=1e-5)
    assert result["label"] == [LABELS[i] for i in expected.argmax(axis=1)]
    assert result["labels"] == list(LABELS)


def test_the_largest_difference_of_a_classifier_is_returned(classifier, monkeypatch, tmp_path):
    def off(model, call, *inputs):
        return run_plain(model, call, *inputs) + tf.constant(4e-6)

    monkeypatch.setattr(saved_model_folder, "run_plain", off)
    assert saved_model(classifier, tmp_path / "model") == pytest.approx(4e-6, rel=0.3)


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_batch_is_dynamic(classifier, exported, size):
    texts = (random_reviews(100) + REVIEWS)[:size]
    loaded = tf.saved_model.load(str(exported["saved_model"]))
    result = loaded(tf.constant(texts, tf.string))
    assert result["label"].shape == result["score"].shape == (size,)
    assert result["labels"].shape == result["probabilities"].shape == (size, len(LABELS))
    assert result["label"].dtype == result["labels"].dtype == tf.string
    if size:
        expected = classifier.predict(texts, verbose=0)
        np.testing.assert_allclose(result["probabilities"], expected, rtol=0, atol=1e-5)


def test_any_bytes_have_a_result(classifier, exported):
    loaded = tf.saved_model.load(str(exported["saved_model"]))
    given = loaded(tf.constant(NASTY))["probabilities"]
    np.testing.assert_allclose(given, classifier.predict(NASTY, verbose=0), rtol=0, atol=1e-5)


def test_no_compiled_island_and_no_device_operator(tmp_path):
    saved_model(make_classifier(kernel="fused", bidirectional=True), tmp_path / "model")
    operators = inspection.inspect(tmp_path / "model")["operators"]
    assert "While" in operators or "StatelessWhile" in operators
    assert not [name for name in operators if name.startswith(("Cudnn", "Xla"))]


def test_compiled_island_would_be_refused(tmp_path):
    class Compiled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x):
            return {"y": tf.function(lambda x: 2 * x, jit_compile=True)(x)}

    tf.saved_model.save(Compiled(), str(tmp_path / "model"))
    with pytest.raises(inspection.Refused, match="must run on any device"):
        inspection.inspect(tmp_path / "model")


def test_word_pieces_are_refused_as_no_other_process_has_them(tmp_path):
    wanted = "model.tokenizer must be a WordTokenizer .*got a WordPieceTokenizer.*'mediapipe'"
    with pytest.raises(ValueError, match=wanted):
        saved_model(piece_classifier(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrap", [tf.numpy_function, tf.py_function])
def test_a_function_of_python_is_refused(wrap, tmp_path):
    def doubled(x):
        return tf.ensure_shape(wrap(lambda x: 2 * x, [x], tf.float32), [None, None, 4])

    layer = keras.layers.Lambda(doubled, output_shape=(None, 4))
    model = keras.Sequential([keras.Input((None, 4)), layer, keras.layers.GRU(7)])
    with pytest.raises(inspection.Refused, match=r"must run in any process; .* holds (Eager)?PyF"):
        saved_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_folder_is_replaced_whole(classifier, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left_over").write_text("of an older model")
    (folder / "saved_model.pb").write_text("that model")
    with pytest.raises(FileExistsError, match="folder must be new, or overwrite=True"):
        saved_model(classifier, folder)
    assert (folder / "left_over").exists()
    saved_model(classifier, folder, overwrite=True)
    assert not (folder / "left_over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_full_disk_leaves_the_old_folder(classifier, tmp_path, full_disk):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("the one before")
    with full_disk, pytest.raises(OSError, match="model' could not be written"):
        saved_model(classifier, folder, overwrite=True)
    assert (folder / "saved_model.pb").read_text() == "the one before"
    assert [path.name for path in folder.iterdir()] == ["saved_model.pb"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
