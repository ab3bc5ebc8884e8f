"""A classifier as a SavedModel: raw texts in, labelled probabilities out, TensorFlow alone.

    text [batch] string  ->  label          [batch]          string, the most probable
                             score          [batch]          float32, its probability
                             labels         [batch, labels]  string, the same names in each row
                             probabilities  [batch, labels]  float32

Every output has the batch in front, as TensorFlow Serving asks for JSON rows.
"""

from __future__ import annotations

import os

import tensorflow as tf

from gru_zoo.export import check
from gru_zoo.files import write_beside
from gru_zoo.layers import kernels
from gru_zoo.models.classifier import SequenceClassifier


class TextServer(tf.Module):
    """Tokenizer and network as one function of texts; holds the model's variables and table.

    Args:
        model: a built classifier.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        self.tokenizer = model.tokenizer
        self.model_variables = [variable.value for variable in model.variables]
        self.label_names = tf.constant(model.labels)
        # A plain function: tf.Module would save the Keras model itself as an attribute.
        self._classify = lambda ids: model(ids, training=False)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return label, score, labels and probabilities for texts [batch]."""
        ids = self.tokenizer(text)  # [batch, sequence_length]
        # No step is spent where every text of the batch has ended.
        longest = tf.reduce_max(tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1, keepdims=True))
        with kernels.forced("loop"):  # No XLA island and no cuDNN operator in the graph.
            probabilities = self._classify(ids[:, : tf.maximum(longest, 1)])
        best = tf.argmax(probabilities, axis=1)
        names = tf.broadcast_to(self.label_names, tf.shape(probabilities))
        return {
            "label": tf.gather(self.label_names, best),
            "score": tf.reduce_max(probabilities, axis=1),
            "labels": names,
            "probabilities": probabilities,
        }


def saved_model(model: SequenceClassifier, folder: str | os.PathLike) -> None:
    """Write a classifier as a SavedModel folder, after comparing it with the model.

    Args:
        model: a built `SequenceClassifier`.
        folder: where it goes; an existing one is replaced, and only by one that passed.

    Raises:
        ValueError: a model that cannot be exported, with the reason.
        check.Refused: what was written differs from the model.
        OSError: it could not be written.

    Example:
        >>> from gru_zoo.text import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> saved_model(SequenceClassifier(words, units=5), "/tmp/fine")
        >>> tf.saved_model.load("/tmp/fine")(["a fine film"])["label"].shape
        TensorShape([1])
    """
    check.exportable(model)
    server = TextServer(model)
    reference = check.Reference.of(model, check.probes(model))
    with write_beside(folder) as partial:
        try:
            tf.saved_model.save(
                server, os.fspath(partial), signatures=server.__call__.get_concrete_function()
            )
        except (tf.errors.OpError, OSError) as error:
            message = f"folder {os.fspath(folder)!r} could not be written: {error}"
            raise OSError(message) from error
        check.compare(partial, reference, "saved_model")
