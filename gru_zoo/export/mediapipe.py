"""A classifier as one flat graph, the only kind of file MediaPipe's TextClassifier opens.

TextClassifier refuses a model of several subgraphs, which every loop in TFLite is. So the steps
are written out one after the other:

    x = E[ids] W + b            all T steps in one product       Before
    h_t = recur(x_t, h_(t-1))   t = 1 ... T, h_0 = 0             Step, T times
    p = softmax(head(pooling([h_1 ... h_T], mask)))              After

Padding stands on the right, so steps after the end change nothing before it: the mask is applied
once, in the pooling, and not in every step. Read backwards the padding comes first, and a masked
step keeps the state at zero: h_t = mask_t * recur(x_t, h_(t+1)). The file's size and time are
linear in T.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import near_name, number
from gru_zoo.convert.keras_gru import from_keras
from gru_zoo.export.flatbuffer.link import Linker, Part
from gru_zoo.export.flatbuffer.metadata import PIECE_INPUTS, TextMetadata, check_thresholds, read
from gru_zoo.layers.embeddings import embedding_table
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.wordpiece import WordPieceTokenizer

# The input that is not zero where there is a word or a piece.
_REAL = {True: "mask", False: "ids"}


class Parts(tf.Module):
    """The parts of a classifier; holds the model's variables.

    Args:
        model: a built classifier.

    Attributes:
        cells: the recurrent cells, one a direction, forwards first.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        rnn = model.rnn if model.cell == "gru" else from_keras(model.rnn)
        layers = [rnn.forward_layer, rnn.backward_layer] if model.bidirectional else [rnn]
        weights = [*model.variables, *(w for layer in layers for w in layer.variables)]
        self.model_variables = [variable.value for variable in weights]
        # Plain functions: tf.Module would track, and try to save, the Keras model itself.
        self._model = lambda: model
        self.cells = lambda: [layer.cell for layer in layers]

    @tf.function(autograph=False)
    def before(self, ids: tf.Tensor, real: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return what the steps need, for ids and real [1, time].

        That is "state" [1, units], the first one; and for each direction d and step t "x<d>_<t>"
        [1, 3 units], and "mask_<t>" [1, 1], 0 or 1, for the direction backwards.
        """
        # Not the Keras layer: it adds operators for negative ids.
        vectors = tf.gather(embedding_table(self._model().embedding), ids[0])  # [time, embedding]
        prepared = {"state": tf.zeros((1, self._model().units))}
        for direction, cell in enumerate(self.cells()):
            projected_zrh = cell.project(vectors)  # [time, 3 units]
            prepared |= _rows(f"x{direction}", projected_zrh)
        if len(self.cells()) > 1:
            mask = tf.cast(tf.not_equal(real[0], 0), tf.float32)
            prepared |= _rows("mask", mask[:, None])
        return prepared

    @tf.function(autograph=False)
    def step(self, x: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the next "state" [1, units], forwards."""
        return {"state": self.cells()[0].recur(x, state)}

    @tf.function(autograph=False)
    def masked_step(self, x: tf.Tensor, state: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the next "state" [1, units], backwards: zero until the text begins."""
        return {"state": self.cells()[-1].recur(x, state) * mask}

    @tf.function(autograph=False)
    def after(self, real: tf.Tensor, states: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return "probabilities" [1, labels] for real [1, time] and states [1, units].

        The states are those of all steps forwards, then those of all steps backwards, both in the
        order of the text.
        """
        model, time = self._model(), real.shape[1]
        each = [tf.concat(states[n : n + time], 0) for n in range(0, len(states), time)]
        pooled = model.pooling(tf.concat(each, 1)[None], mask=tf.not_equal(real, 0))
        return {"probabilities": model.head(pooled)}


def _rows(name: str, rows: tf.Tensor) -> dict[str, tf.Tensor]:
    return {f"{name}_{t:05d}": row for t, row in enumerate(tf.split(rows, rows.shape[0], axis=0))}


def flat(model: SequenceClassifier, convert: Callable[[Any, Any], bytes]) -> bytes:
    """Return a classifier as a TFLite file of one subgraph.

    Args:
        model: a built classifier. Its file has the input "ids" [1, time], and with a
            `WordPieceTokenizer` also "mask" and "segment_ids", all int32.
        convert: (concrete function, the tf.Module with its variables) -> `.tflite` bytes.
    """
    parts, time = Parts(model), model.tokenizer.sequence_length
    pieces = isinstance(model.tokenizer, WordPieceTokenizer)
    ids, real = (tf.TensorSpec((1, time), tf.int32, name) for name in ("ids", "real"))
    x = tf.TensorSpec((1, 3 * model.units), tf.float32, "x")
    state = tf.TensorSpec((1, model.units), tf.float32, "state")
    names = [f"h{n:05d}" for n in range(time * len(parts.cells()))]
    states = [tf.TensorSpec(state.shape, state.dtype, name) for name in names]

    linker = Linker()
    before, after, step = (
        linker.part(convert(function, parts))
        for function in (
            parts.before.get_concrete_function(ids, real),
            parts.after.get_concrete_function(real, states),
            parts.step.get_concrete_function(x, state),
        )
    )
    given = {
        name: linker.input(name, before, "ids") for name in (PIECE_INPUTS if pieces else ("ids",))
    }
    real_ids = given[_REAL[pieces]]
    prepared = linker.add(before, {"ids": given["ids"], "real": real_ids})
    history = _read(linker, step, prepared, range(time), "x0")
    if model.bidirectional:
        mask = tf.TensorSpec((1, 1), tf.float32, "mask")
        function = parts.masked_step.get_concrete_function(x, state, mask)
        masked = linker.part(convert(function, parts))
        history += _read(linker, masked, prepared, range(time - 1, -1, -1), "x1")[::-1]
    everything = {"real": real_ids, **dict(zip(names, history, strict=True))}
    return linker.finish(linker.add(after, everything))


def _read(
    linker: Linker, step: Part, prepared: Mapping[str, int], order: Sequence[int], x: str
) -> list[int]:
    """Append a step for each place of `order`; return the state after each."""
    history, h = [], prepared["state"]
    for t in order:
        inputs = {"x": prepared[f"{x}_{t:05d}"], "state": h}
        if "mask" in step.inputs:
            inputs["mask"] = prepared[f"mask_{t:05d}"]
        h = linker.add(step, inputs)["state"]
        history.append(h)
    return history


def resized(model: SequenceClassifier, sequence_length: int) -> SequenceClassifier:
    """Return the classifier with the same weights for texts of another length.

    Raises:
        ValueError: the length is not one that the tokenizer allows.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=400)
        >>> resized(SequenceClassifier(words, units=5), 64).tokenizer.sequence_length
        64
    """
    config = model.get_config()
    config["tokenizer"] = {**config["tokenizer"], "sequence_length": sequence_length}
    other = type(model).from_config(config)
    other.set_weights(model.get_weights())
    return other


def describe(
    model: SequenceClassifier,
    thresholds: float | Mapping[str, float] | None = None,
    words_only: bool = False,
) -> TextMetadata:
    """Return what a model's file says about itself.

    Args:
        model: a built classifier.
        thresholds: probability below which MediaPipe leaves a label out of its answer: one for all
            labels, or label -> threshold; None keeps every label.
        words_only: leave a word's other spellings to the reader, where case is folded: for files
            that MediaPipe does not read.

    Raises:
        ValueError: a threshold for a label that the model does not have, a label without one, or
            one that is no number between 0 and 1.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> describe(SequenceClassifier(words, units=5), {"negative": 0.9, "positive": 0.6}).labels
        ('negative', 'positive')
    """
    tokenizer = model.tokenizer
    pieces = isinstance(tokenizer, WordPieceTokenizer)
    words_only = words_only and not pieces and tokenizer.fold_case
    metadata = TextMetadata(
        vocabulary=tokenizer.words_bytes() if words_only else tokenizer.vocabulary_bytes(),
        labels=model.labels,
        pattern=None if pieces else tokenizer.delimiter_pattern,
        thresholds=_each(model.labels, thresholds),
        description=f"Probability of {', '.join(model.labels)} for a text.",
        words_only=words_only,
    )
    check_thresholds(metadata)
    return metadata


def _each(
    labels: Sequence[str], thresholds: float | Mapping[str, float] | None
) -> tuple[float, ...]:
    if thresholds is None:
        return ()
    if not isinstance(thresholds, Mapping):
        return (number("thresholds, unless they map each label to one,", thresholds),)
    for label in thresholds:
        if label not in labels:
            raise ValueError(
                f"thresholds must name the labels {', '.join(labels)}; got {label!r}."
                + near_name(label, labels)
            )
    missing = [label for label in labels if label not in thresholds]
    if missing:
        raise ValueError(f"thresholds must name every label; {missing[0]!r} is missing.")
    return tuple(number(f"thresholds[{label!r}]", thresholds[label]) for label in labels)


def classify(path: str | os.PathLike, texts: Sequence[str]) -> np.ndarray:
    """Run a file with MediaPipe's own TextClassifier; needs the extra `gru-zoo[mediapipe]`.

    Args:
        path: a `.tflite` file of variant "mediapipe".
        texts: raw texts.

    Returns:
        Probabilities [texts, labels] float32, the labels in the file's order; NaN for a label that
        the file's thresholds left out.

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
    rows = np.full((len(texts), len(read(path).labels)), np.nan, np.float32)
    with tasks.TextClassifier.create_from_options(options) as runtime:
        for row, text in zip(rows, texts, strict=True):
            for category in runtime.classify(text).classifications[0].categories:
                row[category.index] = category.score
    return rows
