"""Each TFLite variant: what it says, what it is made of, and what is refused before it exists."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import gru_zoo.export.tflite_file as module
from gru_zoo.export.checks import inspection
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.runners.lite_classifier import LiteClassifier
from gru_zoo.export.tflite_file import tflite
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer
from tests.export.conftest import (
    LABELS,
    REVIEWS,
    VARIANTS,
    WORDS,
    make_classifier,
    random_reviews,
)

LIMITS = {"float32": 1e-5, "float16": 1e-2, "int8": 0.1, "mediapipe": 1e-5}


def lite_probabilities(path, ids):
    """Run a file by its signature's names, one text at a time."""
    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    return np.concatenate([runner(ids=row[None])["probabilities"] for row in ids])


@pytest.mark.parametrize("variant", VARIANTS)
def test_file_gives_the_models_probabilities(classifier, exported, variant):
    ids = classifier.tokenizer(REVIEWS + random_reviews(60)).numpy()
    expected = classifier.predict(ids, verbose=0)
    assert np.ptp(expected, axis=0).min() > 0.1  # the texts tell models apart
    given = lite_probabilities(exported[variant], ids)
    np.testing.assert_allclose(given, expected, rtol=0, atol=LIMITS[variant])


def test_half_of_a_surrogate_pair_is_read_as_keras_reads_it(classifier, exported):
    word = WORDS[3]
    halves, whole = [f"{word}\udce9", f"\ud83d{word}"], [f"{word}\ufffd", f"\ufffd{word}"]
    lite = LiteClassifier(exported["float32"])
    given = lite.predict(halves)
    np.testing.assert_array_equal(given, lite.predict(whole))
    np.testing.assert_allclose(given, classifier.predict(halves, verbose=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_input_and_output_are_named_and_fixed(exported, variant):
    interpreter = Interpreter(model_path=str(exported[variant]))
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["name"], given["dtype"], given["shape"].tolist()) == ("ids", np.int32, [1, 12])
    assert (result["name"], result["dtype"]) == ("probabilities", np.float32)
    assert result["shape"].tolist() == [1, len(LABELS)]
    signatures = interpreter.get_signature_list()
    assert signatures["serving_default"] == {"inputs": ["ids"], "outputs": ["probabilities"]}
    assert ("step" in signatures) == (variant != "mediapipe")


def test_mediapipe_file_is_one_graph_with_every_step(exported):
    record = inspection.inspect(exported["mediapipe"])
    assert record["subgraphs"] == 1
    assert record["operators"]["TANH"] == 12
    assert "WHILE" not in record["operators"]


@pytest.mark.parametrize(("variant", "kind"), [("int8", np.int8), ("float16", np.float16)])
def test_weights_are_stored_small(exported, variant, kind):
    interpreter = Interpreter(model_path=str(exported[variant]))
    small = [t for t in interpreter.get_tensor_details() if t["dtype"] == kind]
    assert max(np.prod(t["shape"]) for t in small) >= 20 * len(WORDS)  # the embedding among them


@pytest.mark.slow
def test_more_room_for_words_changes_nothing(classifier, exported, tmp_path):
    roomy = make_classifier(length=19)
    roomy.set_weights(classifier.get_weights())
    tflite(roomy, tmp_path / "roomy.tflite")
    texts = ["good", "the end was not very good"]
    np.testing.assert_array_equal(
        lite_probabilities(tmp_path / "roomy.tflite", roomy.tokenizer(texts).numpy()),
        lite_probabilities(exported["float32"], classifier.tokenizer(texts).numpy()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{"bidirectional": True}, {"cell": "keras_gru"}])
def test_models_without_running_state_are_exported_too(arguments, tmp_path):
    model = make_classifier(**arguments)
    tflite(model, tmp_path / "model.tflite", "float32", texts=REVIEWS + random_reviews(20))
    signatures = Interpreter(str(tmp_path / "model.tflite")).get_signature_list()
    assert ("step" in signatures) == (not model.bidirectional)


@pytest.mark.slow
def test_same_model_gives_the_same_bytes(classifier, exported, tmp_path):
    tflite(classifier, tmp_path / "again.tflite", "int8")
    assert (tmp_path / "again.tflite").read_bytes() == exported["int8"].read_bytes()


def test_unknown_variant_suggests_a_near_name(classifier, tmp_path):
    with pytest.raises(ValueError, match=r"variant must be one of .*got 'flot16'.*'float16'"):
        tflite(classifier, tmp_path / "model.tflite", "flot16")


def test_vocabulary_of_another_size_is_refused(tmp_path):
    model = make_classifier()
    model.tokenizer = WordTokenizer((*SPECIAL, "good"), 12)
    with pytest.raises(ValueError, match=f"for each of the {len(WORDS) + 3} rows .*got 4"):
        tflite(model, tmp_path / "model.tflite")


def test_weight_that_is_not_finite_is_refused(tmp_path):
    model = make_classifier()
    broken = model.head.kernel.numpy()
    broken[2, 1] = np.nan
    model.head.kernel.assign(broken)
    with pytest.raises(ValueError, match="finite weights; .*head/kernel holds NaN"):
        tflite(model, tmp_path / "model.tflite")


def test_something_else_than_a_classifier_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model must be a SequenceClassifier or .*; got str"):
        tflite("model.keras", tmp_path / "model.tflite")


def test_file_that_differs_never_gets_its_name(classifier, exported, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"the one before")
    other, both = make_classifier(seed=4), module._both
    monkeypatch.setattr(
        module, "_both", lambda network, *rest, **named: both(Network(other), *rest, **named)
    )
    with pytest.raises(inspection.Refused, match="within 1e-05 of the model's probabilities; got"):
        tflite(classifier, path, overwrite=True)
    assert path.read_bytes() == b"the one before"
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]


def test_full_disk_leaves_the_old_file(classifier, tmp_path, full_disk):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"the one before")
    with full_disk, pytest.raises(OSError, match="model.tflite' could not be written"):
        tflite(classifier, path, overwrite=True)
    assert path.read_bytes() == b"the one before"
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["good", None], "texts must be texts; number 2 is None"),
        ([], "texts must be one text or more; got none"),
        ([[1, 7, 4]], r"texts must be one text or a list of texts; got \[\[1, 7, 4\]\]"),
        (None, "texts must be one text or a list of texts; got None"),
    ],
)
def test_what_is_no_text_is_refused(exported, texts, message):
    with pytest.raises(ValueError, match=message):
        LiteClassifier(exported["float32"]).predict(texts)


def test_a_column_of_texts_is_read(exported):
    lite = LiteClassifier(exported["float32"])
    wanted = lite.predict(["good", "bad film"])
    np.testing.assert_array_equal(lite.predict(np.array(["good", "bad film"], object)), wanted)
