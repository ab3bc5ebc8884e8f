"""Words of raw text, for taggers and for readers of paragraphs."""

import re
import sys
import unicodedata

import pytest
import tensorflow as tf

from gru_zoo.text import spans, words

PERSIAN = "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
SINHALA = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
HINDI = "\u0939\u093f\u0928\u094d\u0926\u0940"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Un cafe\u0301 noir.", ["Un", "cafe\u0301", "noir", "."]),
        (f"{HINDI}?", [HINDI, "?"]),
        ("\u2764\ufe0fgood 1\ufe0f\u20e3", ["\u2764\ufe0f", "good", "1\ufe0f\u20e3"]),
        ("a \u0301b", ["a", "\u0301", "b"]),
        (f"{PERSIAN}.", [PERSIAN, "."]),
        (f"{SINHALA} \u200d!", [SINHALA, "\u200d", "!"]),
        ("\U0001f469\u200d\U0001f680 it", ["\U0001f469\u200d", "\U0001f680", "it"]),
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


def test_what_is_short_ends_a_compound_too():
    wanted = ["It", "is/is", "n't", "O", "'", "Dónnell", "'s", "."]
    assert words.treebank_words("It is/isn't O'Dónnell's.") == wanted


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


@pytest.mark.parametrize(
    ("text", "wanted", "places"),
    [
        ("\ufeffIn May.", ["In", "May", "."], [(1, 3), (4, 7), (7, 8)]),
        ("soft\u00adware,\u200b", ["software", ","], [(0, 9), (9, 10)]),
        ("\u202aa\u202c \u2067b\u2069\u200e", ["a", "b"], [(1, 2), (5, 6)]),
        ("cafe\u00ad\u0301 \u2764\u2060\ufe0f", ["cafe\u0301", "\u2764\ufe0f"], [(0, 6), (7, 10)]),
        ("\u200f \ufeff", [], []),
    ],
)
def test_what_nobody_sees_is_in_no_word(text, wanted, places):
    assert words.treebank_words(text) == wanted
    found = spans.words_with_offsets(text)
    assert found.words == wanted and list(zip(found.starts, found.ends, strict=True)) == places


def test_ignored_characters_are_of_the_format_class():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    ignored = re.findall(f"[{words.IGNORED}{words.JOINERS}]", everything)
    assert len(ignored) == 21 and {unicodedata.category(one) for one in ignored} == {"Cf"}


def test_marks_are_those_of_the_graph():
    """RE2's tables may be of another year than Python's: letters of the last ones differ."""
    points = [chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n))[0] == "M"]
    known = tf.strings.regex_full_match(points, r"\p{M}").numpy()
    assert known.mean() > 0.95
