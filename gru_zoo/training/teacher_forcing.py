"""Teacher forcing: the loss of a translator that is told, at each step, what came before."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from gru_zoo.arguments import fraction
from gru_zoo.models.seq2seq import Seq2Seq
from gru_zoo.text.subwords import PAD


class TeacherForcing(keras.Model):
    """A translator with its label-smoothed loss (Szegedy et al. 2016), for `fit`.

        loss = (1 - e) (-log p_y) + e / V sum over v of (-log p_v)
             = cross entropy + e (z_y - mean of z)                    z the V logits

    The second form needs nothing of the size of all logits but the cross entropy itself. The loss
    is the mean over the targets' subwords; padding is left out before the logits are made.

    Args:
        model: the translator; its weights are this model's.
        smoothing: e, in [0, 1).

    Call arguments:
        inputs: {"source": ids `[batch, time]`, "target": ids `[batch, steps]` from <s> to </s>}.

    Returns:
        the loss, a scalar, which is also what `fit` minimizes.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> ids = tf.ones((3, 5), tf.int32)
        >>> TeacherForcing(model, 0.1)({"source": ids, "target": ids}).shape
        TensorShape([])
    """

    def __init__(self, model: Seq2Seq, smoothing: float = 0.1, **kwargs: Any) -> None:
        # By it Keras knows whether the loss needs scaling.
        super().__init__(**{"dtype": model.dtype_policy, **kwargs})
        self.translator = model
        self.smoothing = fraction("smoothing", smoothing)
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Return the loss; see the class."""
        given, wanted = inputs["target"][:, :-1], inputs["target"][:, 1:]
        memory = self.translator.read(inputs["source"], training=training)
        features = self.translator.features(given, memory, training=training)
        kept = tf.not_equal(wanted, PAD)
        x, y = tf.boolean_mask(features, kept), tf.boolean_mask(wanted, kept)  # [subwords, dim]
        embedding = self.translator.embedding
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(y, embedding.logits(x))
        matrix, bias = embedding.embeddings.value, embedding.bias.value
        of_target = tf.reduce_sum(x * tf.gather(matrix, y), axis=-1) + tf.gather(bias, y)
        of_all = tf.linalg.matvec(x, tf.reduce_mean(matrix, axis=0)) + tf.reduce_mean(bias)
        loss = tf.reduce_mean(entropy + self.smoothing * (of_target - of_all))
        self.add_loss(loss)
        return loss
