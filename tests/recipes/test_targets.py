"""Rows and what is to be said of them: teachers, hidden words, repeated questions."""

import collections
import dataclasses

import keras
import numpy as np
import pytest

from gru_zoo.data import babi
from gru_zoo.data.source import Source
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.training.runs import RunFolder
from recipes import comprehension, comprehension_babi, semi_supervised
from recipes.shared import reviews, teachers
from tests.recipes.wiring import small_reviews_of, start

WORDS = [one + other for one in "bcdfghj" for other in "aeio"]
# Texts of four words, each of which stands in no other text.
TEXTS = [" ".join(WORDS[first : first + 4]) for first in range(0, 28, 4)]
TOKENIZER = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", *WORDS], sequence_length=5)
LABELS = np.array([1, 0, 0, 1], np.int32)


def reviews_of(texts, labels):
    return reviews.Reviews(np.array([text.encode() for text in texts], object), labels)


def said_of(text, teacher=0.0):
    """Return what a teacher says of a text, which depends on its first word."""
    share = (1 + WORDS.index(text.split()[0])) / 40 + teacher
    return np.array([1 - share, share], np.float32)


@pytest.fixture(params=[False, True], ids=["forward", "backward"])
def backward(request):
    return request.param


def taught(backward, monkeypatch, **flags):
    """Return a `_Training` with two teachers, who differ by 0.2, on four and three reviews."""
    asked = []

    def ask(teacher, texts):
        asked.append([text.decode() for text in texts])
        return np.stack([said_of(text, teacher) for text in asked[-1]])

    monkeypatch.setattr(teachers, "predict_with_run", ask)
    parts = {"train": TEXTS[:4], "unsupervised": TEXTS[4:]}
    opinions = [
        {part: np.stack([said_of(t, teacher) for t in texts]) for part, texts in parts.items()}
        for teacher in (0.0, 0.2)
    ]
    flags = {"teachers_weight": 0.25, "excerpts": 2, "batch_size": 1, "sequence_length": 5, **flags}
    config = semi_supervised.Train(backward=backward, **flags)
    model = SequenceClassifier(TOKENIZER, embedding_dim=3, units=2)
    labelled, more = reviews_of(TEXTS[:4], LABELS), reviews_of(TEXTS[4:], np.full(3, -1))
    training = semi_supervised._Training(config, model, labelled, more, opinions, [0.0, 0.2])
    return training, asked


def text_of(row, backward):
    """Return the text of a row of ids."""
    assert row[0] == 1  # <START>
    words = [WORDS[number - 3] for number in row[row > 0][1:]]
    return " ".join(words[:: -1 if backward else 1])


def test_every_row_is_taught_what_is_said_of_it(backward, monkeypatch):
    training, asked = taught(backward, monkeypatch)
    found = collections.defaultdict(list)
    for ids, targets in training.batches.epoch(0):
        found[text_of(ids[0], backward)].append(targets[0])
    # Both teachers are asked about each of two rounds of excerpts, of two of the four words.
    assert asked[0] == asked[1] != asked[2] == asked[3]
    excerpts = [*asked[0], *asked[2]]
    assert all(len(text.split()) == 2 for text in excerpts)
    assert sorted(found) == sorted({*TEXTS, *excerpts})
    assert sum(map(len, found.values())) == len(TEXTS) + 14 == len(training)
    for text, targets in found.items():
        expected = said_of(text, 0.1)
        if text in TEXTS[:4]:
            expected = 0.25 * expected + 0.75 * np.eye(2)[LABELS[TEXTS.index(text)]]
        for target in targets:
            np.testing.assert_allclose(target, expected, rtol=1e-6)


def test_excerpts_depend_on_the_runs_seed(monkeypatch):
    drawn = [taught(False, monkeypatch, seed=seed)[1] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_unlabelled_reviews_are_read_in_the_same_direction(backward, monkeypatch):
    training, _ = taught(backward, monkeypatch, virtual_adversarial=0.3)
    batches = list(training.dataset(0, 1).as_numpy_iterator())
    texts = {text_of(row, backward) for (_, more), _ in batches for row in more}
    assert texts == set(TEXTS[4:])
    texts = {text_of(row, backward) for (ids, _), _ in batches for row in ids}
    assert {*TEXTS} <= texts


def test_the_test_split_is_read_in_the_runs_direction(backward, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run", dataclasses.asdict(semi_supervised.Train(backward=backward)))
    test, seen = reviews_of(TEXTS[:4], LABELS), []
    source = Source("small", "0", "here", "CC0", {"test": (4, "four")}, {})
    monkeypatch.setattr(reviews, "read", lambda split, *_: {"test": (test, source)}[split])
    model = SequenceClassifier(TOKENIZER, embedding_dim=3, units=2)
    monkeypatch.setattr(semi_supervised, "load", lambda run: model)
    monkeypatch.setattr(
        "gru_zoo.training.batching.predict_by_length",
        lambda model, ids: seen.append(ids) or np.eye(2)[LABELS],
    )
    semi_supervised.evaluate(semi_supervised.Evaluate((run.path, run.path)))
    for ids in seen:
        assert [text_of(row, backward) for row in ids] == TEXTS[:4]


@pytest.mark.parametrize("name", ["sentiment", "semi_supervised", "pos_tagging"])
def test_words_are_hidden_in_training(name, tmp_path, monkeypatch):
    # At this strength every word is hidden.
    given = start(name, tmp_path, monkeypatch, "--word-dropout", "1e12")
    ids = next(given.train(0, 1).as_numpy_iterator())[0]
    if name == "pos_tagging":
        assert ids["word"].max() == 1 < ids["prefix_2"].max()  # Of unknown words.
    else:
        assert 2 in ids and ids.max() == 2  # <PAD>, <START>, <UNKNOWN>


def test_a_review_keeps_its_label(tmp_path, monkeypatch):
    given, learnt = start("sentiment", tmp_path, monkeypatch), small_reviews_of("train")
    rows = given.model.tokenizer.encode(learnt.texts)
    labels = {tuple(row[row > 0]): label for row, label in zip(rows, learnt.labels, strict=True)}
    for ids, given_labels in given.train(0, 1).as_numpy_iterator():
        assert [labels[tuple(row[row > 0])] for row in ids] == given_labels.tolist()


@pytest.mark.parametrize(
    ("hard", "repeat", "expected"),
    [
        ((), 3, {1: 10, 2: 12, 3: 5}),  # four questions are fewer than half of ten; five are not
        ((3,), 3, {1: 10, 2: 12, 3: 15}),
        ((1, 3), 1, {1: 10, 2: 4, 3: 5}),
    ],
)
def test_questions_of_hard_and_of_small_tasks_are_repeated(hard, repeat, expected):
    story, who = ("Anna went to the kitchen.", "Bert went to the office."), "Anna Bert Cora".split()
    questions = [
        babi.Question(
            task, story, f"Where is {who[task - 1]}?", ("kitchen", "office")[n % 2], (n % 2,)
        )
        for task, count in ((1, 10), (2, 4), (3, 5))
        for n in range(count)
    ]
    config = comprehension.Train(
        hard=hard, repeat=repeat, batch_size=1, units=3, embedding_dim=3, hops=1
    )
    model = comprehension_babi.make_model(config, questions)
    asked = collections.Counter()
    for inputs, _ in comprehension_babi._Batches(model, questions, config).epoch(0):
        words = inputs["sentences"][inputs["question"][0]]
        (name,) = {model.text.words[number].title() for number in words} & {*who}
        asked[who.index(name) + 1] += 1
    assert asked == expected


def test_a_teacher_reads_from_the_end_if_it_learnt_so(backward, tmp_path):
    keras.utils.set_random_seed(3)
    run = RunFolder(tmp_path / "run", {"backward": backward}, False)
    model = SequenceClassifier(TOKENIZER, embedding_dim=3, units=2, kernel="loop")
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.7, weight.shape))
    model.save(run.path / "model.keras")
    said = teachers.predict_with_run(run, np.array([text.encode() for text in TEXTS], object))
    turned = [" ".join(text.split()[::-1]) for text in TEXTS]
    answers = [model.predict(texts, verbose=0) for texts in (TEXTS, turned)]
    assert np.abs(answers[0] - answers[1]).max() > 0.01
    np.testing.assert_allclose(said, answers[backward], atol=1e-5)
