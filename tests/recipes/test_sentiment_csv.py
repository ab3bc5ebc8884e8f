"""A user's table of texts and labels: read, split, and trained on from a loaded model."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest

from gru_zoo.artifacts.card import Card
from gru_zoo.data import imdb
from gru_zoo.files import sha256, write_json
from gru_zoo.models.classifier import SequenceClassifier, load_classifier
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.text.wordpiece import WordPieceTokenizer
from gru_zoo.training.runs import RunFolder
from recipes import sentiment, sentiment_csv
from recipes.sentiment_flags import Train
from recipes.shared import sentiment_card
from tests.small_data.small_reviews import reviews
from tests.zoo.conftest import about

LABELS = ("negative", "positive")


def write(path, *lines):
    path.write_bytes("\n".join(lines).encode() + b"\n")
    return path


def test_rows_are_read_wherever_their_columns_are(tmp_path):
    path = write(
        tmp_path / "t.csv", "stars,mood,review", '1,negative,"dull,', 'and long"', "5,positive,fine"
    )
    found = sentiment_csv.read_csv(path, LABELS, "review", "mood")
    rows = dict(zip(found.texts.tolist(), found.labels.tolist(), strict=True))
    assert rows == {b"dull,\nand long": 0, b"fine": 1}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["review,label", "a,positive"], "line 1: must have one column 'text' .*'review', 'label'"),
        (["text,text,label", "a,b,positive"], "line 1: must have one column 'text'"),
        (["text,labels", "a,positive"], "one column 'label' .* Did you mean 'labels'"),
        (["text,label"], "must have rows below"),
        ([""], "line 1: must have one column 'text' .* it has none"),
        (["text,label", "a,positive", "b"], "line 3: must have 2 values, one per column; got 1"),
        (["text,label", "a,positive", '"b"x,negative'], "line 3: must be comma-separated values"),
        (["text,label", "a,positive", 'b,"negative', "c,positive"], "line 3: must be comma-"),
        (["text,label", "a,positive,c"], "line 2: must have 2 values, one per column; got 3"),
        (
            ["text,label", '"a', 'a",positive', "b,positiv"],
            "line 4: label must be one of .*'negative', 'positive'; got 'positiv'. Did you mean",
        ),
        (["text,label", "a,positive", "  ,negative"], "line 3: text must not be empty"),
        (["text,label", '"a,positive'], "must be comma-separated values"),
        (["text,label", "a,positive", "b,positive"], "at least two labels; all 2 texts are"),
    ],
)
def test_an_error_names_line_and_column(tmp_path, lines, message):
    path = write(tmp_path / "reviews.csv", *lines)
    with pytest.raises(ValueError, match=f"reviews.csv.*{message}"):
        sentiment_csv.read_csv(path, LABELS, "text", "label")


def test_a_text_may_be_long_and_other_readers_keep_their_limit(tmp_path):
    before = csv.field_size_limit()
    text = 30_000 * "long "
    write(tmp_path / "reviews.csv", "text,label", f"{text},positive", "short,negative")
    read = sentiment_csv.read_csv(tmp_path / "reviews.csv", LABELS, "text", "label")
    assert sorted(read.texts) == [text.encode(), b"short"]
    assert csv.field_size_limit() == before


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_bytes(b"text,label\n" + b"fine,positive\n" * 1000 + b"\xff\xfe,negative\n")
    with pytest.raises(ValueError, match="reviews.csv, line 1002: must be UTF-8"):
        sentiment_csv.read_csv(path, LABELS, "text", "label")


def test_texts_with_more_than_one_label_are_counted(tmp_path):
    rows = ["fine,positive", "fine,negative", "fine,positive", "dull,negative", "dull,negative"]
    path = write(tmp_path / "t.csv", "text,label", *rows)
    assert sentiment_csv.contradictions(sentiment_csv.read_csv(path, LABELS, "text", "label")) == 1


def test_parts_hold_every_row_once_and_equal_texts_together(tmp_path):
    rows = [f"text {i % 45},{LABELS[i % 2]}" for i in range(60)]
    path = write(tmp_path / "t.csv", "text,label", *rows)
    found = sentiment_csv.read_csv(path, LABELS, "text", "label")
    parts, source = sentiment_csv.parts_of(path, found, 0.2)
    assert sum(len(part.texts) for part in parts.values()) == 60
    sets = [set(part.texts.tolist()) for part in parts.values()]
    assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
    assert 8 <= len(parts["test"].texts) <= 12 and 8 <= len(parts["validation"].texts) <= 12
    assert source.sha256.keys() == {"t.csv"}
    with pytest.raises(ValueError, match="leaves none for test"):
        sentiment_csv.parts_of(path, found, 0.01)


def test_a_table_is_known_by_its_rows_however_it_is_saved(tmp_path):
    rows = [f'"text {i}\nof two lines",{LABELS[i % 2]}' for i in range(20)]
    path = write(tmp_path / "t.csv", "text,label", *rows)

    def record():
        found = sentiment_csv.read_csv(path, LABELS, "text", "label")
        return sentiment_csv.parts_of(path, found, 0.2)[1].as_dict()

    run = RunFolder(tmp_path / "run", {})
    run.pin_data(record())
    again = "\r\n".join(["label,text", *(",".join(reversed(row.split(","))) for row in rows[::-1])])
    path.write_bytes(b"\xef\xbb\xbf" + again.replace("\nof", "\r\nof").encode())
    run.pin_data(record())
    write(path, "text,label", *rows, "another,positive")
    with pytest.raises(ValueError, match="got other contents of t.csv"):
        run.pin_data(record())


def test_an_older_run_knows_its_table_by_the_files_bytes(tmp_path):
    rows = [f"text {i},{LABELS[i % 2]}" for i in range(20)]
    path = write(tmp_path / "t.csv", "text,label", *rows)
    found = sentiment_csv.read_csv(path, LABELS, "text", "label")
    source = sentiment_csv.parts_of(path, found, 0.2)[1]
    run = RunFolder(tmp_path / "run", {})
    assert sentiment_csv.as_kept(run, source, path) == source
    older = dataclasses.replace(source, sha256={"t.csv": sha256(path)})
    run.pin_data(older.as_dict())
    assert sentiment_csv.as_kept(run, source, path) == older
    write(path, "text,label", *rows, "another,positive")
    assert sentiment_csv.as_kept(run, source, path) == source


def test_a_table_that_is_called_like_imdb_claims_none_of_its_figures(start, tmp_path):
    rows = [f'"{text}",{LABELS[label]}' for text, label in reviews()]
    path = write(tmp_path / "imdb_reviews.csv", "text,label", *rows)
    found = sentiment_csv.read_csv(path, LABELS, "text", "label")
    source = sentiment_csv.parts_of(path, found, 0.2)[1]
    own = sentiment_card.card_fields(start, source.as_dict())
    assert own["dataset"] == "imdb_reviews.csv" and "published" not in own
    assert "IMDB" not in " ".join(own["limits"])
    imdbs = sentiment_card.card_fields(start, {"name": source.name, "origin": imdb.ORIGIN})
    assert imdbs["dataset"] == "stanfordnlp/imdb" and imdbs["published"]


@pytest.fixture
def start(tmp_path):
    """A model that knows the words of the reviews, and has learnt nothing."""
    import keras

    keras.utils.set_random_seed(3)
    tokenizer = WordTokenizer.fit([text for text, _ in reviews()], 80, 14, fold_case=True)
    model = SequenceClassifier(tokenizer, LABELS, embedding_dim=4, units=5, kernel="loop")
    model.save(tmp_path / "start.keras")
    return model


@pytest.mark.slow
def test_training_goes_on_from_a_loaded_model(start, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f'"{text}",{LABELS[label]}' for text, label in reviews()]
    write(tmp_path / "mine.csv", "text,label", *rows)
    arguments = "--from start.keras --csv mine.csv --name mine --no-export --epochs 4".split()
    status = sentiment.main(["train", *arguments, "--learning-rate", "0.03", "--patience", "4"])
    assert status == 0, capsys.readouterr().err
    run = tmp_path / "runs" / "sentiment" / "mine"
    tuned = load_classifier(run / "model.keras")
    assert tuned.tokenizer.vocabulary == start.tokenizer.vocabulary and tuned.units == 5
    assert not np.array_equal(tuned.head.kernel, start.head.kernel)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["metric"]["value"] > 0.9
    assert "test part of mine.csv" in metrics["scored_on"]
    before = (run / "metrics.json").read_text()
    assert sentiment.main(["evaluate", "--run", str(run)]) == 0
    assert (run / "metrics.json").read_text() == before
    capsys.readouterr()
    assert sentiment.main(["predict", "--run", str(run), reviews()[0][0]]) == 0
    assert capsys.readouterr().out.startswith(LABELS[reviews()[0][1]])
    # It goes on from that run's folder too, but not on another table under the same name.
    words = f"--from {run} --csv mine.csv --name more --no-export --epochs 1".split()
    assert sentiment.main(["train", *words]) == 0, capsys.readouterr().err
    write(tmp_path / "mine.csv", "text,label", *rows, "another,positive")
    assert sentiment.main(["evaluate", "--run", str(run)]) == 2
    assert "got other contents of mine.csv" in capsys.readouterr().err


def test_training_from_a_loaded_model_can_be_repeated(start, tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    loaded = []
    monkeypatch.setattr(sentiment, "_train", lambda config, run, model: loaded.append(model))
    rows = [f"text {number},{LABELS[number % 2]}" for number in range(40)]
    write(tmp_path / "mine.csv", "text,label", *rows)
    for state in range(2):
        keras.utils.set_random_seed(state)
        words = f"--from start.keras --csv mine.csv --no-export --seed 7 --name {state}".split()
        assert sentiment.main(["train", *words]) == 0
    one, other = (
        [np.array(v.numpy()) for v in model.variables if "seed_generator" in v.path]
        for model in loaded
    )
    assert len(one) == 3  # dropout's
    np.testing.assert_array_equal(one, other)


def test_what_cannot_be_exported_is_not_trained_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    taught = []
    monkeypatch.setattr(sentiment, "_train", lambda *given: taught.append(given))
    rows = [f"text {number},{LABELS[number % 2]}" for number in range(40)]
    write(tmp_path / "mine.csv", "text,label", *rows)
    words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "text"], 6)
    pieces = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "text"], 6)
    for tokenizer, cell, what in (
        (words, "lstm", "has cell 'lstm'"),
        (pieces, "gru", "uses WordPiece"),
    ):
        SequenceClassifier(tokenizer, LABELS, embedding_dim=4, units=5, cell=cell).save("it.keras")
        train = f"train --from it.keras --csv mine.csv --name {cell}".split()
        assert sentiment.main(train) == 2
        assert f"; it.keras {what}, which can be trained with --no" in capsys.readouterr().err
        assert not (tmp_path / "runs" / "sentiment" / cell).exists()
        assert sentiment.main([*train, "--no-export"]) == 0
    assert len(taught) == 2


@pytest.mark.slow
def test_a_table_may_be_smaller_than_a_batch(start, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f'"{text}",{LABELS[label]}' for text, label in reviews()[:12]]
    write(tmp_path / "mine.csv", "text,label", *rows)
    words = "--from start.keras --csv mine.csv --name mine --no-export --epochs 1".split()
    assert sentiment.main(["train", *words]) == 0, capsys.readouterr().err
    tuned = load_classifier(tmp_path / "runs" / "sentiment" / "mine" / "model.keras")
    assert not np.array_equal(tuned.head.kernel, start.head.kernel)


def test_equal_texts_are_counted_in_every_part_of_the_table(start, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sentiment, "_train", lambda *given: None)
    rows = [f"text {number},{label}" for number in range(20) for label in LABELS]
    path = write(tmp_path / "mine.csv", "text,label", *rows)
    words = f"--from start.keras --csv {path} --held-out 0.3 --name mine".split()
    assert sentiment.main(["train", *words]) == 0
    assert f"note: 20 texts of {path} occur with more than" in capsys.readouterr().out


def test_what_a_run_was_trained_on_is_no_test_of_what_goes_on_from_it(
    start, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sentiment, "_train", lambda *given: None)
    rows = [f"text {number},{LABELS[number % 2]},other {number}" for number in range(100)]
    write(tmp_path / "mine.csv", "text,label,other", *rows)
    write(
        tmp_path / "new.csv", "text,label", "one,positive", *[f"t{n},negative" for n in range(99)]
    )
    parts = sentiment_csv.read_csv(tmp_path / "mine.csv", LABELS, "text", "label")
    for name, before in (("first", "start.keras"), ("second", "runs/sentiment/first")):
        flags = dataclasses.asdict(Train(start=before, csv="mine.csv"))
        run = RunFolder(f"runs/sentiment/{name}", flags)
        run.pin_data(sentiment_csv.parts_of(tmp_path / "mine.csv", parts, 0.1)[1].as_dict())
        start.save(run.path / "model.keras")
    (run.path / "artifact").mkdir()
    start.save(run.path / "artifact" / "model.keras")
    said = "error: held_out must be 0.1, as in runs/sentiment/first, so that its training data from"

    def train(start, *words):
        return sentiment.main(["train", "--name", f"of{len(words)}", "--from", start, *words])

    shutil.copy("mine.csv", "copy.csv")
    files = ("runs/sentiment/first/model.keras", "runs/sentiment/second/artifact/model.keras")
    for place in ("runs/sentiment/first", *files):
        assert train(place, "--csv", "copy.csv", "--held-out", "0.3") == 2
        error = capsys.readouterr().err.replace("second", "first")
        assert f"{said} copy.csv is not tested on" in error
    words = ["--csv", "mine.csv", "--text-column", "other"]
    assert train("runs/sentiment/first", *words) == 2
    assert "text_column must be 'text', as in" in capsys.readouterr().err
    # One that has gone on with another table has learnt from the first one's all the same.
    write_json(run.path / "data.json", {**run.data(), "sha256": {"another.csv": "0"}})
    assert train("runs/sentiment/second", "--csv", "mine.csv", "--held-out", "0.3") == 2
    assert said in capsys.readouterr().err
    assert train("runs/sentiment/first", "--csv", "mine.csv") == 0
    assert "note" not in capsys.readouterr().out
    assert train("runs/sentiment/second", "--csv", "new.csv", "--held-out", "0.3") == 0
    said = "note: runs/sentiment/first was trained on another table with --held-out 0.1; rows of it"
    assert said in capsys.readouterr().out


def test_what_an_artifact_was_trained_on_is_no_test_either(tmp_path, monkeypatch):
    rows = [f"text {number},{LABELS[number % 2]}" for number in range(100)]
    path = write(tmp_path / "mine.csv", "text,label", *rows)
    table = sentiment_csv.read_csv(path, LABELS, "text", "label")
    _, source = sentiment_csv.parts_of(path, table, 0.1)
    split = {"text_column": "text", "label_column": "label", "held_out": 0.1}
    said = vars(about(name="mine", data=source.as_dict(), configuration=split))
    rest = {"exports": [], "versions": {}, "date": "2026-01-02", "files": {}}
    (tmp_path / "zoo" / "mine").mkdir(parents=True)
    Card(**said, model={"class": "SequenceClassifier", "parameters": 9}, **rest).write(
        tmp_path / "zoo" / "mine"
    )
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    for place in ("mine", f"{tmp_path}/zoo/mine", f"{tmp_path}/zoo/mine/model.keras"):
        flags = Train(start=place, csv=str(path), held_out=0.3)
        with pytest.raises(ValueError, match="held_out must be 0.1, as in .*mine, so that"):
            sentiment_csv.check_same_parts(flags, source, LABELS)
        sentiment_csv.check_same_parts(Train(start=place, csv=str(path)), source, LABELS)


def test_a_model_that_reads_backwards_is_refused_as_a_file_too(
    start, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    run = RunFolder("runs/semi_supervised/back", {"backward": True})
    run.pin_data({"sha256": {}})
    start.save(run.path / "model.keras")
    path = write(tmp_path / "mine.csv", "text,label", "fine,positive", "bad,negative")
    words = ["--from", f"{run.path}/model.keras", "--csv", str(path)]
    assert sentiment.main(["train", *words]) == 2
    assert "from must be a forward model" in capsys.readouterr().err


@pytest.mark.parametrize("older", [False, True])
def test_a_table_that_was_saved_again_is_the_same(start, tmp_path, monkeypatch, capsys, older):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sentiment, "_train", lambda *given: None)
    rows = [f"text {number},{LABELS[number % 2]}" for number in range(100)]
    path = write(tmp_path / "mine.csv", "text,label", *rows)
    found = sentiment_csv.read_csv(path, LABELS, "text", "label")
    record = sentiment_csv.parts_of(path, found, 0.1)[1].as_dict()
    if older:
        record["sha256"] = {"mine.csv": sha256(path)}
    else:
        path.write_bytes("\r\n".join(["review,label", *rows[::-1]]).encode("utf-8-sig"))
    run = RunFolder("runs/sentiment/first", dataclasses.asdict(Train(csv="mine.csv", start="it")))
    run.pin_data(record)
    start.save(run.path / "model.keras")
    words = f"--from {run.path} --csv mine.csv --name a --text-column".split()
    words.append("text" if older else "review")
    assert sentiment.main(["train", *words, "--held-out", "0.3"]) == 2
    assert "held_out must be 0.1, as in" in capsys.readouterr().err
    assert sentiment.main(["train", *words]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--csv mine.csv", "from and csv must be used together"),
        ("--from start.keras", "from and csv must be used together"),
        ("--from start.keras --csv none.csv", "csv must be a file; none.csv does not exist"),
        ("--from none.keras --csv mine.csv", "none.keras does not exist"),
        ("--from nothing --csv mine.csv", "from must be one of the zoo's models"),
        ("--held-out 0.3", "held_out must keep its default without --csv, which it is about"),
        ("--from start.keras --csv mine.csv --units 6", "units must keep its default with --from"),
        ("--from start.keras --csv mine.csv", "line 2: label must be one of the model's labels"),
        ("--cell lstm", "cell must be one of 'gru', 'keras_gru' to be exported; got 'lstm'"),
        ("--held-out 1.5", "held_out must be a number in"),
        ("--from start.keras --csv mine.csv --limit 5", "limit must keep its default with --csv"),
        ("--from pos_ewt_gru_small --csv mine.csv", "from must name a SequenceClassifier; pos_ewt"),
    ],
)
def test_what_cannot_be_is_said_before_a_run_is_made(
    start, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.csv", "text,label", "fine,good")
    assert sentiment.main(["train", *arguments.split()]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
