import pytest

from gru_zoo.text.word_features import FEATURES, WordFeatures, shape


def test_shapes():
    shapes = {"Hello": "Xxxx", "U.S.": "X.X.", "3rd": "9xx", "'s": ".x", "$1,234": "$9.999"}
    assert {word: shape(word) for word in shapes} == shapes


def test_ids_tell_word_and_affixes_but_not_case():
    features = WordFeatures.fit([("Running", "running", "sings", "Sings"), ("rings", "rings")])
    ids = features.encode([("Running", "sings", "swing", "running")], time=5)
    assert list(ids) == list(FEATURES) and {array.shape for array in ids.values()} == {(1, 5)}
    word = ids["word"][0].tolist()
    assert word[0] == word[3] > 1 and word[1] > 1 and word[2] == 1 and word[4] == 0
    assert ids["shape"][0, 0] != ids["shape"][0, 3]
    # "swing" is new, its last three letters are not those of "running" only.
    assert ids["suffix_1"][0, 2] == ids["suffix_1"][0, 0]
    assert ids["prefix_1"][0, 2] == ids["prefix_1"][0, 1]


def test_what_was_seen_once_is_unknown():
    features = WordFeatures.fit([("once", "twice", "twice")])
    assert features.vocabularies["word"] == ("twice",)
    assert features.vocabularies["suffix_2"] == ("ce",)
    assert features.encode([("once",)], time=1)["word"].tolist() == [[1]]
    assert features.encode([("once",)], time=1)["suffix_2"].tolist() == [[2]]


def test_config_and_back():
    features = WordFeatures.fit([("a", "film", "a", "film")])
    again = WordFeatures.from_config(features.get_config())
    assert again.vocabularies == features.vocabularies and again.sizes == features.sizes


def test_bad_input():
    features = WordFeatures.fit([("a", "a")])
    with pytest.raises(ValueError, match="at most 2 words; number 2 has 3"):
        features.encode([("a",), ("a", "b", "c")], time=2)
    with pytest.raises(ValueError, match="vocabularies must be of"):
        WordFeatures({"word": ("a",)})


def test_the_most_frequent_have_the_first_ids():
    features = WordFeatures.fit([("a", "b", "b", "c", "c", "c", "a")])
    assert features.vocabularies["word"] == ("c", "a", "b")
