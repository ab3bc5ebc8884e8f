"""Adversarial training: a text classifier that is right, or answers alike, near every text."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from gru_zoo.models.classifier import SequenceClassifier


class AdversarialTraining(keras.Model):
    """Train a classifier on texts and on the step from each that raises its loss the most.

        r    = epsilon g / |g|,   g = d CE(target, p(x)) / dx
        loss = mean CE(target, p(x)) + mean CE(target, p(x + r))

    over word vectors x (Goodfellow, Shlens and Szegedy 2015; for texts Miyato, Dai and Goodfellow
    2017, section 3). Lengths are those of `VirtualAdversarialTraining`, which needs no targets and
    twice the time.

    Args:
        classifier: what is trained.
        epsilon: length of the perturbation, in mean norms of a word vector; theirs is 0.31.

    Raises:
        ValueError: `epsilon` is not positive.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> classifier = SequenceClassifier(tokenizer, embedding_dim=4, units=5)
        >>> training = AdversarialTraining(classifier, epsilon=0.3)
        >>> training.compile("adam")
        >>> figures = training.train_on_batch(tf.ones((2, 3), tf.int32), tf.eye(2))
    """

    def __init__(self, classifier: SequenceClassifier, epsilon: float) -> None:
        # By it Keras knows whether the loss needs scaling.
        super().__init__(dtype=classifier.dtype_policy)
        self.classifier, self.epsilon = classifier, _positive("epsilon", epsilon)
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "adversarial_loss")]
        self.built = True

    def train_step(self, data: tuple) -> dict[str, Any]:
        """Learn from ids [batch, time] and targets [batch, labels]."""
        ids, targets = _unweighted(data)
        losses, gradients = _adversarial(self, ids, targets, self.epsilon)
        self.optimizer.apply(gradients, self.classifier.trainable_variables)
        return _track(self, *losses)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The two parts of the loss, which start anew each epoch."""
        return self.trackers


class VirtualAdversarialTraining(keras.Model):
    """Train a classifier on labelled texts, and to be smooth around unlabelled ones.

        r    = epsilon g / |g|,   g = d KL(p(x) || p(x + xi d)) / dd,   d random, |d| = 1
        loss = mean CE(label, p(x_labelled)) + mean KL(p(x) || p(x + r))

    over word vectors x (Miyato, Dai and Goodfellow 2017, section 3). Their vectors are normalised
    and `epsilon` is 5 beside a mean norm of 16; ours keep their size, so that `epsilon` and `xi`
    are given in mean norms of the batch's word vectors. `r` is one vector for the whole text.

    With a temperature below 1, p(x) in the second term is sharpened to softmax(log p(x) / T) as
    Xie et al. (2020) do, which drives texts away from where answers change, as minimizing the
    entropy does (Sachan et al. 2019).

    Args:
        classifier: what is trained.
        epsilon: length of the perturbation, in mean norms of a word vector; theirs is 0.31.
        xi: length of the first, random step in the same unit.
        temperature: T of the answers that unlabelled texts are to keep nearby.
        adversarial: if not 0, labelled texts are learnt as by `AdversarialTraining`, with steps of
            this length (both together are the mixed objective of Sachan et al. 2019).

    Raises:
        ValueError: `epsilon`, `xi` or `temperature` is not positive, or `adversarial` is negative.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> classifier = SequenceClassifier(tokenizer, embedding_dim=4, units=5)
        >>> training = VirtualAdversarialTraining(classifier, epsilon=0.3)
        >>> training.compile("adam")
        >>> labelled, unlabelled = tf.ones((2, 3), tf.int32), tf.ones((4, 6), tf.int32)
        >>> figures = training.train_on_batch((labelled, unlabelled), tf.eye(2))
    """

    def __init__(
        self,
        classifier: SequenceClassifier,
        epsilon: float,
        xi: float = 0.01,
        temperature: float = 1.0,
        adversarial: float = 0.0,
    ) -> None:
        # By it Keras knows whether the loss needs scaling.
        super().__init__(dtype=classifier.dtype_policy)
        self.classifier = classifier
        self.epsilon, self.xi = _positive("epsilon", epsilon), _positive("xi", xi)
        self.temperature = _positive("temperature", temperature)
        self.adversarial = adversarial and _positive("adversarial", adversarial)
        # A variable holds its state, so that a resumed run draws what an undisturbed one would.
        self.seeds = keras.random.SeedGenerator(1)
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "smoothness")]
        self.built = True

    def train_step(self, data: tuple) -> dict[str, Any]:
        """Learn from labelled ids [batch, time], targets [batch, labels], and unlabelled ids."""
        (labelled, unlabelled), targets = _unweighted(data)
        classifier = self.classifier
        weights = [weight.value for weight in classifier.trainable_variables]
        losses, gradients = _adversarial(self, labelled, targets, self.adversarial)
        clean, perturbation = self._worst(unlabelled)
        with tf.GradientTape() as tape:
            vectors, mask = _vectors(classifier, unlabelled)
            near = _answers(classifier, vectors + perturbation, mask, training=True)
            smoothness = divergence(sharpened(clean, self.temperature), near)
            mean = self.optimizer.scale_loss(tf.reduce_mean(smoothness))
        gradients = _sums(gradients, tape.gradient(mean, weights))
        self.optimizer.apply(gradients, classifier.trainable_variables)
        return _track(self, losses[0], smoothness)

    def _worst(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return probabilities, and the step [batch, time, dim] that changes them the most."""
        classifier = self.classifier
        vectors, mask = _vectors(classifier, ids)
        real, unit = _real(classifier, ids), _unit(classifier, ids)
        clean = _answers(classifier, vectors, mask)
        seed = tf.cast(self.seeds.next(), tf.int32)
        step = (
            self.xi * unit * _direction(tf.random.stateless_normal(tf.shape(vectors), seed), real)
        )
        with tf.GradientTape() as tape:
            tape.watch(step)
            near = _answers(classifier, vectors + step, mask, save_gates=True)
            change = divergence(clean, near)
        worst = _direction(tape.gradient(change, step), real)
        return clean, self.epsilon * unit * worst

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The two parts of the loss, which start anew each epoch."""
        return self.trackers


def divergence(wanted: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
    """Return KL(wanted || given) in nats, `[batch]`, for probabilities `[batch, labels]`.

    Example:
        >>> round(float(divergence(tf.constant([[0.5, 0.5]]), tf.constant([[0.9, 0.1]]))[0]), 3)
        0.511
    """
    floor = 1e-7
    ratio = tf.math.log(tf.maximum(wanted, floor)) - tf.math.log(tf.maximum(given, floor))
    return tf.reduce_sum(wanted * ratio, axis=-1)


def sharpened(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return softmax(log p / temperature) for probabilities `[batch, labels]`.

    Example:
        >>> sharpened(tf.constant([[0.75, 0.25]]), 0.5).numpy().round(6).tolist()
        [[0.8999999761581421, 0.10000000149011612]]
    """
    return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, 1e-7)) / temperature)


def _unweighted(data: tuple) -> tuple[Any, tf.Tensor]:
    """Return a batch's inputs and targets; refuse weights of its texts, which no loss here has."""
    inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError("sample_weight and class_weight must be None; got weights.")
    return inputs, targets


def _adversarial(
    training: keras.Model, ids: tf.Tensor, targets: tf.Tensor, epsilon: float
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the loss, that `epsilon` away if it is not 0, and the gradients of their sum.

    The gradients are those of the loss as the optimizer scales it (of mixed precision).
    """
    classifier = training.classifier
    weights = [weight.value for weight in classifier.trainable_variables]

    def at(step: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            vectors, mask = _vectors(classifier, ids)
            vectors += step
            given = _answers(classifier, vectors, mask, training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(targets, given))
            scaled = training.optimizer.scale_loss(loss)
        *gradients, moved = tape.gradient(scaled, [*weights, vectors])
        return loss, gradients, moved

    loss, gradients, moved = at(tf.zeros(()))
    if not epsilon:
        return [loss], _dense(gradients)
    worst = _direction(moved, _real(classifier, ids))
    hard, others, _ = at(epsilon * _unit(classifier, ids) * worst)
    return [loss, hard], _sums(gradients, others)


def _dense(gradients: list) -> list[tf.Tensor]:
    """Return gradients whole: an embedding's comes as rows with repeats, which no norm may see."""
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def _sums(first: list, second: list) -> list[tf.Tensor]:
    return [a + b for a, b in zip(_dense(first), _dense(second), strict=True)]


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be positive; got {value!r}.")
    return value


def _track(training: keras.Model, *values: tf.Tensor) -> dict[str, Any]:
    for tracker, value in zip(training.trackers, values, strict=True):
        tracker.update_state(value)
    return {tracker.name: tracker.result() for tracker in training.trackers}


def _vectors(classifier: SequenceClassifier, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return word vectors `[batch, time, dim]` in float32 (steps are too small for a half type)."""
    vectors = classifier.embedding(ids)
    return tf.cast(vectors, tf.float32), classifier.embedding.compute_mask(ids)


def _answers(classifier: SequenceClassifier, vectors: tf.Tensor, mask: tf.Tensor, **how: bool):
    """Return the classifier's probabilities in float32."""
    return tf.cast(classifier.read(vectors, mask, **how), tf.float32)


def _real(classifier: SequenceClassifier, ids: tf.Tensor) -> tf.Tensor:
    """Return `[batch, time, 1]`: one where a word is, zero at padding."""
    return tf.cast(classifier.embedding.compute_mask(ids), tf.float32)[:, :, None]


def _unit(classifier: SequenceClassifier, ids: tf.Tensor) -> tf.Tensor:
    """Return the mean norm of the batch's word vectors, in which lengths of steps are given."""
    real = _real(classifier, ids)
    norms = tf.norm(_vectors(classifier, ids)[0], axis=-1, keepdims=True)
    return tf.reduce_sum(norms * real) / tf.reduce_sum(real)


def _direction(step: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Return the step of each text with length one over its real words; zero stays zero."""
    step = step * real
    largest = tf.reduce_max(tf.abs(step), axis=(1, 2), keepdims=True)
    step = step / tf.maximum(largest, 1e-30)  # squares of small gradients would vanish
    return step / tf.maximum(tf.norm(step, axis=(1, 2), keepdims=True), 1e-30)
