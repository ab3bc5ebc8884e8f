"""Half of a surrogate pair, which UTF-8 cannot carry, is read as U+FFFD wherever texts come in."""

import numpy as np
import pytest

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer, count_words
from gru_zoo.text.wordpiece import WordPieceTokenizer

# As a byte that is not UTF-8 comes from a command line, and as JSON may have them.
HALVES = ["a\udce9 b", "\ud83da", "b\ud83d", "a\ud83d\ude00b"]
WHOLE = ["a\ufffd b", "\ufffda", "b\ufffd", "a\U0001f600b"]
WORDS = WordTokenizer([*SPECIAL, "a", "b", "\ufffd"], 6)
PIECES = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##\ufffd"], 6)
CHARACTERS = CharacterTokenizer("ab\ufffd\U0001f600")


@pytest.mark.parametrize("given", [list, np.array, lambda texts: np.array(texts, object)])
@pytest.mark.parametrize(
    "read",
    [
        WORDS,
        WORDS.encode,
        PIECES,
        PIECES.encode,
        lambda texts: WORDS.words(texts).to_tensor(),
        lambda texts: CHARACTERS.words(texts).to_tensor(),
    ],
)
def test_ids_are_those_of_the_replacement_character(read, given):
    np.testing.assert_array_equal(read(given(HALVES)), read(WHOLE))
    np.testing.assert_array_equal(read([b"a", HALVES[0]]), read([b"a", WHOLE[0]]))


def test_words_are_counted_so_too():
    assert count_words(HALVES) == count_words(WHOLE)


@pytest.mark.parametrize("tokenizer", [WORDS, PIECES])
def test_a_classifier_reads_it_so(tokenizer):
    model = SequenceClassifier(tokenizer, embedding_dim=3, units=4, kernel="loop")
    wanted = model.predict(WHOLE, verbose=0)
    np.testing.assert_allclose(model.predict(HALVES, verbose=0), wanted, atol=1e-6)
    np.testing.assert_allclose(model.predict(HALVES[0], verbose=0), wanted[:1], atol=1e-6)


def test_what_is_no_text_is_refused_as_ever():
    with pytest.raises((TypeError, ValueError)):
        WORDS([1.5])
