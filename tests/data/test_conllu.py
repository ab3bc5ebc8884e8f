import pytest

from gru_zoo.data.conllu import read_sentences
from gru_zoo.data.universal_dependencies import Sentence

CONLLU = """# sent_id = one
# text = I don't
1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_

# sent_id = two
1\tStop\tstop\tVERB\tVB\t_\t0\troot\t_\t_

"""
ONE = Sentence(("I", "do", "n't"), ("PRON", "AUX", "PART"))
TWO = Sentence(("Stop",), ("VERB",))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "words.conllu"


def test_ranges_empty_nodes_and_comments_are_no_words(path):
    path.write_text("\n" + CONLLU)
    assert read_sentences(path) == [ONE, TWO]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_words_and_tags_by_tabs(path, end, last):
    text = "#\tSYM\nde facto\tADV\n\n\n\nStop\tVERB" + last
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", end).encode())
    assert read_sentences(path) == [Sentence(("#", "de facto"), ("SYM", "ADV")), TWO]


def test_what_begins_like_a_comment(path):
    path.write_text("#hash\nworks\n")
    words = [sentence.words for sentence in read_sentences(path, tagged=False)]
    assert words == [("#hash", "works")]
    path.write_text(CONLLU.replace("# sent_id = one", "# a\tcomment"))
    assert read_sentences(path) == [ONE, TWO]


def test_every_sentence_of_words_alone_may_have_a_comment(path):
    path.write_text("# text = Stop now\nStop\nnow\n\n# text = Go\n# a name\nGo\n#\n")
    words = [sentence.words for sentence in read_sentences(path, tagged=False)]
    assert words == [("Stop", "now"), ("Go", "#")]


def test_words_alone(path):
    path.write_text("Stop\nthat\n")
    assert read_sentences(path, tagged=False) == [Sentence(("Stop", "that"), ("_", "_"))]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2\tdo\tdo", "2 do\tdo", "line 5: a line must have 10 columns, divided by tabs; got 9"),
        ("3\tn't", "4\tn't", "line 6: the first column must be 3; got '4'"),
        ("1\tStop", "x\tStop", "line 10: the first column must be 1; got 'x'"),
        ("\tdo\t", "\t\t", "line 5: the word must not be empty"),
        ("PART", "_", "line 6: the word \"n't\" must have a tag; got '_'"),
        ("PART", "", "line 6: the word \"n't\" must have a tag; got ''"),
        ("Stop", "St\udcffop", "line 10: a line must be UTF-8; invalid start byte at byte 5"),
    ],
)
def test_a_broken_line_is_named(path, old, new, message):
    assert old in CONLLU
    path.write_bytes(CONLLU.replace(old, new, 1).encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=message):
        read_sentences(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\tc\n", r"line 1: a line must have 10 \(CoNLL-U\), 2 or 1 columns, .*; got 3"),
        ("a\tX\n\nb\n", "line 3: a line must have 2 columns, divided by tabs; got 1"),
        ("a\n", "line 1: the word 'a' must have a tag; got '_'"),
        ("a\tX\n\n# nothing\n\n", "line 3: a line must have 2 columns, .*; got 1"),
        ("# nothing\n\n", "must hold a sentence; it holds none"),
        ("", "must hold a sentence; it holds none"),
    ],
)
def test_a_file_that_is_none(path, text, message):
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sentences(path)


def test_a_missing_file(path):
    with pytest.raises(FileNotFoundError, match="file must exist; got '.*words.conllu'"):
        read_sentences(path)


def test_a_comment_does_not_stand_inside_of_a_sentence(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("a\tX\n# nothing\nb\tY\n")
    with pytest.raises(ValueError, match="line 2: a line must have 2 columns.*; got 1"):
        read_sentences(path)
    path.write_text("No\n# 1\n")
    assert [s.words for s in read_sentences(path, tagged=False)] == [("No", "# 1")]
