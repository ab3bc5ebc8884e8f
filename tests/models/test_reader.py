"""The reader: masks, gradients, that it learns, and that a file holds all of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.layers import kernels
from gru_zoo.models.keras_file import load_keras_file
from gru_zoo.models.reader import Reader, SupportLoss
from gru_zoo.text.stories import StoryText
from tests.small_data import small_babi

SENTENCES = [
    f"{one} {verb} to the {place}."
    for one in small_babi.PEOPLE
    for verb in ("went", "ran")
    for place in small_babi.PLACES
]
QUESTIONS = [f"Where is {one}?" for one in small_babi.PEOPLE]
STORIES = [SENTENCES[0:3], SENTENCES[7:8], SENTENCES[4:13:2]]


def made(cell="gru", **options):
    keras.utils.set_random_seed(3)
    text = StoryText.fit([*SENTENCES, *QUESTIONS], story_length=9)
    options = {"embedding_dim": 4, "units": 7, "hops": 2, **options}
    return Reader(text, small_babi.PLACES, cell=cell, **options)


def asked(model, stories=STORIES, questions=QUESTIONS):
    outputs = model(model.text.encode(stories, questions).inputs(), training=False)
    return np.asarray(outputs["answer"]), np.asarray(outputs["gates"])


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "transformer"])
def test_a_story_is_read_alike_alone_and_among_longer_ones(cell):
    model = made(cell, units=8)
    rng = np.random.default_rng(4)
    for weight in model.trainable_weights:  # with biases of zero, padding would say nothing
        weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
    answers, gates = asked(model)
    assert answers.shape == (3, 3) and gates.shape == (3, 2, 5)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)
    for row, (story, question) in enumerate(zip(STORIES, QUESTIONS, strict=True)):
        alone, gate = asked(model, [story], [question])
        np.testing.assert_allclose(alone[0], answers[row], atol=2e-6)
        np.testing.assert_allclose(gate[0], gates[row, :, : len(story)], atol=2e-6)
        assert not gates[row, :, len(story) :].any()
        assert (gate > 0).all()


def test_every_weight_receives_a_gradient():
    model = made()
    inputs = model.text.encode(STORIES, QUESTIONS).inputs()
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = tf.reduce_sum(outputs["answer"][:, 0]) + tf.reduce_sum(outputs["gates"])
    weights = model.trainable_weights
    for weight, gradient in zip(
        weights, tape.gradient(loss, [w.value for w in weights]), strict=True
    ):
        assert gradient is not None and np.abs(tf.convert_to_tensor(gradient)).max() > 0, (
            weight.path
        )


@pytest.mark.slow
def test_it_learns_eight_questions_and_their_supports():
    model = made(units=16, dropout=0.0)
    stories = [SENTENCES[n : n + 3] for n in range(8)]
    questions = [QUESTIONS[SENTENCES.index(story[0]) // 6] for story in stories]
    truth = np.array([n % 3 for n in range(8)])
    supports = np.tile(np.array([[1, 0, 0], [0, 0, 0]], np.int8), (8, 1, 1))  # the second rests
    model.compile(
        keras.optimizers.Adam(0.02),
        loss={"answer": "sparse_categorical_crossentropy", "gates": SupportLoss()},
    )
    inputs = model.text.encode(stories, questions).inputs()
    with kernels.forced("loop"):  # at this size sooner done than compiled
        for _ in range(120):
            model.train_on_batch(inputs, {"answer": truth, "gates": supports})
    answers, gates = asked(model, stories, questions)
    assert (answers.argmax(axis=1) == truth).all()
    assert (gates[:, 0, 0] > 0.9).all() and (gates[:, 0, 1:] < 0.1).all()
    assert (gates[:, 1] < 0.1).all()


def test_the_loss_of_supports():
    truth = np.array([[[1, 0, -1], [0, 1, -1]], [[0, 1, 1], [0, 0, 0]]])
    gates = np.array([[[0.9, 0.2, 0.7], [0.3, 0.8, 0.4]], [[0.3, 0.6, 0.5], [0.2, 0.1, 0.4]]])
    likely = [[0.9 * 0.8, 0.7 * 0.8], [0.7 * 0.6 * 0.5, 0.8 * 0.9 * 0.6]]  # of each hop
    expected = -np.log(likely).mean(axis=1)
    gates = gates.astype(np.float32)
    np.testing.assert_allclose(SupportLoss(reduction=None)(truth, gates), expected, rtol=1e-6)


def test_saved_and_loaded(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    loaded = load_keras_file(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    for one, other in zip(asked(loaded), asked(model), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hops": 0}, "hops must be an integer of at least 1; got 0"),
        ({"cell": "gruu"}, "cell must be one of .*Did you mean 'gru'"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\)"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)
    with pytest.raises(ValueError, match="answers must be two or more different ones"):
        Reader(StoryText.fit(SENTENCES, 3), ["yes", "yes"])
