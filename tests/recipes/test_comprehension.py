"""The recipe in smoke size, on stories written for the tests."""

import io
import json
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.data import babi, squad
from gru_zoo.data.source import Source
from gru_zoo.layers import kernels
from gru_zoo.text.spans import SpanText
from gru_zoo.text.stories import StoryText
from gru_zoo.text.word_features import WordFeatures
from gru_zoo.training.runs import RunFolder
from recipes import comprehension
from tests.recipes.running import evaluated_with_a_worse_epoch
from tests.small_data import small_babi

SMALL = (
    "--embedding-dim 6 --units 12 --hops 2 --epochs 12 --patience 12 --batch-size 16 "
    "--learning-rate 0.02 --dropout 0.0"
).split()
SQUAD = ["train", "--dataset", "squad"]
STORY = "Anna went to the garden. Bert went to the office."


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, made in this process."""
    # At this size a loop is sooner done than compiled.
    with pytest.MonkeyPatch.context() as patch, kernels.forced("loop"):
        patch.setattr(babi, "load", small_babi.load)
        # What it does beyond seeding is for good.
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        runs = tmp_path_factory.mktemp("runs")
        arguments = ["train", "--name", "small", "--runs", str(runs), *SMALL]
        assert comprehension.main(arguments) == 0
    return runs / "small"


def asked(capsys, *arguments):
    assert comprehension.main(["predict", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_it_learns_and_leaves_its_files(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "accuracy" and metrics["metric"]["value"] > 0.9
    tasks = json.loads((trained / "tasks.json").read_text())
    shares = [task["accuracy"] for task in tasks.values()]
    assert list(tasks) == ["qa1", "qa2"]
    assert np.mean(shares) == pytest.approx(metrics["metric"]["value"])
    assert metrics["tasks_failed"] == sum(share < 0.95 for share in shares)
    assert (trained / "attention.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_evaluating_again_gives_the_same(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(babi, "load", small_babi.load)

    def evaluate(run):
        assert comprehension.main(["evaluate", "--run", str(run)]) == 0

    worse = {"val_accuracy": 0.0, "cpu_seconds": 0.0}
    evaluated_with_a_worse_epoch(trained, tmp_path / "run", evaluate, worse)


@pytest.mark.slow
def test_raw_text_is_answered(trained, capsys, monkeypatch):
    run = ("--run", str(trained))
    out = asked(capsys, STORY, "--question", "Where is Anna?", *run)
    assert out.startswith("garden\t")
    assert asked(capsys, f"{STORY} Where is Anna?", *run) == out
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{STORY}\nWhere is Anna?\n"))
    assert asked(capsys, *run) == out
    found = json.loads(asked(capsys, f"{STORY} Where is Anna?", "--json", *run))
    first, second = found["sentences"]
    assert first["sentence"] == "Anna went to the garden."
    assert max(first["gates"]) > 0.5 > max(second["gates"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([STORY], "question must be given by --question, or end the story"),
        (["", "--question", "Where is Anna?"], "story must have a sentence; got ''"),
        (["...", "--question", "Where is Anna?"], "story must have a sentence; got '...'"),
        (["Where is Anna?"], "story must have a sentence"),
        ([STORY, "--question", "Where is Ana?"], "Did you mean 'anna'"),
        (["Ωμέγα.", "--question", "Where is Anna?"], "story must consist of the "),
        ([f"{STORY} " * 120, "--question", "Where is Anna?"], "at most 232 sentences; got 240"),
    ],
)
def test_bad_questions(trained, arguments, message, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert comprehension.main(["predict", *arguments, "--run", str(trained)]) == 2
    assert message in capsys.readouterr().err


def test_a_byte_order_mark_on_standard_input_is_no_word(monkeypatch, capsys):
    story = f"{STORY}\r\nWhere is Anna?\n"
    stdin = io.TextIOWrapper(io.BytesIO(story.encode("utf-8-sig")), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("recipes.shared.models.of_zoo", lambda *given: None)
    told = []

    def answer(model, text, question):
        told.append(text)
        return {"answer": "garden", "score": 1.0}

    monkeypatch.setattr("recipes.comprehension_babi.answer", answer)
    assert asked(capsys) == "garden\t1.0000\n"
    assert told == [f"{STORY}\nWhere is Anna?"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--units", "0"], "units must be an integer of at least 1; got 0"),
        (["train", "--hard", "16", "21"], "hard must be one of"),
        ([*SQUAD, "--hops", "2"], "hops must keep its default with --dataset squad, .*; got 2"),
        ([*SQUAD, "--repeat", "1"], "repeat must keep its default with --dataset squad"),
        ([*SQUAD, "--hard", "3"], r"hard must keep its default .*; got \(3,\)"),
        ([*SQUAD, "--supports", "0"], "supports must keep its default .*; got 0.0"),
        (["evaluate", "--run", "nowhere"], "run must be a folder with a config.json"),
        (["export", "--run", "nowhere"], "run must be a folder with a config.json"),
    ],
)
def test_bad_flags(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert comprehension.main(arguments) == 2
    assert re.match(f"error: {message}", capsys.readouterr().err)
    assert not (tmp_path / "runs").exists()


def test_parameters_choose_units():
    from recipes import comprehension_babi

    training, _ = small_babi.load("train")
    config = comprehension.Train(parameters=60_000, cell="lstm", hops=2)
    model = comprehension_babi.make_model(config, training)
    assert abs(model.count_params() - 60_000) <= 1200 and model.cell == "lstm"


def test_a_smoke_test_knows_the_words_of_the_whole_training_split(tmp_path, monkeypatch):
    from recipes import comprehension_babi

    monkeypatch.setattr(babi, "load", small_babi.load)
    taught = []
    monkeypatch.setattr("gru_zoo.training.fitting.fit", lambda model, **given: taught.append(given))
    config = comprehension.Train(limit=1, units=5, embedding_dim=4, batch_size=2)
    model = comprehension_babi.train(config, RunFolder(tmp_path / "few", {"seed": 0}))
    # One question a task has fewer answers, and validation's stories have other words.
    assert list(model.answers) == sorted(small_babi.PLACES)
    assert {name.lower() for name in small_babi.PEOPLE} <= set(model.text.words)
    assert taught[0]["steps_per_epoch"] == 1


def test_an_answer_is_taught_from_its_first_word_to_its_last():
    from recipes import comprehension_squad

    context = "Eva saw the old red bridge."
    asked = [
        squad.Question("Eva", context, "saw what?", ("the old red bridge", "bridge"), (8, 20)),
        squad.Question("Eva", context, "who?", ("Eva",), (0,)),
    ]
    reader = types.SimpleNamespace(text=SpanText(WordFeatures.fit([("Eva", "saw")]), 9, 5))
    batches = comprehension_squad._Batches(reader, asked, comprehension.Train(batch_size=1))
    taught = {(int(targets["start"][0]), int(targets["end"][0])) for _, targets in batches.epoch(0)}
    assert taught == {(2, 5), (0, 0)}


@pytest.mark.parametrize("long", ["train", "validation", "test"])
def test_what_no_reader_of_spans_takes_is_said_before_training(long, tmp_path, monkeypatch, capsys):
    from recipes import comprehension_squad

    def load(split):
        sizes = (3, 3, 801) if split == long else (3, 3)
        asked = [squad.Question("Ann", "a " * size, "who?", ("a",), (0,)) for size in sizes]
        return asked, Source("small", "1", "here", "none", {split: (3, "some")}, {})

    monkeypatch.setattr(squad, "load", load)
    taught = []
    monkeypatch.setattr("gru_zoo.training.fitting.fit", lambda model, **given: taught.append(given))
    config = comprehension.Train(dataset="squad", units=3, embedding_dim=2, batch_size=1)
    run = RunFolder(tmp_path / "run", {"seed": 0})
    if long == "train":
        comprehension_squad.train(config, run)
        assert "note: 1 of 3 training questions are dropped" in capsys.readouterr().out
        assert taught[0]["steps_per_epoch"] == 2
        return
    said = f"{long} split: paragraph must have 1 to 800 words; 'a a .* of 'Ann' has 801"
    with pytest.raises(ValueError, match=said):
        comprehension_squad.train(config, run)
    assert not taught


def test_a_run_that_goes_on_has_the_batches_of_its_epoch():
    from recipes import comprehension_babi, comprehension_squad

    questions, config = small_babi.load("train")[0][:20], comprehension.Train(batch_size=4)
    sentences = [text for question in questions for text in (*question.story, question.question)]
    text = StoryText.fit(sentences, comprehension_babi.LENGTHS[-1])
    reader = types.SimpleNamespace(text=text, answers=small_babi.PLACES, hops=2)
    babi_batches = comprehension_babi._Batches(reader, questions, config)
    asked = [squad.Question("Ann", f"{n} a b", "who?", ("a",), (2,)) for n in range(8)]
    words = [(str(n), "a", "b", "who", "?") for n in range(8)]
    reader = types.SimpleNamespace(text=SpanText(WordFeatures.fit(words + words), 800, 60))
    squad_batches = comprehension_squad._Batches(reader, asked, config)
    for batches in (babi_batches, squad_batches):
        third = tf.nest.flatten(list(batches.dataset(2, 3).as_numpy_iterator()))
        wanted, other = (tf.nest.flatten(list(batches.epoch(epoch))) for epoch in (2, 0))
        for given, array in zip(third, wanted, strict=True):
            np.testing.assert_array_equal(given, array)
        assert any(not np.array_equal(a, b) for a, b in zip(third, other, strict=True))
        both = batches.dataset(1, 3).as_numpy_iterator()
        assert len(list(both)) == 2 * len(batches)


def test_each_hop_is_asked_for_the_next_step_of_the_reasoning():
    from recipes import comprehension_babi

    training, _ = small_babi.load("train")
    model = comprehension_babi.make_model(comprehension.Train(hops=2, units=5), training)
    story = tuple(f"It rained {n} times." for n in "1234")
    questions = [
        babi.Question(1, story, "Why?", training[0].answer, supports)
        for supports in ((2, 0), (3,), (0, 1, 3))
    ]
    _, supports = comprehension_babi._targets(model, questions)
    expected = [
        [[0, 0, 1, 0], [1, 0, 0, 0]],
        [[0, 0, 0, 1], [0, 0, 0, 0]],
        [[1, 1, 0, 1], [1, 1, 0, 1]],  # more steps than hops
    ]
    np.testing.assert_array_equal(supports[:, :, :4], expected)
    assert (supports[:, :, 4:] == -1).all()


@pytest.mark.slow
def test_files_and_artifact(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(babi, "load", small_babi.load)
    run = ("--run", str(trained))
    with monkeypatch.context() as patch:  # The others are in the artifact below.
        patch.setattr("gru_zoo.artifacts.reader.BASIC", ("int8",))
        assert comprehension.main(["export", *run, "--out", str(tmp_path / "files")]) == 0
    names = {path.name for path in (tmp_path / "files").iterdir()}
    assert {"saved_model", "model_int8.tflite", "assets"} <= names
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    assert comprehension.main(["publish", str(trained)]) == 0
    card = json.loads((tmp_path / "zoo" / comprehension.PRESET / "card.json").read_text())
    files = {f"model_{variant}.tflite" for variant in ("float32", "float16", "int8")}
    assert {export["file"] for export in card["exports"]} == {"saved_model", *files}
    assert card["measured"][0]["title"] == "Per-task results"
