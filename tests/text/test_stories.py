"""Stories to numbers, one by one and in batches."""

import re
import sys

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.text import stories
from gru_zoo.text.stories import SPACE, StoryText, split_sentences, story_words
from gru_zoo.training.story_batches import StoryTable

SENTENCES = ["Anna went to the kitchen.", "Bert left.", "Where is Anna?"]


@pytest.fixture
def text():
    return StoryText.fit(SENTENCES, story_length=3)


def decoded(text, row):
    return " ".join(text.words[number] for number in row if number)


def test_each_sentence_has_one_row(text):
    stories = [[SENTENCES[0], SENTENCES[1], SENTENCES[0]], [SENTENCES[1]]]
    made = text.encode(stories, [SENTENCES[2], SENTENCES[2]])
    assert made.sentences.shape == (4, 5) and not made.sentences[0].any()
    for story, row in zip(stories, made.story, strict=True):
        shown = [decoded(text, made.sentences[number]) for number in row if number]
        assert shown == [" ".join(story_words(sentence)) for sentence in story]
    assert decoded(text, made.sentences[made.question[1]]) == "where is anna ?"


def test_case_and_full_stops_do_not_matter(text):
    np.testing.assert_array_equal(text.row("BERT LEFT"), text.row("Bert left."))


def test_rows_are_kept_for_a_while_and_not_changed(text, monkeypatch):
    monkeypatch.setattr(stories, "KEPT", 2)
    with pytest.raises(ValueError, match="read-only"):
        text.row(SENTENCES[0])[:] = 0
    made = text.encode([SENTENCES], [SENTENCES[2]])
    assert len(text._rows) <= 2
    assert [decoded(text, row) for row in made.sentences[1:]] == [
        " ".join(story_words(sentence)) for sentence in SENTENCES
    ]


def test_white_space_of_every_kind_is_between_words():
    """RE2, which reads in an exported graph, and Python have the same."""
    spaces = [chr(point) for point in range(sys.maxunicode + 1) if chr(point).isspace()]
    assert all(re.fullmatch(f"[{SPACE}]", space) for space in spaces) and len(spaces) == 29
    assert tf.strings.regex_full_match(spaces, f"[{SPACE}]").numpy().all()
    letters = ["\u200b", "\ufeff", "\x00", "a", "\U0001f600"]
    assert not tf.strings.regex_full_match(letters, f"[{SPACE}]").numpy().any()


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("Anna went to the kichen.", "got 'kichen' in .* Did you mean 'kitchen'?"),
        ("...", "story must have 1 to 5 words; got 0"),
        ("Anna went to the the kitchen", "story must have 1 to 5 words; got 6"),
        ("Ωμέγα", "story must consist of the 10 words that the model was trained on"),
    ],
)
def test_bad_sentences(text, sentence, message):
    with pytest.raises(ValueError, match=message):
        text.encode([[sentence]], [SENTENCES[2]])


def test_bad_stories(text):
    with pytest.raises(ValueError, match="story must have at most 3 sentences; got 4"):
        text.encode([[SENTENCES[1]] * 4], [SENTENCES[2]])
    with pytest.raises(ValueError, match="question must have 1 to 5 words; got 0"):
        text.encode([[SENTENCES[1]]], [""])
    with pytest.raises(ValueError, match="begin with '<PAD>'"):
        StoryText(["anna", "<PAD>"], 3, 3)
    with pytest.raises(ValueError, match="sentences must be a collection of texts; got one text"):
        StoryText.fit(SENTENCES[0], 3)


def test_sentences_of_a_text():
    assert split_sentences("Anna left.. Where is\nBert?! . \n") == [
        "Anna left..",
        "Where is",
        "Bert?!",
    ]


def test_batches_hold_the_same_stories(text):
    """A table's batch and `encode` say the same, whatever is padded."""
    rng = np.random.default_rng(0)
    stories = [[SENTENCES[i] for i in rng.integers(0, 3, n)] for n in (3, 0, 1, 2, 3)]
    questions = [SENTENCES[i] for i in (2, 0, 2, 1, 2)]
    table = StoryTable(text, stories, questions, [2, 3])
    rows = np.array([3, 1, 2])
    batch = table.batch(rows)
    assert batch.story.shape == (3, 2) and batch.sentences.shape == (64, 6)
    for row, story, asked in zip(rows, batch.story, batch.question, strict=True):
        shown = [decoded(text, batch.sentences[number]) for number in story if number]
        assert shown == [" ".join(story_words(s)) for s in stories[row]]
        assert decoded(text, batch.sentences[asked]) == " ".join(story_words(questions[row]))


def test_a_batch_of_short_sentences_is_narrow(text):
    table = StoryTable(text, [[SENTENCES[1]]], [SENTENCES[1]], [1])
    assert table.batch(np.array([0])).sentences.shape == (64, 2)


def test_lengths_must_reach_the_longest_story(text):
    with pytest.raises(ValueError, match=r"lengths must reach 3; got \[1, 2\]"):
        StoryTable(text, [[SENTENCES[1]] * 3], [SENTENCES[2]], [1, 2])


def test_repeated_words_are_refused():
    with pytest.raises(ValueError, match="words must be different and begin with '<PAD>'"):
        StoryText(["<PAD>", "anna", "anna"], 3, 3)
