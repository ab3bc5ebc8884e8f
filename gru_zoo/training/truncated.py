"""Training a language model on streams: truncated back-propagation through time.

A stream is read in short pieces. The state after one piece is the state before the next, but
gradients stop between them (Mikolov et al. 2010). The softmax may be estimated on a sample of the
vocabulary (Jean et al. 2015), for which ids must be in the order of falling frequency, as
`WordTokenizer.fit` makes them.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.arguments import positive_int
from gru_zoo.layers.embeddings import embedding_table
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.training.batching import StreamBatches

# Tokens that are scored together: few enough for the logits of a large vocabulary to stay in a
# processor's cache (benchmarks/NOTES.md, "The whole softmax, a few tokens at a time").
_AT_ONCE = 200


class TruncatedTraining(keras.Model):
    """A language model and the state that its training carries from piece to piece.

    Args:
        language_model: what is trained.
        streams: rows of a batch.
        sampled: tokens the training softmax is estimated on; 0 computes it whole.

    Raises:
        ValueError: `streams` is no positive integer, or `sampled` is more than all tokens.

    Example:
        >>> import numpy as np
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> training = TruncatedTraining(LanguageModel(tokenizer, 4, 5), streams=2)
        >>> training.compile("adam")
        >>> batches = StreamBatches(np.full(50, 3, "int32"), [0], streams=2, steps=6, seed=0)
        >>> options = {"epochs": 2, "steps_per_epoch": 4, "shuffle": False, "verbose": 0}
        >>> history = training.fit(batches.dataset(0, 2, 1), **options)
        >>> history.history["loss"][1] < history.history["loss"][0]
        True
    """

    def __init__(self, language_model: LanguageModel, streams: int, sampled: int = 0) -> None:
        # By it Keras knows whether the loss needs scaling.
        super().__init__(dtype=language_model.dtype_policy)
        tokens = language_model.tokens
        if not 0 <= sampled <= tokens:
            raise ValueError(f"sampled must be 0 to {tokens}, all tokens; got {sampled}.")
        self.language_model = language_model
        self.sampled = sampled
        shape = positive_int("streams", streams), language_model.units
        self.carried = self.add_weight(shape, "zeros", trainable=False, name="carried")
        # Its state is a variable, so that a resumed run draws what an undisturbed one would.
        self.seeds = keras.random.SeedGenerator(1)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def train_step(self, data: tuple) -> dict[str, Any]:
        """Learn from one piece of every stream: ids and targets [streams, steps], keep [streams].

        `keep` is 0 for a stream that begins, whose state before is zero, and else 1.
        """
        ids, targets, keep = data
        weights = self.language_model.trainable_variables
        with tf.GradientTape() as tape:
            state = self.carried * keep[:, None]
            projected, last = self.language_model.read(ids, state, training=True)
            loss = tf.reduce_mean(self._cross_entropy(projected, targets))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        # The embedding's gradient comes as rows with repeats, which a norm must not see.
        self.optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], weights)
        self.carried.assign(last)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _cross_entropy(self, projected: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return cross entropies in nats, [streams * steps], estimated if `sampled`."""
        model = self.language_model
        features = tf.reshape(projected, (-1, model.embedding_dim))
        targets = tf.reshape(targets, [-1])
        if not self.sampled:
            logits = model.logits(features)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        biases = model.token_bias.value
        table = tf.cast(embedding_table(model.embedding), biases.dtype)
        features = tf.cast(features, table.dtype)  # half a width in mixed precision
        drawn, expected = self._sample()
        own = tf.reduce_sum(features * tf.gather(table, targets), axis=1)
        own += tf.gather(biases, targets)
        others = tf.matmul(features, tf.gather(table, drawn), transpose_b=True)
        others += tf.gather(biases, drawn) - tf.cast(tf.math.log(expected), table.dtype)
        never = tf.constant(-math.inf, table.dtype)
        others = tf.where(targets[:, None] == drawn, never, others)  # [tokens, sampled]
        return tf.reduce_logsumexp(tf.concat([own[:, None], others], axis=1), axis=1) - own

    def _sample(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw tokens; return them, and how often each was to be expected.

            sum of exp(a) over all tokens ~ exp(a_target) + sum of exp(a_k) / P(k)

        where k runs over the drawn tokens that are not the target, which stands for itself, once.
        The first half of the sample is always the most frequent tokens, P = 1; of the others one
        is drawn from each of as many equal stretches. None comes twice where a stretch is a whole
        number of tokens; else two neighbours may draw the token that both have a part of. A
        log-uniform sample with replacement, of which half is repeats of the first words, let the
        estimate fall while the true cross entropy rose.
        """
        head = self.sampled // 2
        draws = self.sampled - head
        stretch = (self.language_model.tokens - head) / draws
        seed = tf.cast(self.seeds.next(), tf.int32)
        places = tf.range(draws, dtype=tf.float32) + tf.random.stateless_uniform((draws,), seed)
        drawn = head + tf.cast(places * stretch, tf.int32)
        drawn = tf.minimum(drawn, self.language_model.tokens - 1)
        chances = tf.concat([tf.ones(head), tf.fill((draws,), 1 / stretch)], axis=0)
        return tf.concat([tf.range(head), drawn], axis=0), chances

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The training loss, which starts anew each epoch."""
        return [self.loss_tracker]


def score_stream(model: LanguageModel, batches: StreamBatches) -> dict[str, float]:
    """Return a model's figures on streams, with the whole softmax.

    Args:
        model: a language model.
        batches: the streams; their first epoch is read.

    Returns:
        loss: cross entropy in nats a token, so that exp(loss) is the perplexity; accuracy: share
        of tokens that were the most probable one.

    Example:
        >>> import numpy as np
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = LanguageModel(tokenizer, 4, 5)
        >>> batches = StreamBatches(np.full(50, 3, "int32"), [0], streams=2, steps=6, seed=0)
        >>> round(score_stream(model, batches)["loss"] / math.log(4), 0)
        1.0
    """

    @tf.function(autograph=False)
    def piece(ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tuple:
        projected, last = model.read(ids, state)
        features = tf.reshape(projected, (-1, model.embedding_dim))
        truth = tf.reshape(targets, [-1])
        pieces = [slice(i, i + _AT_ONCE) for i in range(0, truth.shape[0], _AT_ONCE)]
        figures = [_scored(model, features[piece], truth[piece]) for piece in pieces]
        losses, right = (tf.add_n(figure) for figure in zip(*figures, strict=True))
        return losses, right, last

    state = tf.zeros((batches.streams, model.units), model.compute_dtype)
    losses, right = [], []
    for ids, targets, _ in batches.epoch(0):
        loss, count, state = piece(ids, targets, state)
        losses.append(float(loss))
        right.append(float(count))
    tokens = len(batches) * batches.streams * batches.steps
    return {"loss": math.fsum(losses) / tokens, "accuracy": math.fsum(right) / tokens}


def _scored(
    model: LanguageModel, features: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the summed cross entropy of some tokens, and how many were the most probable one."""
    logits = model.logits(features)  # [tokens, vocabulary]
    # The first of equals, as whoever takes the most probable token does.
    chosen = tf.argmax(logits, axis=1, output_type=targets.dtype)
    best = tf.gather(logits, chosen, batch_dims=1)
    whole = best + tf.math.log(tf.reduce_sum(tf.exp(logits - best[:, None]), axis=1))
    own = tf.gather(logits, targets, batch_dims=1)
    return tf.reduce_sum(whole - own), tf.reduce_sum(tf.cast(chosen == targets, tf.float32))
