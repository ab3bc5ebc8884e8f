"""Words of raw text, for taggers and for readers of paragraphs."""

import sys
import unicodedata

import pytest
import tensorflow as tf

from gru_zoo.text import spans, words

HINDI = "\u0939\u093f\u0928\u094d\u0926\u0940"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Un cafe\u0301 noir.", ["Un", "cafe\u0301", "noir", "."]),
        (f"{HINDI}?", [HINDI, "?"]),
        ("\u2764\ufe0fgood 1\ufe0f\u20e3", ["\u2764\ufe0f", "good", "1\ufe0f\u20e3"]),
        ("a \u0301b", ["a", "\u0301", "b"]),
    ],
)
def test_a_mark_belongs_to_what_it_stands_behind(text, wanted):
    assert words.treebank_words(text) == wanted
    found = spans.words_with_offsets(text)
    assert found.words == wanted
    assert [text[s:e] for s, e in zip(found.starts, found.ends, strict=True)] == wanted
    start = text.index(wanted[-1])
    last = len(wanted) - 1
    assert spans.span_of(found, start, start + len(wanted[-1])) == (last, last)


def test_a_mark_keeps_no_ending_apart():
    assert words.treebank_words("Je\u0301 don\u0301't, Zoe\u0308's") == [
        "Je\u0301",
        "don\u0301",
        "'",
        "t",
        ",",
        "Zoe\u0308",
        "'s",
    ]


def test_marks_are_those_of_the_graph():
    """RE2's tables may be of another year than Python's: letters of the last ones differ."""
    points = [chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n))[0] == "M"]
    known = tf.strings.regex_full_match(points, r"\p{M}").numpy()
    assert known.mean() > 0.95
