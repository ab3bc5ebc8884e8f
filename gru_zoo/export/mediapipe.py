"""A classifier as one flat graph, the only kind of file MediaPipe's TextClassifier opens.

TextClassifier refuses a model of several subgraphs, which every loop in TFLite is. So the steps
are written out one after the other:

    x = E[ids] W + b            all T steps in one product       Before
    h_t = recur(x_t, h_(t-1))   t = 1 ... T, h_0 = 0             Step, T times
    p = softmax(head(pooling([h_1 ... h_T], mask)))              After

Padding stands on the right, so steps after the end change nothing before it: the mask is applied
once, in the pooling, and not in every step. The file's size and time are linear in T.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.export.link import Linker
from gru_zoo.models.classifier import SequenceClassifier


class Parts(tf.Module):
    """The three parts of a causal classifier; holds the model's variables.

    Args:
        model: a built classifier.

    Raises:
        ValueError: the model does not read with one GRU of ours, from left to right.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        for name, allowed, given in (
            ("cell", "gru", model.cell),
            ("bidirectional", False, model.bidirectional),
        ):
            if given != allowed:
                raise ValueError(
                    f"{name} must be {allowed!r} for variant 'mediapipe', which writes every step "
                    f"out; got {given!r}."
                )
        self.model_variables = [variable.value for variable in model.variables]
        self._embeddings = model.embedding.embeddings.value
        # A plain function: tf.Module would track, and try to save, the Keras model itself.
        self._model = lambda: model

    @tf.function(autograph=False)
    def before(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the first "state" [1, units] and "x00000" ... [1, 3 units] for ids [1, time]."""
        model = self._model()
        # Not the Keras layer: it adds operators for negative ids.
        projected_zrh = model.rnn.cell.project(tf.gather(self._embeddings, ids[0]))
        steps = tf.split(projected_zrh, ids.shape[1], axis=0)
        state = tf.zeros((1, model.units))
        return {"state": state, **{f"x{t:05d}": step for t, step in enumerate(steps)}}

    @tf.function(autograph=False)
    def step(self, x: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the next "state" [1, units]."""
        return {"state": self._model().rnn.cell.recur(x, state)}

    @tf.function(autograph=False)
    def after(self, ids: tf.Tensor, states: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return "probabilities" [1, labels] for ids [1, time] and time states [1, units]."""
        model = self._model()
        pooled = model.pooling(tf.concat(states, axis=0)[None], mask=tf.not_equal(ids, 0))
        return {"probabilities": model.head(pooled)}


def flat(model: SequenceClassifier, convert: Callable[[Any, Any], bytes]) -> bytes:
    """Return a causal classifier as a TFLite file of one subgraph.

    Args:
        model: a built classifier.
        convert: (concrete function, the tf.Module with its variables) -> `.tflite` bytes.

    Raises:
        ValueError: the model does not read with one GRU of ours, from left to right.
    """
    parts, time = Parts(model), model.tokenizer.sequence_length
    ids = tf.TensorSpec((1, time), tf.int32, "ids")
    x = tf.TensorSpec((1, 3 * model.units), tf.float32, "x")
    state = tf.TensorSpec((1, model.units), tf.float32, "state")
    names = [f"h{t:05d}" for t in range(time)]
    states = [tf.TensorSpec(state.shape, state.dtype, name) for name in names]

    linker = Linker()
    before, step, after = (
        linker.part(convert(function, parts))
        for function in (
            parts.before.get_concrete_function(ids),
            parts.step.get_concrete_function(x, state),
            parts.after.get_concrete_function(ids, states),
        )
    )
    given = linker.input("ids", before, "ids")
    prepared = linker.add(before, {"ids": given})
    h, history = prepared["state"], {"ids": given}
    for t, name in enumerate(names):
        h = linker.add(step, {"x": prepared[f"x{t:05d}"], "state": h})["state"]
        history[name] = h
    return linker.finish(linker.add(after, history))


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

    Example:
        >>> classify("model_mediapipe.tflite", ["A quiet, wonderful film."])  # doctest: +SKIP
        array([[0.04, 0.96]], dtype=float32)
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
