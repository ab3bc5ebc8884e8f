import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.training import adversarial
from gru_zoo.training.adversarial import (
    AdversarialTraining,
    VirtualAdversarialTraining,
    _direction,
    divergence,
    sharpened,
)

WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "fine", "bad", "film", "a", "the", "not")
IDS = np.array([[1, 6, 3, 5, 0, 0], [1, 7, 5, 8, 4, 4], [1, 2, 3, 0, 0, 0]], np.int32)


def classifier(**options):
    keras.utils.set_random_seed(5)
    sizes = {"embedding_dim": 4, "units": 7, "dropout": 0.0, "kernel": "loop"}
    model = SequenceClassifier(WordTokenizer(WORDS, 6), **{**sizes, **options})
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.7, weight.shape))
    return model


def test_divergence_is_kullback_and_leiblers():
    random = np.random.default_rng(0)
    wanted, given = random.dirichlet([1, 1, 1], (2, 5))
    expected = (wanted * np.log(wanted / given)).sum(axis=1)
    np.testing.assert_allclose(divergence(tf.constant(wanted), tf.constant(given)), expected)


def test_the_step_has_its_length_on_real_words_only():
    model = classifier()
    _, step = VirtualAdversarialTraining(model, epsilon=0.3)._worst(tf.constant(IDS))
    table = model.embedding.embeddings.numpy()
    unit = np.linalg.norm(table[IDS[IDS > 0]], axis=1).mean()
    lengths = np.sqrt((step.numpy() ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(lengths, 0.3 * unit, rtol=1e-5)
    assert not step.numpy()[IDS == 0].any()


@pytest.mark.slow
def test_no_random_step_of_that_length_changes_the_answer_as_much():
    model = classifier()
    training = VirtualAdversarialTraining(model, epsilon=0.05)
    vectors, mask = model.embedding(IDS), tf.constant(IDS > 0)
    clean, step = training._worst(tf.constant(IDS))
    worst = divergence(clean, model.read(vectors + step, mask)).numpy()
    random = np.random.default_rng(1)
    for _ in range(50):
        other = random.normal(size=vectors.shape) * (IDS > 0)[:, :, None]
        lengths = [np.sqrt((x**2).sum(axis=(1, 2), keepdims=True)) for x in (step.numpy(), other)]
        other = (other / lengths[1] * lengths[0]).astype("float32")
        assert (divergence(clean, model.read(vectors + other, mask)).numpy() < worst).all()


def test_kept_gates_change_no_gradient_and_drop_nothing():
    model = classifier(dropout=0.5, kernel="auto")
    vectors, mask = model.embedding(IDS), tf.constant(IDS > 0)
    found = []
    for save in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            given = model.read(vectors, mask, save_gates=save)[:, 0]
        found.append((given.numpy(), tape.gradient(given, vectors).numpy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_it_learns_labels_and_grows_smoother():
    model = classifier()
    training = VirtualAdversarialTraining(model, epsilon=0.5)
    training.compile(keras.optimizers.Adam(0.02))
    batch = (tf.constant(IDS), tf.constant(IDS[::-1].copy())), tf.one_hot([1, 0, 1], 2)
    step = tf.function(training.train_step)
    losses, rough = [], []
    for _ in range(60):
        training.reset_metrics()
        figures = step(batch)
        losses.append(float(figures["loss"]))
        rough.append(float(figures["smoothness"]))
    assert losses[-1] < 0.1 < losses[0]
    assert rough[-1] < 0.5 * max(rough)


def cross_entropy(model, vectors, targets):
    given = model.read(vectors, tf.constant(IDS > 0))
    return -tf.reduce_sum(targets * tf.math.log(given), axis=1)


def test_an_adversarial_step_follows_both_losses():
    model, targets = classifier(), tf.constant([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    weights = [weight.value for weight in model.trainable_variables]
    vectors = model.embedding(IDS)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = tf.reduce_mean(cross_entropy(model, vectors, targets))
    slope = tape.gradient(loss, vectors).numpy() * (IDS > 0)[:, :, None]
    unit = np.linalg.norm(vectors.numpy()[IDS > 0], axis=1).mean()
    worst = 0.4 * unit * slope / np.sqrt((slope**2).sum(axis=(1, 2), keepdims=True))
    with tf.GradientTape() as tape:
        here, there = model.embedding(IDS), model.embedding(IDS) + worst.astype("float32")
        hard = tf.reduce_mean(cross_entropy(model, there, targets))
        total = tf.reduce_mean(cross_entropy(model, here, targets)) + hard
    expected = [tf.convert_to_tensor(each) for each in tape.gradient(total, weights)]
    before = [weight.numpy() for weight in weights]
    training = AdversarialTraining(model, epsilon=0.4)
    training.compile(keras.optimizers.SGD(0.5))
    figures = training.train_step((tf.constant(IDS), targets))
    np.testing.assert_allclose(figures["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(figures["adversarial_loss"], hard, rtol=1e-4)
    assert hard > loss
    for weight, old, gradient in zip(weights, before, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), old - 0.5 * gradient, rtol=0, atol=1e-5)


def moves(training, batch, targets):
    """Train one step of size 1; return how each weight moved."""
    weights = training.classifier.trainable_variables
    before = [np.array(weight) for weight in weights]
    training.compile(keras.optimizers.SGD(1.0))
    training.train_step((batch, targets))
    return [np.array(weight) - old for weight, old in zip(weights, before, strict=True)]


def test_a_mixed_step_follows_all_three_losses():
    batch, targets = (tf.constant(IDS), tf.constant(IDS[::-1].copy())), tf.one_hot([1, 0, 1], 2)
    mixed = VirtualAdversarialTraining(classifier(), 0.5, adversarial=0.4)
    both = moves(mixed, batch, targets)
    virtual = moves(VirtualAdversarialTraining(classifier(), 0.5), batch, targets)
    labelled = moves(AdversarialTraining(classifier(), 0.4), IDS, targets)
    model = classifier()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(cross_entropy(model, model.embedding(IDS), targets))
    twice = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    for found, one, other, double in zip(both, virtual, labelled, twice, strict=True):
        np.testing.assert_allclose(found, one + other + tf.convert_to_tensor(double), atol=2e-6)


def test_sharpened_answers_are_powers():
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    expected = chances**4 / (chances**4).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sharpened(tf.constant(chances), 0.25), expected)
    np.testing.assert_allclose(sharpened(tf.constant(chances), 1.0), chances)


@pytest.mark.slow
def test_unlabelled_texts_grow_certain_at_a_low_temperature():
    entropies = []
    for temperature in (1.0, 0.3):
        model = classifier()
        training = VirtualAdversarialTraining(model, epsilon=0.1, temperature=temperature)
        training.compile(keras.optimizers.Adam(0.02))
        step = tf.function(training.train_step)
        for _ in range(40):  # labels say nothing
            step(((tf.constant(IDS), tf.constant(IDS[::-1].copy())), tf.fill((3, 2), 0.5)))
        given = model(IDS).numpy()
        entropies.append(-(given * np.log(given)).sum(axis=1).mean())
    assert entropies[1] < 0.9 * entropies[0]


@pytest.mark.parametrize(
    "options",
    [
        {"epsilon": 0.0},
        {"epsilon": 1.0, "xi": -1.0},
        {"epsilon": 1.0, "temperature": 0.0},
        {"epsilon": 1.0, "adversarial": -0.1},
    ],
)
def test_lengths_are_positive(options):
    with pytest.raises(ValueError, match="(epsilon|xi|temperature|adversarial) must be positive"):
        VirtualAdversarialTraining(classifier(), **options)
    if len(options) == 1:
        with pytest.raises(ValueError, match="epsilon must be positive; got"):
            AdversarialTraining(classifier(), **options)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("virtual", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_half_precision_learns_as_float32_does(policy, virtual):
    def losses(policy):
        model = classifier(kernel="auto", dtype=policy)
        if virtual:
            training = VirtualAdversarialTraining(model, 0.3, adversarial=0.2)
        else:
            training = AdversarialTraining(model, 0.3)
        training.compile(keras.optimizers.SGD(0.05))
        scaled = hasattr(training.optimizer, "inner_optimizer")
        assert scaled == (policy == "mixed_float16")
        batch = (IDS, IDS[:2]) if virtual else IDS
        targets = np.eye(2, dtype=np.float32)[[0, 1, 1]]
        figures = []
        for _ in range(8):
            training.reset_metrics()
            figures.append(float(training.train_on_batch(batch, targets, return_dict=True)["loss"]))
        return figures

    half, whole = losses(policy), losses("float32")
    assert half[-1] < 0.9 * half[0]
    np.testing.assert_allclose(half, whole, rtol=0.1, atol=0.02)


@pytest.mark.parametrize(
    "training",
    [AdversarialTraining, VirtualAdversarialTraining],
)
def test_weights_of_texts_are_refused(training):
    training = training(classifier(), 0.3)
    training.compile("sgd")
    ids = IDS if isinstance(training, AdversarialTraining) else (IDS, IDS)
    with pytest.raises(ValueError, match="sample_weight and class_weight must be None"):
        training.train_step((ids, np.eye(2, dtype="float32")[[0, 1, 1]], np.ones(3, "float32")))


def test_the_first_step_is_in_mean_norms_too(monkeypatch):
    model, read = classifier(), []
    unharmed = adversarial._answers

    def answers(model, vectors, mask, **how):
        read.append(vectors)
        return unharmed(model, vectors, mask, **how)

    monkeypatch.setattr(adversarial, "_answers", answers)
    VirtualAdversarialTraining(model, epsilon=0.3, xi=0.2)._worst(tf.constant(IDS))
    table = model.embedding.embeddings.numpy()
    unit = np.linalg.norm(table[IDS[IDS > 0]], axis=1).mean()
    lengths = np.sqrt(((read[1] - read[0]).numpy() ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(lengths, 0.2 * unit, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "flags"),
    [
        (lambda model: AdversarialTraining(model, 0.3), [True, True]),
        # The texts' own answers and the search for the worst step are of the whole model.
        (
            lambda model: VirtualAdversarialTraining(model, 0.3, adversarial=0.2),
            [True, True, False, False, True],
        ),
    ],
)
def test_what_is_learnt_is_read_with_dropout(make, flags, monkeypatch):
    training, seen = make(classifier()), []
    batch = (IDS, IDS) if isinstance(training, VirtualAdversarialTraining) else IDS
    read = SequenceClassifier.read

    def watched(model, vectors, mask, training=False, **options):
        seen.append(training)
        return read(model, vectors, mask, training=training, **options)

    monkeypatch.setattr(SequenceClassifier, "read", watched)
    moves(training, batch, tf.one_hot([1, 0, 1], 2))
    assert seen == flags


def test_a_tiny_gradient_has_a_direction():
    step = _direction(tf.fill((2, 3, 4), 1e-25), tf.ones((2, 3, 1)))
    np.testing.assert_allclose(tf.norm(step, axis=(1, 2)), 1, rtol=1e-5)
    assert not _direction(tf.zeros((2, 3, 4)), tf.ones((2, 3, 1))).numpy().any()
