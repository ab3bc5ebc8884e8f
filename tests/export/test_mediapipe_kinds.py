"""MediaPipe's TextClassifier on every kind of text classifier: the Keras model's scores."""

import numpy as np
import pytest

from gru_zoo.export.flatbuffer import metadata
from gru_zoo.export.mediapipe import classify, describe, resized
from gru_zoo.models.classifier import SequenceClassifier, load_classifier
from tests.export.conftest import REVIEWS, make_classifier, random_reviews
from tests.export.text_kinds import EACH, KINDS, expected, piece_classifier, write


@pytest.mark.parametrize("kind", KINDS)
def test_runtime_gives_the_models_probabilities(kind, tmp_path):
    pytest.importorskip("mediapipe")
    texts = REVIEWS + random_reviews(60)
    model, thresholds = write(kind, tmp_path / "model.tflite")
    wanted = expected(model, thresholds, texts)
    given = classify(tmp_path / "model.tflite", texts)
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-5)  # NaN in the same places
    left_out = np.isnan(wanted).mean()
    assert (0.1 < left_out < 0.9) if thresholds.any() else left_out == 0
    assert metadata.read(tmp_path / "model.tflite").labels == model.labels


def test_a_length_changes_what_is_read_not_the_weights():
    long, short = make_classifier(33), resized(make_classifier(33), 5)
    text = "good good good good worst worst worst worst"
    assert short.tokenizer.sequence_length == 5
    np.testing.assert_allclose(
        short.predict(text, verbose=0), long.predict("good " * 4, verbose=0), atol=1e-6
    )
    assert np.abs(short.predict(text, verbose=0) - long.predict(text, verbose=0)).max() > 1e-3


def test_a_subclass_is_still_one_at_another_length():
    class Turned(SequenceClassifier):
        def call(self, inputs, training=False):
            return super().call(inputs, training)[:, ::-1]

    plain = make_classifier(33)
    turned = Turned.from_config(plain.get_config())
    turned.set_weights(plain.get_weights())
    given = resized(turned, 5).predict("a good film", verbose=0)
    np.testing.assert_allclose(given[:, ::-1], resized(plain, 5).predict("a good film", verbose=0))


def test_a_length_that_cannot_be():
    with pytest.raises(ValueError, match="sequence_length must be an integer of at least 1; got 0"):
        resized(make_classifier(), 0)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({**EACH, "postive": 0.5}, r"must name the labels .*; got 'postive'. Did you mean 'posit"),
        ({"negative": 0.5}, "must name every label; 'mixed' is missing"),
    ],
)
def test_thresholds_that_do_not_fit_the_labels(thresholds, message):
    with pytest.raises(ValueError, match=message):
        describe(make_classifier(), thresholds)


def test_a_model_of_word_pieces_is_saved_and_loaded(tmp_path):
    model = piece_classifier()
    model.save(tmp_path / "pieces.keras")
    again = load_classifier(tmp_path / "pieces.keras")
    assert again.tokenizer.vocabulary == model.tokenizer.vocabulary
    given, wanted = again.predict(REVIEWS, verbose=0), model.predict(REVIEWS, verbose=0)
    np.testing.assert_array_equal(given, wanted)
    assert np.ptp(wanted, axis=0).min() > 0.01
