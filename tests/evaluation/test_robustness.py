import keras
import numpy as np
import pytest

from gru_zoo.evaluation.robustness import Texts, measured_sections, word_counts
from gru_zoo.evaluation.robustness_samples import KINDS, SARCASM, UNUSUAL
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer

WORDS = ["<PAD>", "<START>", "<UNKNOWN>", "good", "bad", "film"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    return SequenceClassifier(WordTokenizer(WORDS, 30), units=5, embedding_dim=4, kernel="loop")


def texts(seed, name):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 70, 60)
    return Texts(
        name, [" ".join(random.choice(WORDS[3:], n)) for n in lengths], random.integers(0, 2, 60)
    )


@pytest.mark.slow
def test_sections_say_what_a_loop_over_the_texts_says(model):
    test, other = texts(1, "the test"), texts(2, "others")
    sections = {
        section.title: section
        for section in measured_sections(model, texts(0, "validation"), test, [other])
    }
    right = [
        int(model.predict([text], verbose=0)[0].argmax()) == label
        for text, label in zip(test.texts, test.labels, strict=True)
    ]
    short = [r for r, text in zip(right, test.texts, strict=True) if len(text.split()) <= 50]
    name, number, accuracy = sections["Accuracy by length"].rows[0]
    assert (name, number) == ("0 to 50", len(short))
    assert accuracy == f"{100 * np.mean(short):.2f} %"
    assert sum(row[1] for row in sections["Accuracy by length"].rows) == 60
    assert sections["Out-of-domain data"].rows[0][:2] == ["others", 60]
    assert len(sections["Calibration"].rows) == 4
    assert [row[0] for row in sections["Unusual input"].rows] == list(UNUSUAL)
    samples = {row[0]: row[1] for row in sections["Negation, sarcasm and other languages"].rows}
    given = model.predict([text for text, _ in SARCASM], verbose=0).argmax(axis=1)
    good = int((given == [label for _, label in SARCASM]).sum())
    assert samples["sarcasm"] == f"{good} of 20"


def test_other_labels_are_refused():
    other = SequenceClassifier(WordTokenizer(WORDS, 8), ("yes", "no"), units=5)
    with pytest.raises(ValueError, match="labels negative and positive; got yes, no"):
        measured_sections(other, texts(0, "a"), texts(1, "b"))


def test_samples_are_balanced_as_the_card_says():
    for name, samples in KINDS.items():
        positive = sum(label for _, label in samples)
        expected = 6 if name == "sarcasm" else len(samples) / 2
        assert positive == expected, name
        assert len({text for text, _ in samples}) == len(samples)


def test_words_are_counted_as_the_tokenizer_splits():
    assert word_counts(["I don't<br />'like' it.", "", "a b"]).tolist() == [4, 0, 2]
