"""A user's own table of signals: read with care, its people kept apart, and learnt from."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from recipes import activity_recognition
from recipes.activity_recognition_data import dataset, read_recording
from recipes.activity_recognition_flags import Train
from tests.small_data import small_watch

CHANNELS = ("x", "y", "z")
HEADER = "person,label,x,y,z"


def table(path, rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def flags(csv, **others):
    return Train(csv=csv, channels=CHANNELS, **others)


def test_columns_may_come_in_any_order_with_others_between(tmp_path):
    path = tmp_path / "watch.csv"
    path.write_bytes(b"\xef\xbb\xbfwz,note,ax\r\n1,far,-2.5e1\r\n\r\n3,,4\r\n")
    read = read_recording(path, ["ax", "wz"])
    assert read.dtype == np.float32 and read.tolist() == [[-25.0, 1.0], [4.0, 3.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: must have one column 'x'; it has none"),
        ("x,z\n1,2\n", "line 1: must have one column 'y'; it has 'x', 'z'"),
        ("x,y,x\n1,2,3\n", "line 1: must have one column 'x'; it has 'x', 'y', 'x'"),
        ("x,y\n", "must have rows below its header; it has none"),
        ("x,y\n1,2\n3\n", "line 3: must have 2 values, one per column; got 1"),
        ("x,y\n1,two\n", "line 2: y must be a number of at most 3.4e+38; got 'two'"),
        ("x,y\n1,2\nnan,2\n", "line 3: x must be a number of at most 3.4e+38; got 'nan'"),
        ("x,y\n1,\n", "line 2: y must be a number of at most 3.4e+38; got ''"),
        ("x,y\n1,-1e39\n", "line 2: y must be a number of at most 3.4e+38; got '-1e39'"),
    ],
)
def test_a_bad_recording_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="bad.csv") as error:
        read_recording(path, ["x", "y"])
    assert message in str(error.value)


def test_a_recording_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"recording must be a file; .*none.csv does not"):
        read_recording(tmp_path / "none.csv", ["x"])


def test_rows_of_one_person_and_label_are_one_recording(tmp_path):
    rows = [
        *("b,walk,1,2,3", "b,walk,4,5,6", "b,rest,7,8,9", "b,walk,10,11,12"),
        *("a,walk,13,14,15", "a,walk,16,17,18", "c,rest,19,20,21"),
    ]
    data = dataset(flags(table(tmp_path / "mine.csv", rows)))
    assert data.labels == ("rest", "walk") and data.folds == 3 and data.angular == ()
    # In order of their names: fold 0 tests a, validates on b, and learns from c.
    parts = {split: data.load(split, 0) for split in ("train", "validation", "test")}
    assert [parts[split].people for split in parts] == [("c",), ("b",), ("a",)]
    assert [signal.tolist() for signal in parts["test"].signals] == [[[13, 14, 15], [16, 17, 18]]]
    assert parts["validation"].labels == [1, 0, 1] and parts["train"].labels == [0]
    assert len(parts["validation"].signals[0]) == 2
    source = parts["test"].source
    assert source.splits["validation"] == (3, "3 recordings of b (fold 0)")
    assert list(source.sha256) == ["mine.csv"] and source.name == "mine.csv"
    assert data.load("test", 1).people == ("b",)


def test_a_new_recording_may_be_told_by_a_column(tmp_path):
    rows = [f"{who},{what},{take},1,2,3" for who in "abc" for what in "rw" for take in (1, 1, 2)]
    given = table(tmp_path / "takes.csv", rows, "person,label,take,x,y,z")
    assert len(dataset(flags(given)).load("test", 0).signals) == 2
    by_take = dataset(flags(given, recording_column="take")).load("test", 0)
    assert [len(signal) for signal in by_take.signals] == [2, 1, 2, 1]
    # One change of everything at once is one border.
    assert by_take.labels == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,walk,1,2,3", "b,walk,1,2,3"], "at least two labels; it has 'walk' alone"),
        (["a,walk,1,2,3", "b,rest,1,2,3"], "at least three people, .* it is of 'a', 'b'"),
        ([], "must have rows below its header"),
        (["a,walk,1,2,inf"], "line 2: z must be a number of at most .*; got 'inf'"),
        (["a,walk,1,2,3", " ,walk,1,2,3"], "line 3: person must not be empty"),
        (["a,,1,2,3"], "line 2: label must not be empty"),
        (["a,walk,1,2"], "line 2: must have 5 values"),
        (['a,"walk\nfast",1,2,3'], "line 2: label must be one line; got 'walk.nfast'"),
        (["a,walk,1,2,3", "b,rest,1,2,3", "c,rest,1,2,4"], "sequence_length must be at most 1,"),
    ],
)
def test_a_bad_table_leaves_no_run(tmp_path, capsys, rows, message):
    given = table(tmp_path / "bad.csv", rows)
    words = ["train", "--csv", given, "--channels", *CHANNELS, "--name", "bad"]
    assert activity_recognition.main([*words, "--runs", str(tmp_path / "runs")]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "runs" / "bad").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv", "none.csv"], "csv must be a file; none.csv does not exist"),
        (["--rate", "20"], "rate must keep its default without --csv"),
        (["--person-column", "who"], "person_column must keep its default without --csv"),
        (["--csv", "a.csv", "--rate", "0"], "rate must be a number above 0; got 0.0"),
        (["--csv", "a.csv", "--channels", "x", "x"], "a column of its own for each use; 'x' has"),
        (["--csv", "a.csv", "--label-column", "person"], "each use; 'person' has two"),
        (["--csv", "a.csv", "--channels", "x", "--angular", "y"], "some of the channels; got 'y'"),
    ],
)
def test_flags_of_a_table_are_checked_first(tmp_path, capsys, words, message):
    runs = tmp_path / "runs"
    assert activity_recognition.main(["train", "--runs", str(runs), "--name", "bad", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (runs / "bad").exists()


def test_a_fold_that_few_people_do_not_have_is_named(tmp_path):
    given = table(tmp_path / "few.csv", [f"{who},{what},1,2,3" for who in "abc" for what in "rw"])
    with pytest.raises(ValueError, match=r"fold must be one of .*2.*; got 3"):
        dataset(flags(given, fold=3))


def enough(path, label=lambda who, what: what, change=lambda row, z: z, of="abc"):
    """A table of recordings of five samples."""
    rows = [
        f"{who},{label(who, what)},{n},{n * n},{change(n, n % 2)}"
        for who in of
        for what in ("rest", "walk")
        for n in range(5)
    ]
    return table(path, rows)


def refused(given, capsys, tmp_path, *flags):
    words = ["train", "--csv", given, "--channels", *CHANNELS, "--name", "bad", *flags]
    words += ["--sequence-length", "5", "--batch-size", "2", "--runs", str(tmp_path / "runs")]
    assert activity_recognition.main(words) == 2
    assert not (tmp_path / "runs" / "bad").exists()
    return capsys.readouterr().err


def test_splits_that_nothing_can_be_learnt_from(tmp_path, capsys):
    alone = enough(tmp_path / "alone.csv", lambda who, what: "run" if who == "a" else what)
    message = "every label of someone to learn from; 'run' is not done by c, who are left in fold 0"
    assert message in refused(alone, capsys, tmp_path)
    constant = enough(tmp_path / "constant.csv", change=lambda n, z: 7)
    assert "channels must change; z is the same in every" in refused(constant, capsys, tmp_path)
    rows = Path(enough(tmp_path / "more.csv")).read_text().splitlines()[1:]
    short = table(tmp_path / "short.csv", ["0,rest,1,2,3", "0,walk,1,2,3", *rows])
    message = "sequence_length must be at most 1, the samples of the longest recording of the test"
    assert message in refused(short, capsys, tmp_path)


def test_a_space_too_many_makes_nobody_another_person(tmp_path):
    spaced = enough(tmp_path / "spaced.csv", lambda who, what: f" {what}", of=("a", "b", "c", "a "))
    data = dataset(flags(spaced))
    assert data.labels == ("rest", "walk")
    assert {name for fold in range(3) for name in data.load("test", fold).people} == {*"abc"}


def test_which_channels_turn_is_told_by_their_names(tmp_path):
    given = table(tmp_path / "w.csv", [f"{w},{d},1,2,3" for w in "abc" for d in "rw"])
    assert dataset(flags(given, angular=("y", "z"))).angular == (1, 2)
    renamed = table(
        tmp_path / "watch.csv",
        [f"{w},{d},1,2,3" for w in "abc" for d in "rw"],
        "person,label,wx,wy,wz",
    )
    assert dataset(Train(csv=renamed, channels=("wx", "wy", "wz"))).angular == (0, 1, 2)


@pytest.mark.slow
def test_a_table_is_learnt_and_recognized(tmp_path, capsys, loop_kernel):
    """Four people of the small recordings, three channels of them, at another rate."""
    rows, names = [], ("swing", "lift")
    for each in small_watch.every():
        if each.subject <= 4 and each.exercise < 2:
            who, what = f"person {each.subject}", names[each.exercise]
            rows += [",".join([who, what, *map(str, sample[:3])]) for sample in each.signal]
    words = ["--channels", *CHANNELS, "--rate", "25", "--runs", str(tmp_path / "runs")]
    given = table(tmp_path / "mine.csv", rows)
    small = "--units 16 --epochs 25 --batch-size 4 --learning-rate 0.02 --sequence-length 20"
    words = ["train", "--csv", given, *words, "--name", "mine", *small.split()]
    assert activity_recognition.main(words) == 0
    run = tmp_path / "runs" / "mine"
    card = json.loads((run / "artifact" / "card.json").read_text())
    assert card["configuration"]["labels"] == ["lift", "swing"]
    assert card["configuration"]["channels"] == [*CHANNELS] and card["dataset"] == "mine.csv"
    assert "0.8 s, subjects person 1, never trained on" in card["scored_on"]
    assert card["published"] == [] and "shoulder" not in json.dumps(card)
    one = next(e for e in small_watch.every() if e.subject == 1 and e.exercise == 1)
    text = [",".join(map(str, sample[:3])) for sample in one.signal]
    alone = table(tmp_path / "one.csv", text, "x,y,z")
    capsys.readouterr()
    assert activity_recognition.main(["predict", alone, "--run", str(run), "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[-1]["label"] == "lift" and found[-1]["end"] == len(text) / 25
