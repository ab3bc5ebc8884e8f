"""The sentiment preset over REST, as a user of BentoML would serve it.

    pip install bentoml tensorflow
    cd tests/serving
    SAVED_MODEL=../../saved_models/sentiment_imdb_gru_small/saved_model \\
        bentoml serve service:Sentiment     # it stays; in another terminal:
    curl -H "Content-Type: application/json" \\
         -d '{"text": ["A quiet, wonderful film."]}' http://localhost:3000/classify

The folder is an exported SavedModel; TensorFlow alone runs it.
"""

import os

import bentoml
import tensorflow as tf

FOLDER = os.environ.get("SAVED_MODEL", "saved_models/sentiment_imdb_gru_small/saved_model")


@bentoml.service(workers=1)
class Sentiment:
    """One SavedModel, loaded once a worker."""

    def __init__(self) -> None:
        self.model = tf.saved_model.load(FOLDER)

    @bentoml.api
    def classify(self, text: list[str]) -> list[dict]:
        """Return label and score for each text."""
        result = self.model(tf.constant(text, tf.string))
        labels, scores = result["label"].numpy(), result["score"].numpy()
        return [
            {"label": label.decode(), "score": float(score)}
            for label, score in zip(labels, scores, strict=True)
        ]
