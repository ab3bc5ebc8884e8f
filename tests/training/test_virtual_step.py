"""A step of virtual adversarial training, written out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.training.adversarial import VirtualAdversarialTraining
from tests.training.test_adversarial import IDS, classifier

CLEAN = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]], np.float32)
TARGETS = np.array([[0.8, 0.2], [0.0, 1.0], [0.5, 0.5]], np.float32)
UNLABELLED = IDS[::-1].copy()
STEP = np.random.default_rng(4).normal(0, 0.3, (3, 6, 4)).astype(np.float32)
STEP *= (UNLABELLED > 0)[:, :, None]


def by_hand():
    """Return what each weight moves by, and both parts of the loss, in float32."""
    model = classifier()
    weights = [weight.value for weight in model.trainable_variables]
    wanted = CLEAN**2 / (CLEAN**2).sum(axis=1, keepdims=True)  # temperature 0.5
    with tf.GradientTape() as tape:
        near = model.read(model.embedding(UNLABELLED) + STEP, tf.constant(UNLABELLED > 0))
        given = model.read(model.embedding(IDS), tf.constant(IDS > 0))
        learnt = -tf.reduce_sum(TARGETS * tf.math.log(given)) / 3
        smooth = tf.reduce_sum(wanted * (np.log(wanted) - tf.math.log(near))) / 3
        total = learnt + smooth
    gradients = map(tf.convert_to_tensor, tape.gradient(total, weights))
    return [-gradient.numpy() for gradient in gradients], float(learnt), float(smooth)


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 1e-5), ("mixed_float16", 1e-2)], ids=["whole", "half"]
)
def test_a_virtual_step_follows_both_losses(policy, tolerance, monkeypatch):
    moves, learnt, smooth = by_hand()
    model = classifier(dtype=policy)
    training = VirtualAdversarialTraining(model, epsilon=0.3, temperature=0.5)
    worst = tf.constant(CLEAN), tf.constant(STEP)
    monkeypatch.setattr(training, "_worst", lambda ids: worst)
    optimizer = keras.optimizers.SGD(1.0)
    if policy == "mixed_float16":  # Keras' own scale is lowered in the first steps.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0)
    training.compile(optimizer)
    before = [np.array(weight) for weight in model.trainable_variables]
    figures = training.train_step(((tf.constant(IDS), tf.constant(UNLABELLED)), TARGETS))
    assert float(figures["loss"]) == pytest.approx(learnt, rel=10 * tolerance)
    assert float(figures["smoothness"]) == pytest.approx(smooth, rel=10 * tolerance)
    for weight, old, move in zip(model.trainable_variables, before, moves, strict=True):
        found = np.array(weight) - old
        assert np.abs(found - move).max() <= tolerance * max(1, np.abs(move).max()), weight.path
