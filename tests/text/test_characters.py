"""Text to characters' ids and back."""

import numpy as np
import pytest

from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.characters import CharacterTokenizer

TEXT = "To be, or not to be:\n\u00e9\U0001f600"


def test_ids_are_places_in_the_vocabulary_by_falling_frequency():
    tokenizer = CharacterTokenizer.fit(["banana", b"bb n"])
    # Equally frequent ones by their code points.
    assert tokenizer.vocabulary == ("<PAD>", "<START>", "<UNKNOWN>", "a", "b", "n", " ")
    assert tokenizer.words(["nab x", ""]).to_list() == [[5, 3, 4, 6, 2], []]


def test_a_text_comes_back_as_it_was():
    tokenizer = CharacterTokenizer.fit([TEXT])
    (ids,) = tokenizer.words([TEXT]).to_list()
    assert len(ids) == len(TEXT)
    assert tokenizer.between.join(tokenizer.vocabulary[number] for number in ids) == TEXT
    again = CharacterTokenizer.from_config(tokenizer.get_config())
    assert again.words([TEXT]).to_list() == [ids]


def test_a_language_model_of_characters_comes_back_from_its_configuration():
    model = LanguageModel(CharacterTokenizer.fit([TEXT]), embedding_dim=4, units=7)
    again = LanguageModel.from_config(model.get_config())
    assert again.tokenizer.vocabulary == model.tokenizer.vocabulary
    assert again(np.ones((2, 3), np.int32)).shape == (2, 3, len(set(TEXT)) + 3)


@pytest.mark.parametrize(
    ("characters", "message"),
    [("", "characters must be at least one; got none"), ("abca", "got 'a' more than once")],
)
def test_bad_characters(characters, message):
    with pytest.raises(ValueError, match=message):
        CharacterTokenizer(characters)
