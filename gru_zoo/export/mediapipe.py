"""A classifier as one flat graph, the only kind of file MediaPipe's TextClassifier opens.

TextClassifier refuses a model of several subgraphs, which every loop in TFLite is. So the steps
are written out one after the other:

    e = E[ids]                  x = e W + b         all T steps in one product
    h_1 = recur(x_1, 0)  ...    h_T = recur(x_T, h_(T-1))
    p = softmax(head(pooling(h_1 ... h_T, mask)))

Padding stands on the right, so steps after the end change nothing before it: the mask is applied
once, in the pooling, and not in every step. Size and conversion time grow with T.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gru_zoo.layers import kernels
from gru_zoo.models.classifier import SequenceClassifier


class UnrolledGraph(tf.Module):
    """A classifier over ids, its steps written out; holds the model's variables.

    Args:
        model: a built classifier.

    Raises:
        ValueError: the model's recurrent layer is not ours, and so cannot be unrolled.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        if model.cell != "gru":
            raise ValueError(
                "model must have cell='gru' for variant 'mediapipe', which unrolls it; "
                f"got cell={model.cell!r}."
            )
        self.model_variables = [variable.value for variable in model.variables]
        # A plain function: tf.Module would track, and try to save, the Keras model itself.
        self._states = lambda vectors, mask: _states(model, vectors, mask)
        self._head = lambda states, mask: model.head(model.pooling(states, mask=mask))
        self._embeddings = model.embedding.embeddings.value
        self.signature = tf.TensorSpec((1, model.tokenizer.sequence_length), tf.int32, name="ids")

    @tf.function
    def probabilities(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return {"probabilities": [1, labels]} for ids [1, time] int32."""
        # Not the Keras layer: it adds operators for negative ids.
        vectors = tf.gather(self._embeddings, ids[0])[None]  # [1, time, embedding]
        mask = tf.not_equal(ids, 0)
        return {"probabilities": self._head(self._states(vectors, mask), mask)}


def _states(model: SequenceClassifier, vectors: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return every state [1, time, features] for word vectors [1, time, embedding]."""
    if model.bidirectional:
        with kernels.forced("unrolled"):
            return model.rnn(vectors, mask=mask)
    cell, length = model.rnn.cell, vectors.shape[1]
    projected_zrh = tf.split(cell.project(vectors[0]), length, axis=0)  # time x [1, 3 units]
    state, states = tf.zeros((1, model.units)), []
    for step in projected_zrh:
        state = cell.recur(step, state)
        states.append(state)
    return tf.concat(states, axis=0)[None]


def classify(path: str | os.PathLike, texts: Sequence[str]) -> np.ndarray:
    """Run a file with MediaPipe's own TextClassifier; needs the extra `gru-zoo[mediapipe]`.

    Args:
        path: a `.tflite` file of variant "mediapipe".
        texts: raw texts.

    Returns:
        Probabilities [texts, labels] float32, the labels in the file's order.

    Raises:
        ImportError: the package mediapipe is not installed.
        ValueError: TextClassifier does not accept the file; it says why.
    """
    from mediapipe.tasks.python import text as tasks
    from mediapipe.tasks.python.core.base_options import BaseOptions

    options = tasks.TextClassifierOptions(BaseOptions(model_asset_path=os.fspath(path)))
    rows = []
    with tasks.TextClassifier.create_from_options(options) as runtime:
        for text in texts:
            categories = runtime.classify(text).classifications[0].categories
            rows.append([c.score for c in sorted(categories, key=lambda c: c.index)])
    return np.asarray(rows, np.float32)
