"""A zoo of one small text classifier."""

import keras
import numpy as np
import pytest

from gru_zoo.artifacts.card import About, Section
from gru_zoo.artifacts.classifier import (
    classifier_configuration,
    classifier_files,
    classifier_goldens,
    classifier_parts,
)
from gru_zoo.artifacts.folder import publish
from gru_zoo.artifacts.scores import Score
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer

NAME = "two_words_gru"
WORDS = ["<PAD>", "<START>", "<UNKNOWN>", "good", "bad", "film"]
TEXTS = ["a good film", "a bad film", ""]


def about(**others):
    """What a card says, with made-up scores."""
    given = {
        "name": NAME,
        "task": "text-classification",
        "language": ["en"],
        "summary": "Says yes or no.",
        "metric": "accuracy",
        "dataset": "someone/something",
        "data": {"name": "something", "version": "1.0", "licence": "CC0"},
        "scored_on": "200 rows: the test split",
        "scores": [Score(0, 0.90, 0.91, 3, 61.0), Score(1, 0.92, 0.93, 2, 40.0)],
        "shipped_seed": 1,
        "commands": ["python -m recipes.something train"],
        "measured": [Section("Length", ["words", "accuracy"], [["up to 100", "90.1 %"]], "Words.")],
        "limits": ["It reads 20 words."],
    }
    return About(**{**given, **others})


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Folder of the zoo, and the model."""
    keras.utils.set_random_seed(7)
    model = SequenceClassifier(WordTokenizer(WORDS, 9), units=5, embedding_dim=4, kernel="loop")
    folder = tmp_path_factory.mktemp("zoo") / "saved_models"
    parts = classifier_parts(model, [text.encode() for text in TEXTS], np.array([1, 0, 0]))
    name = "model_float32.tflite"
    publish(
        folder / NAME,
        about(configuration=classifier_configuration(model)),
        model,
        files={name: classifier_files(model, TEXTS)[name]},
        compare=parts["compare"],
        assets=parts["assets"],
        goldens=classifier_goldens(model, TEXTS),
        progress=lambda line: None,
    )
    return folder, model


@pytest.fixture
def zoo(made, monkeypatch):
    """That folder as the zoo."""
    monkeypatch.setenv("GRU_ZOO_MODELS", str(made[0]))
    return made[0]
