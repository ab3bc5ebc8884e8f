"""Texts of a file or of standard input, one a line."""

import io
import sys

import pytest

from recipes import pos_tagging, sentiment, translation
from recipes.shared.lines import read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\ntwo", ["one", "", "two"]),
        (b"\xef\xbb\xbfone\n", ["one"]),
        ("a\u2028b\x0cc\x85d\x1ce\n".encode(), ["a\u2028b\x0cc\x85d\x1ce"]),
        (b"\n", [""]),
        (b"", []),
    ],
)
def test_a_line_ends_where_it_ends(tmp_path, monkeypatch, content, lines):
    (tmp_path / "texts.txt").write_bytes(content)
    assert read_lines(tmp_path / "texts.txt") == lines
    with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read_lines(None) == lines


def test_bytes_that_are_no_text_are_replaced_or_named(tmp_path, monkeypatch):
    content = b"fine\nbad \xff\n"
    (tmp_path / "texts.txt").write_bytes(content)
    assert read_lines(tmp_path / "texts.txt") == ["fine", "bad \ufffd"]
    with pytest.raises(ValueError, match=r"texts.txt, line 2: must be UTF-8 text"):
        read_lines(tmp_path / "texts.txt", strict=True)
    with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read_lines(None) == ["fine", "bad \ufffd"]


@pytest.mark.parametrize(
    ("recipe", "flags"), [(sentiment, ["--json"]), (pos_tagging, []), (translation, [])]
)
def test_what_comes_out_goes_line_by_line_with_what_went_in(recipe, flags, monkeypatch, capsys):
    if recipe is translation:
        pytest.importorskip("tokenizers")
    monkeypatch.setattr(sys, "stdin", io.StringIO("ein Hund\n\neine Katze\n"))
    assert recipe.main(["predict", *flags]) == 0
    printed = capsys.readouterr().out.split("\n")
    assert len(printed) == 4 and printed[0] and printed[2] and not printed[3]
    # A classifier says something of an empty text too; the others have nothing to say.
    assert bool(printed[1]) == (recipe is sentiment)


def test_a_text_of_two_lines_is_one_line_of_results(capsys):
    assert sentiment.main(["predict", "a fine\nfilm"]) == 0
    assert capsys.readouterr().out.endswith("a fine film\n")


@pytest.mark.parametrize(
    ("recipe", "preset", "kind"),
    [
        (sentiment, "pos_ewt_gru_small", "SequenceClassifier"),
        (pos_tagging, "sentiment_imdb_gru_small", "Tagger"),
        (translation, "pos_ewt_gru_small", "Seq2Seq"),
    ],
)
def test_a_preset_of_another_task_is_refused(recipe, preset, kind, capsys):
    if recipe is translation:
        pytest.importorskip("tokenizers")
    assert recipe.main(["predict", "--model", preset, "a text"]) == 2
    assert f"model must name a {kind}; {preset} is a " in capsys.readouterr().err
