"""A classifier as one TFLite file: builtin operators only, vocabulary and labels inside.

    ids [1, time] int32  ->  probabilities [1, labels] float32

One product projects all steps; a loop then runs over the real ones, n of them, and stops:

    x = E[ids] W + b
    h_t = recur(x_t, h_(t-1)),  pool_t = update(pool_(t-1), h_t)      t = 1 ... n
    p = softmax(head(result(pool_n)))

The pooling is kept as a running state, so nothing is stored for each step: time is linear in n.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from gru_zoo.arguments import one_of
from gru_zoo.export import check
from gru_zoo.export.mediapipe import flat
from gru_zoo.export.metadata import TextMetadata, attach
from gru_zoo.files import write_beside
from gru_zoo.layers import kernels
from gru_zoo.models.classifier import SequenceClassifier


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a file is made.

    Attributes:
        weights: type the weights are stored in; computation is in float32, and for "int8" partly
            in integers that are scaled anew at every step.
        unrolled: steps written out one after the other instead of a loop.
    """

    weights: str = "float32"
    unrolled: bool = False


VARIANTS = {
    "float32": Variant(),
    "float16": Variant("float16"),
    "int8": Variant("int8"),
    "mediapipe": Variant(unrolled=True),
}


def tflite(
    model: SequenceClassifier,
    path: str | os.PathLike,
    variant: str = "float32",
    *,
    texts: Sequence[str] | None = None,
) -> None:
    """Write a classifier as a `.tflite` file, after comparing it with the model.

    The file has one input "ids" [1, time] int32, words on the left and 0 for padding on their
    right, and one output "probabilities" [1, labels] float32; vocabulary, labels and the
    tokenizer's pattern are inside as TFLite metadata.

    Args:
        model: a built `SequenceClassifier`.
        path: the file; an existing one is replaced, and only by a file that passed.
        variant: "float32"; "float16" or "int8", which store the weights smaller; or "mediapipe",
            float32 in a form that MediaPipe's TextClassifier opens, larger and slower.
        texts: texts to compare on; None makes some from the vocabulary.

    Raises:
        ValueError: unknown variant; a model that cannot be exported so, with the reason.
        check.Refused: the file differs from the model by more than the variant's limit.
        OSError: the file could not be written.

    Example:
        >>> from gru_zoo.models.classifier import SequenceClassifier
        >>> from gru_zoo.text import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> tflite(SequenceClassifier(words, units=5), "/tmp/fine.tflite", "int8")
    """
    form = VARIANTS[one_of("variant", variant, VARIANTS)]
    check.exportable(model)
    convert = functools.partial(to_builtins, weights=form.weights)
    content = attach(
        flat(model, convert) if form.unrolled else looped(model, convert), describe(model)
    )
    reference = check.Reference.of(model, check.probes(model) if texts is None else texts)
    with write_beside(path) as partial:
        try:
            partial.write_bytes(content)
        except OSError as error:
            message = f"path {os.fspath(path)!r} could not be written: {error.strerror}"
            raise OSError(error.errno, message) from error
        check.compare(partial, reference, variant)


class LoopGraph(tf.Module):
    """A classifier over ids as a loop over the real steps; holds the model's variables.

    A model that reads in both directions, or whose layer is Keras' own, keeps no running state:
    its whole sequence of states is made first, which takes time quadratic in its length.

    Args:
        model: a built classifier.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        # TFLite reads variables through a tf.Module; the Keras model itself must not be tracked.
        self.model_variables = [variable.value for variable in model.variables]
        self._embeddings = model.embedding.embeddings.value
        causal = model.cell == "gru" and not model.bidirectional
        read = _read_causal if causal else _read_whole
        self._read = lambda vectors, ids: read(model, vectors, ids)

    @tf.function(autograph=False)
    def probabilities(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return {"probabilities": [1, labels]} for ids [1, time] int32."""
        # Not the Keras layer: it adds operators for negative ids.
        vectors = tf.gather(self._embeddings, ids[0])  # [time, embedding]
        return {"probabilities": self._read(vectors, ids)}


def _read_causal(model: SequenceClassifier, vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Return probabilities [1, labels] for word vectors [time, embedding], step by step."""
    cell = model.rnn.cell
    projected_zrh = cell.project(vectors)  # [time, 3 units]
    words = tf.reduce_sum(tf.cast(tf.not_equal(ids, 0), tf.int32), axis=1)  # [1]

    def body(step: tf.Tensor, state: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict]:
        # `step` is [1], not a scalar: one GATHER then gives the [1, 3 units] that recur wants.
        h = cell.recur(tf.gather(projected_zrh, step), state["last"])
        return step + 1, model.pooling.update(state, h)

    _, state = tf.while_loop(
        lambda step, state: tf.squeeze(step < words, 0),
        body,
        (tf.zeros((1,), tf.int32), model.initial_state(1)),
    )
    return model.output(state)


def _read_whole(model: SequenceClassifier, vectors: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Return probabilities [1, labels] for word vectors [time, embedding], all states at once."""
    mask = tf.not_equal(ids, 0)
    with kernels.forced("loop"):
        states = model.rnn(vectors[None], mask=mask)  # [1, time, features]
    return model.head(model.pooling(states, mask=mask))


def looped(model: SequenceClassifier, convert: Callable[[Any, Any], bytes]) -> bytes:
    """Return a classifier as a TFLite file with a loop over the steps.

    Args:
        model: a built classifier.
        convert: (concrete function, the tf.Module with its variables) -> `.tflite` bytes.
    """
    graph = LoopGraph(model)
    ids = tf.TensorSpec((1, model.tokenizer.sequence_length), tf.int32, "ids")
    return convert(graph.probabilities.get_concrete_function(ids), graph)


def to_builtins(function: Any, holder: tf.Module, weights: str) -> bytes:
    """Convert a function to TFLite with builtin operators only.

    Args:
        function: a concrete function of fixed shapes.
        holder: has the function's variables as attributes.
        weights: "float32", "float16" or "int8".

    Raises:
        ValueError: the function needs an operator that TFLite does not have built in.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # The converter raises its own private types.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(
            f"model cannot be converted to TFLite's builtin operators: {reason}"
        ) from error


def describe(model: SequenceClassifier) -> TextMetadata:
    """Return the metadata for a model's file."""
    return TextMetadata(
        vocabulary=model.tokenizer.vocabulary_bytes(),
        labels=model.labels,
        pattern=model.tokenizer.delimiter_pattern,
        description=f"Probability of {', '.join(model.labels)} for a text.",
    )
