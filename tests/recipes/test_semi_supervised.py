"""Language model, classifier, student in smoke size, one after the other."""

import json

import numpy as np
import pytest

from gru_zoo import load
from gru_zoo.data.source import Source
from gru_zoo.files import write_json
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.training.runs import RunFolder
from recipes import semi_supervised
from recipes.shared import reviews
from tests.recipes.running import check_same_weights, kill_and_resume, recipe, recipe_here

STEPS = """
import sys
from recipes import language_model, semi_supervised
small = "--source packaged --sequence-length 20 --learning-rate 0.02".split()
words = "--vocabulary-size 40 --embedding-dim 4 --units 5 --epochs 1".split()
assert language_model.main(["train", "--name", "words", "--source", "packaged", *words, "--parts",
    "1", "--streams", "4", "--steps", "6", "--sampled", "8"]) == 0
start = "--pretrained runs/language_model/words --virtual-adversarial 0.3 --epochs 2".split()
assert semi_supervised.main(["train", "--name", "teacher", *small, *start]) == 0
student = [*words, "--name", "student", "--teachers", "runs/semi_supervised/teacher",
    "--adversarial", "0.3", "--word-dropout", "4"]
sys.exit(semi_supervised.main(["train", *small, *student]))
"""
VIRTUAL = (
    "--source packaged --sequence-length 20 --vocabulary-size 40 --embedding-dim 4 --units 5 "
    "--epochs 2 --virtual-adversarial 0.3 --ema-momentum 0.9 --word-dropout 4"
).split()


@pytest.fixture(scope="module")
def runs(place):
    """The folder with the runs."""
    done = recipe("semi_supervised", place, code=STEPS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation: accuracy") == 2
    return place / "runs" / "semi_supervised"


@pytest.mark.slow
def test_each_step_leaves_what_the_next_one_reads(runs):
    for name in ("teacher", "student"):
        with np.load(runs / name / "opinions.npz") as predictions:
            assert sorted(predictions) == ["train", "validation"]
            np.testing.assert_allclose(predictions["train"].sum(axis=1), 1, atol=1e-5)
    assert not (runs / "teacher" / "metrics.json").exists()  # The test split was not read.
    config = json.loads((runs / "student" / "config.json").read_text())
    assert config["teachers"] == ["runs/semi_supervised/teacher"]


@pytest.mark.slow
def test_what_a_student_learnt_from_is_pinned(place, runs):
    flags = json.loads((runs / "teacher" / "config.json").read_text())
    assert flags["pretrained"] == "runs/language_model/words"
    pinned = {
        name: json.loads((runs / name / "origins.json").read_text())
        for name in ("teacher", "student")
    }
    assert {of: [*files] for of, files in pinned["teacher"].items()} == {
        "runs/language_model/words": ["model.keras"]
    }
    assert {of: [*files] for of, files in pinned["student"].items()} == {
        "runs/semi_supervised/teacher": ["model.keras", "opinions.npz"]
    }
    words = "--vocabulary-size 40 --embedding-dim 4 --units 5 --epochs 1 --word-dropout 4".split()
    student = ["--name", "student", "--teachers", "runs/semi_supervised/teacher", *words]
    student += "--source packaged --sequence-length 20 --learning-rate 0.02".split()
    resume = ["train", *student, "--adversarial", "0.3", "--resume"]
    done = recipe_here("semi_supervised", place, *resume)
    assert done.returncode == 0, done.stderr
    before = (runs / "teacher" / "opinions.npz").read_bytes()
    with np.load(runs / "teacher" / "opinions.npz") as predictions:
        other = {split: array[:, ::-1] for split, array in predictions.items()}
    try:
        np.savez_compressed(runs / "teacher" / "opinions.npz", **other)
        done = recipe_here("semi_supervised", place, *resume)
    finally:
        (runs / "teacher" / "opinions.npz").write_bytes(before)
    assert done.returncode == 2
    assert "runs/semi_supervised/teacher must be what the run in" in done.stderr
    assert "student began with; it has another opinions.npz now" in done.stderr


@pytest.mark.slow
def test_the_test_split_is_read_when_asked(place, runs):
    both = [str(runs / name) for name in ("teacher", "student")]
    done = recipe_here("semi_supervised", place, "evaluate", *both)
    assert done.returncode == 0, done.stderr
    assert "ensemble of 2 runs: accuracy" in done.stdout


@pytest.mark.slow
def test_the_mean_of_runs_is_a_run(place, runs):
    # Of a run with itself: its own weights, and the effort of both.
    parts = ["runs/semi_supervised/teacher"] * 2
    flags = "--name mean --sequence-length 20 --mean-of".split()
    done = recipe_here("semi_supervised", place, "train", *flags, *parts)
    assert done.returncode == 0, done.stderr
    mean, part = (RunFolder.open(runs / name) for name in ("mean", "teacher"))
    weights = [semi_supervised.load(run).get_weights() for run in (mean, part)]
    for found, wanted in zip(*weights, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    (row,) = mean.history
    assert row["epoch"] == 4 and row["val_accuracy"] == pytest.approx(
        max(r["val_accuracy"] for r in part.history)
    )
    assert row["seconds"] == pytest.approx(2 * sum(r["seconds"] for r in part.history))


@pytest.mark.slow
def test_a_mean_reads_as_many_words_as_it_is_told(place, runs):
    flags = "--name longer --sequence-length 30 --no-opinions --mean-of".split()
    done = recipe_here("semi_supervised", place, "train", *flags, "runs/semi_supervised/teacher")
    assert done.returncode == 0, done.stderr
    model = semi_supervised.load(RunFolder.open(runs / "longer"))
    assert model.tokenizer.sequence_length == 30
    flags = "--name wrong --mean-of runs/language_model/words".split()
    done = recipe_here("semi_supervised", place, "train", *flags)
    assert done.returncode == 2 and "mean_of must name classifiers; got a Lang" in done.stderr
    assert not (runs / "wrong").exists()


PUBLISH = "--preset mine --compared 50 --variants float16 int8"


@pytest.fixture
def mine(place, runs, monkeypatch):
    """A zoo of one preset, the student; its name."""
    monkeypatch.setenv("GRU_ZOO_MODELS", str(place / "models"))
    if not (place / "models").exists():
        done = recipe_here(
            "semi_supervised", place, "publish", str(runs / "student"), *PUBLISH.split()
        )
        assert done.returncode == 0, done.stderr
        assert "published" in done.stdout
    return "mine"


@pytest.mark.slow
def test_a_preset_has_the_files_that_are_asked_for(place, mine):
    card = json.loads((place / "models" / "mine" / "card.json").read_text())
    files = {export["variant"]: export["texts"] for export in card["exports"]}
    assert files == dict.fromkeys(("float16", "int8"), 50)
    assert {export["scored_on"] for export in card["exports"]} == {f"50 of {card['scored_on']}"}
    assert "compared on 50 inputs of the test split, on which the Keras model has" in (
        place / "models" / "mine" / "README.md"
    ).read_text(encoding="utf-8")
    assert card["commands"][-1].endswith(PUBLISH)
    done = recipe_here("sentiment", place, "export", "--preset", "mine")
    assert "exported mine again: 2 files" in done.stdout, done.stderr
    again = json.loads((place / "models" / "mine" / "card.json").read_text())
    told, told_again = (
        [(export["file"], export["texts"], export["scored_on"]) for export in one["exports"]]
        for one in (card, again)
    )
    assert told_again == told and again["files"].keys() == card["files"].keys()


@pytest.mark.slow
def test_a_preset_of_another_task_is_not_replaced(place, runs, mine, tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path))
    card = json.loads((place / "models" / mine / "card.json").read_text())
    write_json(tmp_path / mine / "card.json", {**card, "task": "text-generation"})
    done = recipe_here("semi_supervised", place, "publish", str(runs / "student"), *PUBLISH.split())
    assert done.returncode == 2
    assert "preset must be a new name, or that of a model with task 'text-c" in done.stderr
    assert [path.name for path in (tmp_path / mine).iterdir()] == ["card.json"]


@pytest.mark.slow
def test_a_preset_is_a_beginning_too(place, runs, mine):
    flags = "--name begun --source packaged --sequence-length 30 --epochs 1 --learning-rate 1e-4"
    done = recipe_here("semi_supervised", place, "train", "--pretrained", mine, *flags.split())
    assert done.returncode == 0, done.stderr
    model = semi_supervised.load(RunFolder.open(runs / "begun"))
    known = load(mine)
    assert model.tokenizer.vocabulary == known.tokenizer.vocabulary
    assert model.tokenizer.sequence_length == 30 and model.units == known.units
    # One epoch of a few reviews has not moved the vectors far.
    vectors = [each.embedding.embeddings.numpy() for each in (model, known)]
    np.testing.assert_allclose(*vectors, rtol=0, atol=0.1)


@pytest.mark.slow
def test_the_mean_of_a_preset_has_its_effort(place, runs, mine):
    flags = f"--name preset --source packaged --no-opinions --mean-of {mine}".split()
    done = recipe_here("semi_supervised", place, "train", *flags)
    assert done.returncode == 0, done.stderr
    (row,) = RunFolder.open(runs / "preset").history
    (score,) = load(mine).card.scores
    assert (row["epoch"], row["seconds"]) == (score.epochs, score.train_seconds)


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--pretrained", "--mean-of"])
def test_what_has_learnt_from_other_data_is_no_beginning(place, flag):
    """The package's test reviews are of IMDB's training half, which our presets have seen."""
    preset = "sentiment_imdb_gru_supervised"
    flags = f"--name seen --source packaged --limit 200 {flag} {preset}".split()
    done = recipe_here("semi_supervised", place, "train", *flags)
    assert done.returncode == 2
    assert (
        f"source must provide imdb_reviews (TFDS) 1.0.0, which {preset} was trained" in done.stderr
    )
    assert not (place / "runs" / "semi_supervised" / "seen").exists()


@pytest.mark.slow
def test_a_killed_adversarial_run_resumes_to_the_same_weights(place):
    done = recipe("semi_supervised", place, "train", "--name", "whole", *VIRTUAL)
    assert done.returncode == 0, done.stderr
    kill_and_resume("semi_supervised", place, "train", "--name", "killed", *VIRTUAL)
    folder = place / "runs" / "semi_supervised"
    check_same_weights(folder / "killed", folder / "whole")


def test_backward_reading_turns_the_words_behind_start():
    class Model:
        class tokenizer:
            @staticmethod
            def encode(texts):
                return np.array([[1, 5, 6, 7, 0], [1, 8, 0, 0, 0], [1, 2, 3, 4, 5]], np.int32)

    turned = [[1, 7, 6, 5, 0], [1, 8, 0, 0, 0], [1, 5, 4, 3, 2]]
    assert reviews.encode(Model, [b""] * 3, backward=True).tolist() == turned


def test_words_are_hidden_by_how_rare_they_are_in_the_labelled_reviews():
    class Model:
        class tokenizer:
            vocabulary = ("<PAD>", "<START>", "<UNKNOWN>", "a", "film", "of unlabelled reviews")

    ids = np.array([[1, 3, 3, 3, 4]], np.int32)
    hide = reviews.word_dropout(Model, ids, 3.0)
    assert hide.unknown == 2 and hide.rates.tolist() == [0, 0, 0, 0.5, 0.75, 0.75]
    assert reviews.word_dropout(Model, ids, 0.0) is None
    Model.tokenizer.vocabulary = ("[PAD]", "[UNK]", "a")
    with pytest.raises(ValueError, match="word_dropout must be 0 for a WordPiece model; got"):
        reviews.word_dropout(Model, ids, 3.0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--teachers", "none"], "run must be a folder with a config.json; got none"),
        (
            ["--pretrained", "none"],
            "run must be a folder with a config.json, or one of activity_watch_",
        ),
        (["--words", "none"], "run must be a folder with a config.json; got none"),
        (
            ["--words", "none", "--pretrained", "sentiment_imdb_gru_small"],
            "words must not be used with pretrained, which has its own; got none",
        ),
        (["--adversarial", "-0.3"], "adversarial must be 0 or more; got -0.3"),
        (["--virtual-adversarial", "-1"], "virtual_adversarial must be 0 or more; got -1.0"),
        (["--temperature", "0"], "temperature must be a number above 0; got 0.0"),
        (
            ["--mean-of", "none", "--virtual-adversarial", "0.2"],
            "virtual_adversarial must not be used with mean_of, which does not train; got 0.2",
        ),
        (["--mean-of", "none"], "run must be a folder with a config.json, or one of"),
        (["--unlabelled-per-labelled", "0"], "unlabelled_per_labelled must be an integer of at"),
        (["--word-dropout", "-1"], "word_dropout must be a number of at least 0; got -1.0"),
        (["--excerpts", "-1"], "excerpts must be 0 or more; got -1"),
        (["--excerpts", "2"], "excerpts must be 0 without teachers; got 2"),
        (["--teachers-weight", "1.5"], "teachers_weight must be 0 to 1; got 1.5"),
        (["--ema-momentum", "1"], "ema_momentum must be a number in [0, 1); got 1.0"),
        (["--sequence-length", "0"], "sequence_length must be an integer of at least 1; got 0"),
    ],
)
def test_bad_input_leaves_no_run_behind(flags, message, tmp_path, capsys):
    assert semi_supervised.main(["train", "--runs", str(tmp_path / "runs"), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["evaluate", "other"], ["publish", "other", "--preset", "mine"]]
)
def test_a_run_of_another_recipe_is_named(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    RunFolder(tmp_path / "other", {"seed": 0, "units": 5})
    assert semi_supervised.main(arguments) == 2
    said = capsys.readouterr().err
    assert "run must be a run of recipes.semi_supervised; the flags of other differ" in said


@pytest.mark.parametrize(
    ("flags", "preset", "message"),
    [
        (
            {"units": 6},
            "mine",
            "finished must be runs that differ only in their seed; units is 5",
        ),
        ({}, "pos_ewt_gru_small", "preset must be a new name, or that of a model with task 'text-"),
    ],
)
def test_the_test_split_is_not_read_for_what_is_refused(
    flags, preset, message, tmp_path, monkeypatch, capsys
):
    read = []
    monkeypatch.setattr(semi_supervised, "evaluate", read.append)
    tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=4)
    model = SequenceClassifier(tokenizer, embedding_dim=3, units=2)
    monkeypatch.setattr(semi_supervised, "load", lambda run: model)
    for seed, more in enumerate(({}, flags)):
        own = {"backward": False, "unlabelled_per_labelled": 1, "units": 5, "seed": seed, **more}
        run = RunFolder(tmp_path / str(seed), own)
        run.pin_data({"name": "reviews", "origin": "here"})
    paths = [str(tmp_path / name) for name in "01"]
    assert semi_supervised.main(["publish", *paths, "--preset", preset]) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not read


TOKENIZER = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine", "dull"], sequence_length=4)


def virtual(labelled, unlabelled=0, **flags):
    """What is trained with two unlabelled reviews for each labelled one, in batches of two."""
    config = semi_supervised.Train(
        virtual_adversarial=0.3, batch_size=2, sequence_length=4, epochs=3, **flags
    )
    model = SequenceClassifier(TOKENIZER, embedding_dim=3, units=2)
    given = [
        reviews.Reviews(np.array([b"fine", b"dull"] * count, object), np.array([1, 0] * count))
        for count in (labelled, unlabelled)
    ]
    predictions = []
    if flags.get("teachers_weight"):
        sizes = {"train": 2 * labelled, "unsupervised": 2 * unlabelled}
        predictions = [{split: np.full((size, 2), 0.5) for split, size in sizes.items()}]
    return semi_supervised._Training(config, model, *given, predictions, [])


@pytest.mark.parametrize(
    ("training", "batches"),
    [
        (lambda: virtual(8), 8),  # twice as many labelled batches as unlabelled ones
        (lambda: virtual(8, unlabelled=4, teachers_weight=1.0), 12),  # six times as many
        (lambda: virtual(3, unlabelled=20), 3),  # fewer
    ],
)
def test_an_epoch_reads_all_labelled_reviews(training, batches):
    training = training()
    assert len(training) == batches
    epochs = [list(training.dataset(e, e + 1).as_numpy_iterator()) for e in range(3)]
    assert [len(epoch) for epoch in epochs] == 3 * [batches]
    assert {(len(ids), len(more)) for epoch in epochs for (ids, more), _ in epoch} == {(2, 4)}
    # A resumed run reads what an undisturbed one does.
    whole = training.dataset(0, 3).as_numpy_iterator()
    for expected, found in zip((one for epoch in epochs for one in epoch), whole, strict=True):
        for one, other in zip(expected[0], found[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_unlabelled_reviews_that_begin_again_are_in_another_order():
    training, asked = virtual(8), []
    epoch = training.unlabelled.epoch
    training.unlabelled.epoch = lambda number: asked.append(number) or epoch(number)
    assert len(list(training.dataset(1, 2).as_numpy_iterator())) == 8
    assert asked[0] == 1 and len(set(asked)) == len(asked) == 2
    assert min(asked[1:]) >= 3  # No epoch begins with it.


@pytest.mark.parametrize(
    ("history", "epochs", "seconds"),
    [
        ([{"epoch": 4, "seconds": 40.0}], 4, 10.0),  # the mean of runs has one row
        ([{"epoch": 1, "seconds": 9.0}, {"epoch": 2, "seconds": 11.0}], 2, 10.0),
    ],
)
def test_an_epochs_seconds_are_those_of_one_pass(history, epochs, seconds, tmp_path):
    run = RunFolder(tmp_path / "run", {})
    # The last epoch is not the best one.
    accuracies = (0.75, 0.625)
    run.history = [{**row, "val_accuracy": a} for row, a in zip(history, accuracies, strict=False)]
    model = SequenceClassifier(TOKENIZER, embedding_dim=3, units=2)
    semi_supervised._write_metrics(run, model, 0.5, "", Source("", "", "", "", {}, {}))
    metrics = run.metrics()
    assert metrics["epochs"] == epochs and metrics["seconds_per_epoch"] == seconds
    assert metrics["validation_accuracy"] == 0.75 and metrics["metric"]["value"] == 0.5


def test_reviews_evenly_spread():
    given = reviews.Reviews(np.array([b"a", b"b", b"c", b"d", b"e"], object), np.arange(5))
    assert reviews.spread(given, 2).labels.tolist() == [0, 2]
    assert reviews.spread(given, 4).texts.tolist() == [b"a", b"b", b"c", b"d"]
    assert reviews.spread(given, 0) is given and reviews.spread(given, 9) is given
