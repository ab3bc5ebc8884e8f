"""Pairs of sentences: what hangs together, and splits that keep it on one side."""

import numpy as np
import pytest

from gru_zoo.data.pairs import Pairs, groups, languages, split_by_groups

# Sources and targets of a chain, of a pair alone, and of punctuation.
CHAIN = Pairs(
    ["Va !", "Un chat.", "Tire !", "va", "Feu !", "?", "!"],
    ["Go.", "A cat.", "Fire!", "Move!", "FIRE", "-", "-"],
)


def test_what_shares_a_sentence_is_one_group_whatever_case_and_marks():
    assert groups(CHAIN).tolist() == [0, 1, 2, 0, 2, 5, 5]
    # The last pair joins the first one to the third one.
    joined = Pairs([*CHAIN.source, "Feu"], [*CHAIN.target, "Go"])
    assert groups(joined).tolist() == [0, 1, 0, 0, 0, 5, 5, 0]


def test_letters_are_the_same_however_they_are_composed():
    assert groups(Pairs(["caf\u00e9 noir", "cafe\u0301 noir"], ["a", "b"])).tolist() == [0, 0]
    # A mark tells words apart.
    hindi = ["\u0930\u093e\u092e \u0915\u093e", "\u0930\u093e\u092e \u0915\u0940"]
    assert groups(Pairs(hindi, ["a", "b"])).tolist() == [0, 1]


def test_a_sentence_is_not_joined_to_its_like_in_the_other_language():
    assert groups(Pairs(["chat", "parler"], ["cat", "chat"])).tolist() == [0, 1]


def test_a_long_chain_is_one_group():
    count = 3_000
    order = np.random.default_rng(3).permutation(count)
    pairs = Pairs([f"a {i}" for i in order], [f"b {i // 2}" for i in order])
    assert len(set(groups(pairs).tolist())) == count // 2
    chain = Pairs([f"a {i // 2}" for i in order], [f"b {(i + 1) // 2}" for i in order])
    assert set(groups(chain).tolist()) == {0}


@pytest.fixture(scope="module")
def many():
    """300 sentences, a third of them with a second translation."""
    rows = [(f"Phrase {i}.", f"Sentence {i}.") for i in range(300)]
    rows += [(f"phrase {i} !", f"Another {i}.") for i in range(0, 300, 3)]
    return Pairs(*map(list, zip(*rows, strict=True)))


def test_no_group_is_in_two_splits_and_none_is_asked_twice(many):
    parts = split_by_groups(many, test=40, validation=20)
    numbers = {
        name: [text.strip(".! ").casefold().split()[1] for text in part.source]
        for name, part in parts.items()
    }
    assert len(numbers["test"]) == len(set(numbers["test"])) == 40
    assert len(numbers["validation"]) == len(set(numbers["validation"])) == 20
    assert len(set(numbers["train"])) == 240
    assert not set(numbers["test"]) & set(numbers["validation"])
    assert not set(numbers["train"]) & {*numbers["test"], *numbers["validation"]}
    # What is trained on has every translation; what is asked, the first one.
    twice = sum(int(number) % 3 == 0 for number in set(numbers["train"]))
    assert len(parts["train"].source) == 240 + twice
    assert all(text.startswith("Sentence") for text in parts["test"].target)
    for part in parts.values():
        places = [many.source.index(text) for text in part.source]
        assert places == sorted(places)


def test_a_split_does_not_depend_on_the_other_pairs_order(many):
    parts = split_by_groups(many, test=40, validation=20)
    order = [*reversed(range(300)), *range(300, 400)]
    turned = Pairs(*([texts[place] for place in order] for texts in many))
    again = split_by_groups(turned, test=40, validation=20)
    assert sorted(again["test"].source) == sorted(parts["test"].source)
    assert again["test"].source != parts["test"].source


@pytest.mark.parametrize("pair", ["de-de", "de", "en_de", "", "de-en-fr"])
def test_unknown_pairs(pair):
    with pytest.raises(ValueError, match="pair must be one of 'de-en', 'de-fr', 'en-de'"):
        languages(pair, ["de", "en", "fr"])
