"""Each shipped artifact proves itself: checksums, and its goldens in every format."""

import numpy as np
import pytest

from gru_zoo import list_models, load, verify
from gru_zoo.batching import predict_bucketed, quarter_lengths
from gru_zoo.card import Card
from gru_zoo.card_text import readme
from gru_zoo.data import imdb
from gru_zoo.zoo import card, models_folder
from tests.real_data import needs_tfds, tfds_folder

pytestmark = pytest.mark.parametrize("name", list_models())
# Largest difference of a probability from the Keras model's, as the export promises them.
LIMITS = {"float32": 1e-5, "float16": 1e-2, "int8": 1e-1, "mediapipe": 1e-5}


def goldens(name):
    with np.load(models_folder() / name / "golden.npz", allow_pickle=False) as archive:
        return archive["texts"].tolist(), archive["ids"], archive["probabilities"]


def test_every_file_is_the_one_the_card_speaks_of(name):
    folder = models_folder() / name
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(verify(name)) == on_disk - {"card.json", "README.md"}
    assert max(path.stat().st_size for path in folder.rglob("*")) < 10e6
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 60e6


def test_the_readme_is_the_cards(name):
    folder = models_folder() / name
    assert (folder / "README.md").read_text() == readme(Card.from_json(folder / "card.json"))


def test_keras(name):
    texts, ids, expected = goldens(name)
    model = load(name)
    np.testing.assert_array_equal(model.tokenizer.encode(texts), ids)
    np.testing.assert_allclose(model.predict(texts, verbose=0), expected, atol=1e-5)


def test_saved_model(name):
    texts, _, expected = goldens(name)
    served = load(name, format="saved_model").signatures["serving_default"]
    result = served(text=np.array(texts, object))
    np.testing.assert_allclose(result["probabilities"], expected, atol=1e-5)


@pytest.mark.parametrize("variant", LIMITS)
def test_tflite(name, variant):
    texts, ids, expected = goldens(name)
    lite = load(name, format="tflite", variant=variant)
    np.testing.assert_array_equal(lite.tokenizer.encode(texts), ids)
    np.testing.assert_allclose(lite.predict(texts), expected, atol=LIMITS[variant])


def test_mediapipe_runs_the_file_as_it_is(name):
    pytest.importorskip("mediapipe")
    from gru_zoo.export.mediapipe import classify

    texts, _, expected = goldens(name)
    path = models_folder() / name / "model_mediapipe.tflite"
    scores = classify(path, [text.decode() for text in texts])
    np.testing.assert_allclose(scores, expected, atol=1e-3)


@pytest.mark.slow
@needs_tfds
def test_the_real_test_split_gives_the_cards_accuracy(name, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    dataset, source = imdb.load("test", "tfds")
    about = card(name)
    assert about.data["sha256"] == source.sha256
    rows = list(dataset.as_numpy_iterator())
    texts, targets = [row["text"] for row in rows], [row["label"] for row in rows]
    model = load(name)
    ids = model.tokenizer.encode(texts)
    probabilities = predict_bucketed(model, ids, quarter_lengths(ids.shape[1]))
    accuracy = np.mean(probabilities.argmax(axis=1) == np.array(targets))
    assert accuracy == pytest.approx(about.value, abs=0.001)
    lite = load(name, format="tflite", variant="int8")
    chosen = lite.predict(texts).argmax(axis=1)
    expected = next(row["metric"] for row in about.exports if row["variant"] == "int8")
    assert np.mean(chosen == np.array(targets)) == pytest.approx(expected, abs=0.001)


@pytest.mark.slow
@needs_tfds
def test_mediapipe_on_two_hundred_real_reviews(name, monkeypatch):
    pytest.importorskip("mediapipe")
    from gru_zoo.export.mediapipe import classify

    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    dataset, _ = imdb.load("test", "tfds")
    texts = [row["text"].decode() for row in dataset.take(200).as_numpy_iterator()]
    scores = classify(models_folder() / name / "model_mediapipe.tflite", texts)
    np.testing.assert_allclose(scores, load(name).predict(texts, verbose=0), atol=1e-3)
