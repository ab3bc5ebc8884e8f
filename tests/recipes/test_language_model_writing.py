"""Characters: trained, measured, exported and continued, in one process of its own."""

import json
import re

import pytest

from recipes import language_model
from recipes.language_model_artifact import write_files
from recipes.shared.starting import start_run
from tests.recipes.running import recipe

ALPHABET = "abcdefg"
# Each letter has one that follows it; a text of this length has streams enough.
TEXT = ALPHABET * 40
TRAIN = (
    "train --dataset tiny_shakespeare --name letters --embedding-dim 8 --units 11 --dropout 0 "
    "--epochs 6 --parts 1 --streams 3 --steps 5 --learning-rate 0.02"
).split()
CODE = f"""
import json, os, sys
os.environ["GRU_ZOO_MODELS"] = "zoo"
from gru_zoo.data import tiny_shakespeare
from gru_zoo.data.source import Source
TEXTS = {{"train": {TEXT!r}, "validation": {TEXT[3:150]!r}, "test": {TEXT[5:205]!r}}}
RECORD = Source("letters", "1", "here", "CC0", {{"train": (1, "one text")}}, {{}})
tiny_shakespeare.load = lambda split: (TEXTS[split], RECORD)
from recipes import language_model
from recipes.language_model_artifact import write_files
for arguments in json.loads(sys.argv[1]):
    assert language_model.main(arguments) == 0, arguments
    print("<>", flush=True)
from gru_zoo.zoo import card, goldens
from gru_zoo.zoo.registry import place
about = card("letters_small")
print(about.task, about.commands[0])
for result in goldens.replay(about, place("letters_small")):
    print(result.file, result.wrong or True)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each command printed, and the folder of the run."""
    place = tmp_path_factory.mktemp("letters")
    continued = ["generate", "abc", "--temperature", "0", "--length", "9"]
    drawn = ["generate", "gab", "--length", "4", "--top-p", "0.5", "--seed", "3"]
    file = ["--tflite", "files/model_float32.tflite"]
    run = ["--run", "runs/language_model/letters"]
    commands = [TRAIN, ["evaluate"], ["export", "--out", "files"]]
    commands += [continued + run, continued + file, drawn + run, drawn + file]
    commands += [["publish", "runs/language_model/letters", "--preset", "letters_small"]]
    commands += [["export", "--preset", "letters_small"]]
    done = recipe("language_model", place, json.dumps(commands), code=CODE)
    assert done.returncode == 0, done.stderr
    parts = [part.strip() for part in done.stdout.split("<>")]
    return parts, place


@pytest.mark.slow
def test_bits_a_character_of_both_splits_are_in_the_metrics(printed):
    parts, place = printed
    metrics = json.loads((place / "runs/language_model/letters/metrics.json").read_text())
    # A letter is certain after the one before it; seven equal ones would be 2.8 bits.
    assert 0 < metrics["validation_bits_per_character"] < 1.0
    test = metrics["test"]["bits_per_character"]
    assert metrics["metric"] == {"name": "bits_per_character", "value": test, "split": "test"}
    assert metrics["test"]["loss"] == pytest.approx(test * 0.6931472, rel=1e-6)
    assert metrics["validation"]["texts"] == 1 and metrics["epochs"] == 6
    assert f"test: bits per character {test:.3f}" in parts[1]
    assert "validation: bits per character" in parts[0] and "test" not in parts[0].split(": ")


@pytest.mark.slow
def test_a_text_is_continued_alike_by_keras_and_by_the_file(printed):
    parts, _ = printed
    assert parts[3] == parts[4] == "abcdefgabcde"
    assert parts[5] == parts[6] and parts[5].startswith("gab") and len(parts[5]) == 7


@pytest.mark.slow
def test_export_says_what_it_wrote(printed):
    parts, place = printed
    files = {path.name for path in (place / "files").iterdir()}
    variants = {f"model_{name}.tflite" for name in ("float32", "float16", "int8")}
    assert files == {*variants, "saved_model"}
    told = re.findall(r"max\. abs\. difference \d\.\de-\d\d$", parts[2], re.MULTILINE)
    assert len(parts[2].splitlines()) == len(told) == 4


def test_export_prints_the_difference_of_each_file(tmp_path, capsys, monkeypatch):
    def tflite(model, path, variant, overwrite):
        path.write_bytes(b"")
        return 2e-6

    monkeypatch.setattr("gru_zoo.export.tflite_file.tflite", tflite)
    monkeypatch.setattr("gru_zoo.export.saved_model_folder.saved_model", lambda *_, **__: 3.2e-6)
    write_files(None, tmp_path, overwrite=False)
    *files, folder = capsys.readouterr().out.splitlines()
    assert len(files) == 3 and all(line.endswith("difference 2.0e-06") for line in files)
    assert folder == f"{tmp_path / 'saved_model'}: SavedModel, max. abs. difference 3.2e-06"


@pytest.mark.slow
def test_the_preset_proves_itself(printed):
    parts, _ = printed
    assert "published letters_small: " in parts[7]
    assert parts[8].splitlines()[-1] == "exported letters_small again: 4 files"
    about, *replayed = parts[9].splitlines()
    assert about.startswith("text-generation python -m recipes.language_model train --name letters")
    files = ["saved_model", *(f"model_{name}.tflite" for name in ("float32", "float16", "int8"))]
    assert sorted(replayed) == sorted(f"{name} True" for name in ["model.keras", *files])


def test_a_run_that_is_older_than_a_flag_can_be_resumed(tmp_path, capsys):
    config = {"runs": tmp_path, "name": "old"}
    with start_run(language_model.Train(**config)) as run:
        before = {key: value for key, value in run.config.items() if key != "dataset"}
    (run.path / "config.json").write_text(json.dumps(before))
    with start_run(language_model.Train(**config, resume=True)) as run:
        assert run.config == before
    for message, flags in (
        ("dataset must be None", {"dataset": "tiny_shakespeare"}),
        ("units must be 384", {"units": 5}),
    ):
        other = language_model.Train(**config, resume=True, **flags)
        with pytest.raises(ValueError, match=message), start_run(other):
            pytest.fail("it was resumed")


def test_the_test_split_is_not_read_for_another_tasks_preset(tmp_path, monkeypatch, capsys):
    with start_run(language_model.Train(runs=tmp_path, name="words")) as run:
        run.pin_data({"name": "reviews", "origin": "here"})
    monkeypatch.setattr(language_model, "_evaluate", lambda *_: pytest.fail("it was read"))
    assert language_model.main(["publish", str(run.path), "--preset", "pos_ewt_gru_small"]) == 2
    assert "with task 'text-generation'; pos_ewt_gru_small has" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tflite", "gone.tflite"], "tflite must be a file; gone.tflite does not exist"),
        (["--tflite", "a.tflite", "--run", "b"], "run must not be used with tflite"),
        (["--run", "gone"], "run must be a folder with a config.json; got gone"),
        (["--length", "0"], "length must be an integer of at least 1; got 0"),
        (["--top-p", "2"], "top_p must be in (0, 1]; got 2.0"),
        (["--seed=-1"], "seed must be 0 or more; got -1"),
    ],
)
def test_what_cannot_be_continued(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert language_model.main(["generate", *arguments]) == 2
    assert f"error: {message}" in capsys.readouterr().err
