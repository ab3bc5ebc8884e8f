"""What a translator learns from: a corpus by its flags, and a table of the user's own."""

import csv
import json
import random
import re
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

from gru_zoo.data import multi30k, tatoeba  # noqa: E402
from gru_zoo.data.pairs import Pairs  # noqa: E402
from gru_zoo.data.source import Source  # noqa: E402
from gru_zoo.models.seq2seq import Seq2Seq  # noqa: E402
from gru_zoo.training.runs import RunFolder  # noqa: E402
from recipes import translation, translation_data  # noqa: E402
from recipes.shared import models  # noqa: E402
from recipes.shared.publishing import before  # noqa: E402
from recipes.translation_flags import Train, check, with_pair  # noqa: E402
from tests.small_data import small_captions, small_sentences  # noqa: E402

pytestmark = pytest.mark.usefixtures("loop_kernel")

SMALL = (
    "--vocabulary-size 80 --dim 8 --units 12 --heads 2 --epochs 1 --batch-size 4 --beams 2 "
    "--no-export"
).split()


def write(path, rows, header=("source", "target")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def rows_of(path):
    return [*csv.reader(path.read_text(encoding="utf-8").splitlines())][1:]


@pytest.fixture
def table(tmp_path):
    """French and English, 45 rows of 36 different sentences."""
    rows = [(french, english) for english, french in small_sentences.rows()]
    return write(tmp_path / "mine.csv", rows)


@pytest.fixture
def corpora(monkeypatch):
    """Both corpora; each gives its name back."""

    def sentences(split, pair):
        size = {"test": (2, "two")}
        return Pairs(["a", "b"], [split, pair]), Source("tatoeba_pairs", "0", "", "", size, {})

    monkeypatch.setattr(multi30k, "load", small_captions.load)
    monkeypatch.setattr(tatoeba, "load", sentences)


def test_a_corpus_and_its_usual_direction(corpora):
    assert with_pair(Train()).pair == "de-en"
    config = with_pair(Train(corpus="tatoeba"))
    assert config.pair == "fr-en"
    assert translation_data.load("test", config)[0].target == ["test", "fr-en"]
    assert translation_data.load("test", Train(pair="en-de", limit=3))[0] == Pairs(
        *(texts[:3] for texts in small_captions.pairs("test")[::-1])
    )
    chosen = with_pair(Train(corpus="tatoeba", pair="en-fr"))
    assert translation_data.load("train", chosen)[0].target == ["train", "en-fr"]


def test_a_table_is_split_whole_and_its_white_space_made_one(table):
    config = Train(csv=str(table), pair="fr-en", held_out=0.2)
    check(config)
    parts = {split: translation_data.load(split, config) for split in tatoeba.SPLITS}
    sizes = {split: len(pairs.source) for split, (pairs, _) in parts.items()}
    assert sizes["test"] == sizes["validation"] == 7
    assert 22 <= sizes["train"] <= 31
    everything = [text for pairs, _ in parts.values() for text in pairs.source]
    assert any(text.endswith(" !") for text in everything)
    assert not any("\u202f" in text for text in everything)
    record = parts["train"][1].as_dict()
    assert record["name"] == "mine.csv" and list(record["sha256"]) == ["mine.csv"]
    assert record["splits"]["test"]["size"] == 7


@pytest.fixture
def training(monkeypatch):
    """Let trainings leave this process' random state as a user's would be found."""
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)


def failure(arguments, capsys) -> str:
    assert translation.main(arguments) == 2
    return capsys.readouterr().err


def test_a_translator_of_a_table_is_trained_evaluated_and_trained_further(
    table, tmp_path, training, capsys
):
    runs = ["--runs", str(tmp_path / "runs"), "--csv", str(table)]
    arguments = ["train", *runs, "--pair", "fr-en", "--name", "mine", "--held-out", "0.2", *SMALL]
    assert translation.main(arguments) == 0, capsys.readouterr().err
    run = tmp_path / "runs" / "mine"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["scored_on"].startswith("7 sentences, fr-en: 7 sentences of mine.csv")
    assert len((run / "translations.txt").read_text().splitlines()) == 7
    assert translation.main(["predict", "Je vois l\u2019eau.", "--run", str(run)]) == 0
    further = ["train", "--from", str(run), *runs, "--batch-size", "4", "--epochs", "1"]
    further += ["--beams", "2", "--no-export", "--learning-rate", "1e-9", "--name", "further"]
    for flags, message in (
        (["--held-out", "0.3"], "held_out must be 0.2, as in .* is not tested on; got 0.3"),
        (["--pair", "en-fr"], "pair must be 'fr-en', as of .*; got 'en-fr'"),
        (["--units", "9"], "units must keep its default with --from"),
        (["--cell", "lstm"], "cell must keep its default with --from"),
    ):
        assert re.search(message, failure([*further, *flags], capsys))
    assert not (tmp_path / "runs" / "further").exists()
    assert translation.main([*further, "--held-out", "0.2"]) == 0, capsys.readouterr().err
    # At that rate what it began with is what it ends with.
    first, second = (
        models.of_run(RunFolder.open(tmp_path / "runs" / name), Seq2Seq)
        for name in ("mine", "further")
    )
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)
    commands = before(RunFolder.open(tmp_path / "runs" / "further"))
    assert len(commands) == 1 and "--name mine " in commands[0] and "--pair fr-en " in commands[0]
    (told,) = translation_data.learnt_before(str(run))
    assert "It is mine trained further, which has learnt from mine.csv own" in told
    # Its ancestors count too, whatever the order of the rows and the name of the table.
    turned = write(tmp_path / "turned.csv", rows_of(table)[::-1])
    again = ["train", "--from", str(tmp_path / "runs" / "further"), "--csv", str(turned)]
    assert "held_out must be 0.2" in failure([*again, "--held-out", "0.3"], capsys)


def test_a_table_that_has_changed_is_not_evaluated_on(table, tmp_path, training, capsys):
    arguments = ["train", "--csv", str(table), "--pair", "fr-en", "--name", "mine", *SMALL]
    assert translation.main([*arguments, "--runs", str(tmp_path / "runs")]) == 0
    rows = rows_of(table)
    write(table, [(source, f"{target} Yes.") for source, target in rows])
    evaluate = ["evaluate", "--run", str(tmp_path / "runs" / "mine")]
    assert "mine.csv" in failure(evaluate, capsys)


@pytest.mark.slow
def test_what_a_model_began_with_stays_as_it_was(table, tmp_path, training, capsys):
    runs = ["--runs", str(tmp_path / "runs"), "--csv", str(table), "--held-out", "0.2"]
    base = tmp_path / "runs" / "base"
    for seed, name in ((0, "base"), (1, "other")):
        begin = ["train", *runs, "--pair", "fr-en", "--name", name, "--seed", str(seed), *SMALL]
        assert translation.main(begin) == 0, capsys.readouterr().err
    further = ["train", "--from", str(base), *runs, "--batch-size", "4", "--epochs", "1"]
    further += ["--beams", "2", "--no-export", "--name", "further"]
    assert translation.main(further) == 0, capsys.readouterr().err
    shutil.copy(base.with_name("other") / "model.keras", base / "model.keras")
    message = failure([*further, "--resume"], capsys)
    assert "must be what the run in" in message and "another model.keras" in message


def test_a_preset_of_the_same_table_counts_as_a_run_does(table, monkeypatch, capsys):
    config = Train(csv=str(table), pair="fr-en", start="mine_own", held_out=0.3)
    _, source = translation_data.load("train", config)
    about = SimpleNamespace(configuration={"held_out": 0.1}, data=source.as_dict())
    monkeypatch.setattr("gru_zoo.zoo.list_models", lambda: ["mine_own"])
    monkeypatch.setattr("gru_zoo.zoo.card", lambda name: about)
    with pytest.raises(ValueError, match="held_out must be 0.1, as in mine_own, so that"):
        translation_data.require_same_parts(config, source)
    about.data["sha256"] = {"another.csv": "9f"}
    translation_data.require_same_parts(config, source)
    assert (
        "note: mine_own was trained on another table with --held-out 0.1" in capsys.readouterr().out
    )


def test_the_same_rows_in_another_order_are_the_same_splits(table, tmp_path):
    rows = rows_of(table)
    draw = random.Random(3)
    config = Train(csv=str(table), pair="fr-en", held_out=0.2)
    for _ in range(5):
        draw.shuffle(rows)
        other = Train(csv=str(write(tmp_path / "mine.csv", rows)), pair="fr-en", held_out=0.2)
        for split in tatoeba.SPLITS:
            (pairs, source), (again, same) = (
                translation_data.load(split, one) for one in (config, other)
            )
            assert again == pairs and same.sha256 == source.sha256


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "must have rows below its header; it has none"),
        ([("Oui.", "Yes."), ("Non.", " ")], "line 3: target must not be empty; it is"),
        ([("Oui.",)], "line 2: must have 2 values, one per column; got 1"),
        ([("Oui.", "Yes.")] * 30, "held_out must leave .*0.1 of the 1 different .* the others"),
    ],
)
def test_bad_tables(rows, message, tmp_path):
    config = Train(csv=str(write(tmp_path / "bad.csv", rows)), pair="fr-en")
    with pytest.raises(ValueError, match=message):
        translation_data.load("train", config)


def test_a_half_for_the_test_leaves_nothing_to_train_on(table):
    with pytest.raises(ValueError, match="0.5 of the 36 different .* leaves none for training"):
        translation_data.load("train", Train(csv=str(table), pair="fr-en", held_out=0.5))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("9 " * 100, "9"), "source, numbered by line: texts must have at most 95 .* 21 has"),
        (("9", "9 " * 100), "target, numbered by line: texts must have at most 95 .* 21 has"),
    ],
)
def test_a_sentence_that_is_too_long_is_said_before_training(
    tmp_path, training, capsys, row, message
):
    rows = [(f"{i} " * 4, f"{i} " * 4) for i in range(30)]
    path = write(tmp_path / "long.csv", [*rows[:19], row, *rows[19:]])
    arguments = ["train", "--csv", str(path), "--pair", "fr-en", "--runs", str(tmp_path / "runs")]
    assert re.search(message, failure([*arguments, *SMALL], capsys))
    assert not list((tmp_path / "runs").iterdir())


def test_another_cell_is_not_trained_before_it_cannot_be_exported(
    table, tmp_path, training, capsys
):
    runs = ["--runs", str(tmp_path / "runs"), "--csv", str(table)]
    begin = ["train", *runs, "--pair", "fr-en", "--name", "lstm", "--cell", "lstm", *SMALL]
    assert translation.main(begin) == 0, capsys.readouterr().err
    message = failure(["train", *runs, "--from", str(tmp_path / "runs" / "lstm")], capsys)
    assert "from must name a model with cell 'gru' to be exported; " in message
    assert "has 'lstm', which can be trained with --no-export" in message


def test_what_cannot_be_trained_further_is_named(table, tmp_path, capsys):
    unfinished = tmp_path / "runs" / "unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "config.json").write_text(json.dumps({"pair": "fr-en"}))
    for start, message in (
        ("sentiment_imdb_gru_small", "from must name a translator, a preset or a run; sentiment"),
        (str(tmp_path / "nowhere"), "from must be a folder with a config.json, or one of"),
        (str(unfinished), "from must be finished; .* has no model.keras"),
    ):
        arguments = ["train", "--csv", str(table), "--from", start]
        assert re.search(message, failure(arguments, capsys))
    assert "from must be used with --csv" in failure(
        ["train", "--from", "translation_multi30k_de_en_gru_small"], capsys
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"corpus": "tatoeba", "pair": "de-en"}, "pair must be one of 'en-fr', 'fr-en'; got 'de"),
        ({"pair": "de-es"}, "pair must be one of 'de-en', 'de-fr'"),
        ({"held_out": 0.2}, "held_out must keep its default without --csv"),
        ({"csv": "a.csv"}, "pair must be the two languages of --csv, .* such as fr-en; got ''"),
        ({"csv": "a.csv", "pair": "French"}, "pair must be the two languages of --csv"),
        ({"csv": "a.csv", "pair": "fr-fr"}, "pair must be the two languages of --csv"),
        ({"csv": "a.csv", "pair": "fr-en", "limit": 3}, "limit must keep its default with --csv"),
        (
            {"csv": "a.csv", "pair": "fr-en", "corpus": "tatoeba"},
            "corpus must keep its default with --csv",
        ),
        (
            {"csv": "a.csv", "pair": "fr-en", "target_column": "source"},
            "source_column and target_column must be two columns; both are 'source'",
        ),
        ({"csv": "a.csv", "pair": "fr-en", "held_out": 0.0}, "held_out must be above 0; got 0"),
    ],
)
def test_flags_that_do_not_go_together(flags, message):
    with pytest.raises(ValueError, match=message):
        check(with_pair(Train(**flags)))
