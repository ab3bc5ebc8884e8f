"""WordTokenizer: what a word is, which id it gets, and what bad input does."""

import time

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_zoo.text.tokenizers import (
    DELIMITER,
    SPECIAL,
    WordTokenizer,
    count_words,
    delimiter_split,
    spellings,
)
from gru_zoo.text.wordpiece import WordPieceTokenizer
from tests.nasty_texts import NASTY

WORDS = (*SPECIAL, "a", "don't", "great", "film")


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer(WORDS, 12)


def words(text):
    return [
        word.decode(errors="replace") for word in delimiter_split(tf.constant([text])).to_list()[0]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n", []),
        ("A great film!", ["A", "great", "film"]),
        ("one<br />two<br><BR/>three<br   />", ["one", "two", "three"]),
        ("don't 'quote' ''twice'' dogs' 'tis", ["don't", "quote", "twice", "dogs", "tis"]),
        ("<br />'tis", ["tis"]),
        ("a'' b ''c", ["a", "b", "c"]),
        ("rock''n'roll", ["rock", "n'roll"]),
        ("don\u2019t \u2018so\u2019", ["don\u2019t", "so"]),
        ("10/10, well-made snake_case", ["10", "10", "well", "made", "snake", "case"]),
        (
            "cafe\u0301 \u0928\u092e\u0938\u094d\u0924\u0947",
            ["cafe\u0301", "\u0928\u092e\u0938\u094d\u0924\u0947"],
        ),
        ("\u2764\ufe0f fine \U0001f44d\U0001f3fd", ["fine"]),
        ("\u4e2d\u6587\u3002\u5b8c", ["\u4e2d\u6587", "\u5b8c"]),
        ("<PAD> <START>", ["PAD", "START"]),
        (b"bro\xffken \xe2", ["bro\ufffdken", "\ufffd"]),
        (b"before\x00after", ["before"]),
        (b"a\xff\x00\xff b", ["a\ufffd"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_ids_start_pad_unknown_and_cut():
    tokenizer = WordTokenizer(WORDS, 5)
    ids = tokenizer(tf.constant(["a great zebra", "", "a a a a great film", "Great"]))
    assert ids.dtype == tf.int32
    assert ids.shape == (4, 5)
    assert ids.numpy().tolist() == [
        [1, 3, 5, 2, 0],
        [1, 0, 0, 0, 0],
        [1, 3, 3, 3, 3],
        [1, 2, 0, 0, 0],
    ]


def test_no_texts_and_no_room():
    assert WordTokenizer(WORDS, 5)(tf.constant([], tf.string)).shape == (0, 5)
    assert WordTokenizer(WORDS, 1)(tf.constant(["a great film"])).numpy().tolist() == [[1]]


def test_folded_case_and_curly_apostrophes_share_an_id():
    tokenizer = WordTokenizer(WORDS, 8, fold_case=True)
    text = "great Great GREAT gReAt don't Don\u2019t DON'T"
    assert tokenizer(tf.constant([text])).numpy().tolist() == [[1, 5, 5, 5, 2, 4, 4, 4]]
    assert WordTokenizer(WORDS, 3)(tf.constant(["don\u2019t"])).numpy().tolist() == [[1, 4, 0]]


def test_a_spelling_in_the_vocabulary_keeps_its_own_id():
    tokenizer = WordTokenizer((*SPECIAL, "us", "US"), 3, fold_case=True)
    assert tokenizer(tf.constant(["us US"])).numpy().tolist() == [[1, 3, 4]]


def test_special_words_cannot_be_typed():
    tokenizer = WordTokenizer((*SPECIAL, "a"), 6, fold_case=True)
    ids = tokenizer(tf.constant(["<PAD> <START> <UNKNOWN>"])).numpy().tolist()
    assert ids == [[1, 2, 2, 2, 0, 0]]


def test_a_hundred_thousand_words_take_seconds_at_most():
    tokenizer = WordTokenizer(WORDS, 50)
    start = time.monotonic()
    ids = tokenizer(tf.constant(["great film " * 50_000])).numpy()
    assert time.monotonic() - start < 5
    assert ids[0, -1] == 5


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts_become_ids_alone_as_in_a_batch(text):
    tokenizer = WordTokenizer(WORDS, 16, fold_case=True)
    together = tokenizer(tf.constant(NASTY)).numpy()
    alone = tokenizer(tf.constant([text])).numpy()[0]
    assert (together[NASTY.index(text)] == alone).all()
    assert alone[0] == 1
    assert ((alone >= 0) & (alone < len(WORDS))).all()


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda text: text.encode("utf-8")))
)
def test_any_bytes_become_the_ids_of_their_words(tokenizer, text):
    found = delimiter_split(tf.constant([text])).to_list()[0]
    table = {word.encode(): number for word, number in tokenizer.table().items()}
    expected = ([1] + [table.get(word, 2) for word in found] + [0] * 12)[:12]
    assert tokenizer(tf.constant([text])).numpy()[0].tolist() == expected
    assert all(found)
    assert not any(byte in b" \t\r\n\v\f\0" for word in found for byte in word)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["'", "\u2019", "a", " ", "<br />", "\u0301", "\u00e9", "-"]), max_size=12
    )
)
def test_searching_in_the_remainder_finds_the_same_words(pieces):
    """MediaPipe looks for each delimiter in what is left after the one before."""
    text = "".join(pieces)
    remainder, found = text, []
    while True:
        # Cut at the first delimiter: TensorFlow's "replace once" is RE2's first match.
        cut = tf.strings.regex_replace(remainder, DELIMITER, "\x00", replace_global=False)
        before, mark, after = cut.numpy().decode().partition("\x00")
        found += [before] if before else []
        if not mark:
            break
        remainder = after
    assert found == words(text)


def test_saved_in_a_graph_it_needs_no_python(tmp_path):
    class Server(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = WordTokenizer(WORDS, 16, fold_case=True)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, texts):
            return self.tokenizer(texts)

    server = Server()
    tf.saved_model.save(server, tmp_path / "server")
    loaded = tf.saved_model.load(tmp_path / "server")
    texts = tf.constant(NASTY)
    assert (loaded.serve(texts).numpy() == server.serve(texts).numpy()).all()


def test_fit_ranks_by_count_then_bytes():
    tokenizer = WordTokenizer.fit(["b b b a", "a \u00e9 A", "c", b"c \xff \xff \xff"], 8, 4)
    assert tokenizer.vocabulary == (*SPECIAL, "b", "a", "c", "A", "\u00e9")
    assert WordTokenizer.fit(["a A a", "b b B B"], 5, 4, fold_case=True).vocabulary[3:] == (
        "b",
        "a",
    )
    assert WordTokenizer.fit(["b b a a"], 4, 4).vocabulary[3:] == ("a",)
    assert WordTokenizer.fit([], 100, 4).vocabulary == SPECIAL


def test_fit_gives_no_id_to_what_is_never_read():
    texts = ["McDonald McDonald McDonald Great great GREAT a a mcdonald"]
    folded = WordTokenizer.fit(texts, 9, 4, fold_case=True)
    assert folded.vocabulary[3:] == ("great", "a", "mcdonald")
    assert "McDonald" in WordTokenizer.fit(texts, 9, 4).vocabulary


def test_fit_reads_any_kind_of_texts():
    texts = ["a b\u2019s", b"b's c", "c"] * 700
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(texts))
    from_list = WordTokenizer.fit(texts, 10, 4)
    assert from_list.vocabulary == (*SPECIAL, "b's", "c", "a")
    assert WordTokenizer.fit(dataset, 10, 4).vocabulary == from_list.vocabulary
    assert WordTokenizer.fit(iter(texts), 10, 4).vocabulary == from_list.vocabulary


def test_counting_splits_as_the_tokenizer_does():
    counts = count_words(NASTY)
    expected = {}
    for found in delimiter_split(tf.constant(NASTY)).to_list():
        for word in found:
            if word.decode(errors="ignore").encode() == word:
                expected[word.decode()] = expected.get(word.decode(), 0) + 1
    assert counts == expected


def test_config_makes_the_same_tokenizer():
    tokenizer = WordTokenizer(WORDS, 9, fold_case=True)
    again = WordTokenizer.from_config(tokenizer.get_config())
    assert again.get_config() == tokenizer.get_config()
    assert again.table() == tokenizer.table()


def test_vocabulary_file_has_a_line_for_each_spelling():
    lines = WordTokenizer(WORDS, 4, fold_case=True).vocabulary_bytes().decode().splitlines()
    assert lines[:4] == ["<PAD> 0", "<START> 1", "<UNKNOWN> 2", "a 3"]
    assert {"DON\u2019T 4", "GREAT 5"} < set(lines)
    assert len(lines) == len({line.split()[0] for line in lines})


@pytest.mark.parametrize("fold_case", [False, True])
def test_vocabulary_file_makes_the_same_tokenizer(fold_case):
    tokenizer = WordTokenizer(WORDS, 9, fold_case)
    again = WordTokenizer.from_vocabulary_bytes(tokenizer.vocabulary_bytes(), 9)
    assert again.get_config() == tokenizer.get_config()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.replace(b"great 5\n", b""), "ids or spellings are missing"),
        (lambda file: file.replace(b"GREAT 5\n", b""), "ids or spellings are missing"),
        (lambda file: file.replace(b"great 5", b"great"), "line 6; got 'great'"),
        (lambda file: file.replace(b"<START> 1\n", b""), "vocabulary must start with <PAD>"),
        (lambda file: file.replace(b"great", b"\xff"), "invalid start byte"),
        (lambda file: b"", "vocabulary must start with <PAD>"),
    ],
)
def test_spoilt_vocabulary_file(spoil, message):
    file = spoil(WordTokenizer(WORDS, 9, fold_case=True).vocabulary_bytes())
    with pytest.raises(ValueError, match=message):
        WordTokenizer.from_vocabulary_bytes(file, 9)


def test_file_of_words_makes_the_same_tokenizer():
    tokenizer = WordTokenizer(WORDS, 9, fold_case=True)
    file = tokenizer.words_bytes()
    assert file.decode().split("\n") == [*WORDS, ""]
    assert len(file) < len(tokenizer.vocabulary_bytes()) / 3
    again = WordTokenizer.from_words_bytes(file, 9)
    assert again.get_config() == tokenizer.get_config()
    with pytest.raises(ValueError, match="fold_case must be True"):
        WordTokenizer(WORDS, 9).words_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file[:-2], "must end with a line break; got 'fil'"),
        (lambda file: file.replace(b"<START>\n", b""), "vocabulary must start with <PAD>"),
        (
            lambda file: file.replace(b"great", b"gr eat"),
            "without white space or NUL; got 'gr eat'",
        ),
        (lambda file: file + b"a\n", "must name each word once; got 'a'"),
        (lambda file: b"", "vocabulary must start with <PAD>"),
    ],
)
def test_spoilt_file_of_words(spoil, message):
    file = spoil(WordTokenizer(WORDS, 9, fold_case=True).words_bytes())
    with pytest.raises(ValueError, match=message):
        WordTokenizer.from_words_bytes(file, 9)


def test_spellings_of_a_letter_without_capitals():
    assert spellings("7", fold_case=True) == ["7"]
    assert spellings("it's", fold_case=False) == ["it's", "it\u2019s"]


@pytest.mark.parametrize(
    ("vocabulary", "length", "message"),
    [
        (["a"], 4, "vocabulary must start with <PAD>, <START>, <UNKNOWN>; got"),
        ([*SPECIAL, "a b"], 4, "without white space or NUL; got 'a b'"),
        ([*SPECIAL, ""], 4, "got ''"),
        ([*SPECIAL, b"a"], 4, "got b'a'"),
        ([*SPECIAL, "a", "a"], 4, "got 'a' more than once"),
        (SPECIAL, 0, "sequence_length must be an integer of at least 1; got 0"),
        (SPECIAL, 2.5, "sequence_length must be an integer of at least 1; got 2.5"),
    ],
)
def test_bad_arguments_are_named(vocabulary, length, message):
    with pytest.raises(ValueError, match=message):
        WordTokenizer(vocabulary, length)


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(ValueError, match="fold_case must be one of False, True; got 'no'"):
        WordTokenizer(SPECIAL, 4, fold_case="no")


@pytest.mark.parametrize("text", ["fine", b"fine"])
def test_one_text_is_not_read_as_its_characters(text):
    for read in (
        WordTokenizer(SPECIAL, 4).encode,
        WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], 4).encode,
        lambda texts: WordTokenizer.fit(texts, 10, 4),
    ):
        with pytest.raises(ValueError, match="texts must be a collection of texts; got one text, "):
            read(text)


def test_fit_refuses_a_vocabulary_without_room():
    with pytest.raises(ValueError, match="vocabulary_size must be at least 3 .* got 2"):
        WordTokenizer.fit(["a"], 2, 4)
