"""Subwords: what is cut is put together again, and what cannot be cut is refused."""

import numpy as np
import pytest

pytest.importorskip("tokenizers")


from gru_zoo.text.subwords import END, PAD, START, UNKNOWN, Subwords, padded  # noqa: E402
from tests.small_data import small_captions  # noqa: E402


@pytest.fixture(scope="module")
def subwords():
    pairs = small_captions.pairs("train")
    return Subwords.fit([*pairs.source, *pairs.target], size=90, longest=20)


def test_texts_come_back(subwords):
    texts = [*small_captions.pairs("test").source, "Eine Frau. die Katze.", "ein.Hund.Haus"]
    rows = subwords.encode(texts)
    assert [subwords.decode(row) for row in rows] == texts
    assert all(piece not in row for row in rows for piece in (PAD, START, END))
    assert subwords.decode([START, *rows[0], END, PAD]) == texts[0]
    assert subwords.pieces(rows[0])[0].startswith("▁")


@pytest.mark.parametrize(
    "read", [Subwords.encode, lambda _, texts: Subwords.fit(texts, size=20, longest=5)]
)
def test_one_text_is_not_read_as_its_characters(subwords, read):
    with pytest.raises(ValueError, match="texts must be a collection of texts; got one text, 'Hau"):
        read(subwords, "Haus")


def test_a_frequent_word_is_one_piece_and_all_fit(subwords):
    assert len(subwords.encode(["Haus"])[0]) <= 2 and len(subwords) <= 90
    assert max(max(row) for row in subwords.encode(small_captions.pairs("train").target)) < 90


def test_composed_and_decomposed_letters_are_one(subwords):
    assert subwords.encode(["tra\u0308gt"]) == subwords.encode(["tr\u00e4gt"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "texts must not be empty; number 2 is ''"),
        ("  ", "texts must have a character that the model knows; number 2"),
        ("日本", "texts must have a character that the model knows; number 2"),
        ("Haus " * 21, "texts must have at most 20 subwords; number 2 has"),
    ],
)
def test_bad_texts(subwords, text, message):
    with pytest.raises(ValueError, match=message):
        subwords.encode(["Haus", text])


def test_half_of_a_surrogate_pair_is_an_unknown_character(subwords):
    assert subwords.encode(["Haus\udce9", "\ud83d Haus"]) == subwords.encode(
        ["Haus\ufffd", "\ufffd Haus"]
    )
    with pytest.raises(ValueError, match="number 1 has none: '\ufffd'"):
        subwords.encode(["\udce9"])


@pytest.mark.parametrize("text", [None, 3, ("ein", "Haus"), ["ein", "Haus"], float("nan")])
def test_what_is_no_text_is_named(subwords, text):
    with pytest.raises(ValueError, match="texts must be strings; number 2 is "):
        subwords.encode(["Haus", text])
    with pytest.raises(ValueError, match="texts must be strings; number 7 is "):
        subwords.encode(["Haus", text], numbers=[4, 7])


def test_bytes_are_read_as_utf_8(subwords):
    texts = ["trägt ein Haus", "Haus\ufffd ein"]
    given = [texts[0].encode(), b"Haus\xff ein"]
    assert subwords.encode(given) == subwords.encode(np.array(given)) == subwords.encode(texts)


def test_a_text_that_names_a_special_piece_has_none(subwords):
    rows = subwords.encode(["Ein <s>altes</s> Haus <pad>", "<unk> Haus"])
    assert all(piece not in row for row in rows for piece in (PAD, START, END))
    plain = Subwords.fit(["a < s > / pad"] * 3, size=40, longest=40)
    assert plain.decode(plain.encode(["a<pad></s>"])[0]) == "a<pad></s>"
    again = Subwords.from_config(plain.get_config())
    assert again.encode(["<pad>"]) == plain.encode(["<pad>"])


def test_an_unknown_character_among_known_ones(subwords):
    assert UNKNOWN in subwords.encode(["Haus 日"])[0]


def test_what_a_keyboard_writes_by_itself_is_read_as_typed(subwords):
    learnt = Subwords.fit(['l\'eau va ! "..."'] * 3, size=60, longest=40)
    typed = learnt.encode(["l'eau va !", '"eau..."'])
    assert learnt.encode(["l\u2019eau\u202fva\u00a0!\u200b", "\u201ceau\u2026\u201d"]) == typed
    assert not any(UNKNOWN in row for row in typed)
    # Subwords that know such a character keep it.
    knows = Subwords.fit(["l\u2019eau", "l'eau"] * 3, size=60, longest=40)
    assert knows.decode(knows.encode(["l\u2019eau"])[0]) == "l\u2019eau"


def test_configuration(subwords):
    again = Subwords.from_config(subwords.get_config())
    assert again.encode(["Ein Mann."]) == subwords.encode(["Ein Mann."])
    with pytest.raises(ValueError, match="definition must be a tokenizer's JSON"):
        Subwords("{}", 5)


def test_padding():
    assert padded([[5, 6], [7]], 3).tolist() == [[5, 6, 0], [7, 0, 0]]


def test_a_tokenizer_without_the_special_pieces_is_refused():
    import tokenizers

    other = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0, "b": 1}, []))
    with pytest.raises(ValueError, match="definition must start with"):
        Subwords(other.to_str(), 5)
