"""Splits by a hash of the text."""

import hashlib

import numpy as np
import pytest

from gru_zoo.data.split import by_digest, by_person, digests, held_out


def texts(*words):
    array = np.empty(len(words), object)
    array[:] = [word.encode() for word in words]
    return array


def test_order_is_that_of_the_digests_and_forgets_the_input_order():
    words = texts("b", "a", "d", "c", "e")
    labels = np.array([1, 0, 3, 2, 4])
    ordered, carried = by_digest(words, labels)
    assert [hashlib.sha256(text).digest() for text in ordered] == sorted(digests(words))
    shuffled = np.array([3, 0, 4, 2, 1])
    again, carried_again = by_digest(words[shuffled], labels[shuffled])
    assert again.tolist() == ordered.tolist()
    assert carried_again.tolist() == carried.tolist()
    assert [b"abcdefg"[label] for label in carried] == [text[0] for text in ordered]


def test_trailing_nul_bytes_are_kept():
    words = np.empty(2, object)
    words[:] = [b"a\x00", b"a"]
    assert set(by_digest(words, np.zeros(2, np.int64))[0]) == {b"a\x00", b"a"}


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 4), (5, 5)])
def test_equal_texts_stay_on_one_side(count, expected):
    words = texts("a", "b", "b", "b", "c")
    assert held_out(words, count) == expected


@pytest.mark.parametrize(("count", "folds"), [(10, 5), (11, 5), (7, 3), (3, 3)])
def test_over_all_folds_everybody_is_tested_once(count, folds):
    people, tested = [f"p{number}" for number in range(count)], []
    for fold in range(folds):
        parts = by_person(people, folds, fold)
        assert sorted(sum(parts.values(), ())) == sorted(people) and all(parts.values())
        assert parts["validation"] == by_person(people, folds, (fold + 1) % folds)["test"]
        tested += parts["test"]
    assert tested == people


def test_folds_that_people_do_not_have():
    with pytest.raises(ValueError, match=r"folds must be from 3 to the 3 people; got 4"):
        by_person("abc", 4, 0)
    with pytest.raises(ValueError, match="folds must be from 3 to the 3 people; got 2"):
        by_person("abc", 2, 0)
    with pytest.raises(ValueError, match=r"fold must be one of .*; got 3"):
        by_person("abc", 3, 3)
