"""python -m gru_zoo.zoo: what it prints, what it refuses, and that it does not wait."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gru_zoo import demo
from gru_zoo.artifacts.card import Card
from gru_zoo.zoo import __main__ as commands
from gru_zoo.zoo import card, curves, goldens, list_models, registry, reproducing, table
from tests.zoo.conftest import NAME, about

ROOT = Path(__file__).resolve().parents[2]


def test_list_and_show(zoo, capsys):
    assert commands.main(["list"]) == 0
    listed = capsys.readouterr().out
    for words in (NAME, "text-classification", "92.00 %", "91.00 ± 1.41 % (2 seeds)"):
        assert words in listed
    assert commands.main(["show", NAME]) == 0
    shown = capsys.readouterr().out
    for words in ("92.00 % on 200 rows", "model_float32.tflite", "It reads 20 words."):
        assert words in shown


def test_a_corrupt_card_hides_nothing_of_the_others(zoo, tmp_path, monkeypatch, capsys):
    shutil.copytree(zoo, tmp_path / "models")
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "card.json").write_text("{")
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "models"))
    assert commands.main(["list"]) == 1
    printed = capsys.readouterr().out
    assert NAME in printed
    assert "it is corrupt" in " ".join(printed.split())


def test_a_long_name_is_listed_whole_where_there_is_no_terminal(zoo, tmp_path, monkeypatch, capsys):
    name = "sentiment_of_very_long_reviews_" * 3 + "gru"
    one = Card.from_json(zoo / NAME / "card.json")
    (tmp_path / name).mkdir()
    dataclasses.replace(one, name=name).write(tmp_path / name)
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path))
    assert commands.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert name in printed and "…" not in printed


@pytest.mark.parametrize("command", ["verify", "list"])
def test_an_empty_zoo_is_an_error(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "nowhere"))
    assert commands.main([command]) == 2
    assert f"none was found in {tmp_path / 'nowhere'}" in capsys.readouterr().err


def test_a_folder_in_the_home_is_a_zoo(zoo, monkeypatch):
    monkeypatch.setenv("HOME", str(zoo.parent))
    monkeypatch.setenv("GRU_ZOO_MODELS", f"~/{zoo.name}")
    assert registry.models_folder() == zoo and registry.list_models() == [NAME]


def test_card_and_reproduce_and_table(zoo, capsys):
    assert commands.main(["card", NAME]) == 0
    assert capsys.readouterr().out.strip() == (zoo / NAME / "README.md").read_text().strip()
    assert commands.main(["reproduce", NAME]) == 0
    assert capsys.readouterr().out == "python -m recipes.something train\n"
    assert commands.main(["table"]) == 0
    assert f"| [`{NAME}`](saved_models/{NAME}/README.md) |" in capsys.readouterr().out


def test_curves_are_drawn_of_the_cards_that_have_them(zoo, tmp_path, capsys):
    out = tmp_path / "curves.png"
    assert commands.main(["curves", "--out", str(out)]) == 2
    assert "must hold a curve at least; none of 1 does" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    one = Card.from_json(zoo / NAME / "card.json")
    scores = [dataclasses.replace(score, curve=[0.7, 0.9]) for score in one.scores]
    other = dataclasses.replace(one, name="with_curves", scores=scores)
    assert curves.draw([one, other], out) == ["with_curves"]
    small = out.read_bytes()
    assert small.startswith(b"\x89PNG")
    curves.draw([other] * 4, out)
    assert len(out.read_bytes()) > 2 * len(small)  # more panels


def test_the_table_goes_between_its_marks(zoo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    assert commands.main(["table", "--write"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert NAME in text and "old" not in text
    (tmp_path / "README.md").write_text("no marks\n")
    assert commands.main(["table", "--write"]) == 2
    assert "must have the lines" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "no marks\n"


def test_verify_says_what_agrees_and_what_differs(zoo, tmp_path, monkeypatch, capsys):
    shutil.copytree(zoo, tmp_path / "zoo")
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    assert commands.main(["verify"]) == 0
    printed = capsys.readouterr().out
    assert "checksums match the card" in printed and printed.count("unchanged") == 2
    # A golden that the model never gave: the files are whole, and not what they were.
    folder = tmp_path / "zoo" / NAME
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    arrays["probabilities"] += np.float32([[0.01, -0.01]])
    np.savez_compressed(folder / "golden.npz", **arrays)
    keras_model, lite = goldens.replay(card_of(folder), folder)
    # The file agrees with the model, and not with the goldens.
    assert keras_model.wrong == "must be within 1e-05" and not lite.wrong
    shutil.copytree(zoo / NAME, tmp_path / "zoo" / "whole")
    assert commands.main(["verify"]) == 1
    printed = capsys.readouterr().out
    assert "golden.npz must have SHA-256" in printed
    assert "whole" in printed and printed.count("unchanged") == 2


def test_a_kind_of_model_without_a_replay_is_no_damage(zoo, monkeypatch, capsys):
    monkeypatch.delitem(goldens.AGAIN, "SequenceClassifier")
    assert commands.main(["verify", NAME]) == 2
    printed = capsys.readouterr().out
    assert "checksums match the card" in printed
    assert "reference outputs of a SequenceClassifier cannot be computed again" in printed


def test_a_package_without_an_address_is_verified_as_far_as_it_goes(
    zoo, tmp_path, monkeypatch, capsys
):
    shutil.copytree(zoo, tmp_path / "zoo")
    (tmp_path / "zoo" / NAME / "model_float32.tflite").unlink()
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRU_ZOO_URL", raising=False)
    assert commands.main(["verify"]) == 1  # A folder of one's own: it is missing.
    monkeypatch.setattr(registry, "PACKAGED", tmp_path / "zoo")
    capsys.readouterr()
    assert commands.main(["verify"]) == 0
    printed = capsys.readouterr().out
    assert "model_float32.tflite is neither in the installed package nor" in printed
    assert printed.count("unchanged") == 1
    (tmp_path / "zoo" / NAME / "golden.npz").write_bytes(b"another")
    assert commands.main(["verify"]) == 1
    assert "golden.npz must have SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status"),
    [(ImportError("it needs onnxruntime [1]"), 2), (ValueError("it ends early"), 1)],
)
def test_a_file_that_cannot_be_run_says_so(zoo, monkeypatch, capsys, error, status):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("gru_zoo.artifacts.classifier.classifier_check.check", refuse)
    # A missing package says nothing against the file.
    assert commands.main(["verify", NAME]) == status
    printed = capsys.readouterr().out
    assert str(error) in printed and printed.count("unchanged") == 1
    assert commands.main(["verify", "another"]) == 2


def test_a_copied_model_has_the_name_of_its_folder(zoo, tmp_path, monkeypatch, capsys):
    shutil.copytree(zoo / NAME, tmp_path / "mine" / "renamed")
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "mine"))
    assert commands.main(["list"]) == 0
    assert "renamed" in capsys.readouterr().out
    assert demo.presets()[0]["files"][0]["path"].startswith("renamed/")


def test_brackets_in_a_card_are_text(zoo, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(zoo / NAME, tmp_path / "zoo" / NAME)
    limits, summary = ["Takes [batch, time] only. [/else]"], "Maps [ids] to labels."
    dataclasses.replace(card_of(folder), limits=limits, summary=summary).write(folder)
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "zoo"))
    assert commands.main(["show", NAME]) == 0
    printed = capsys.readouterr().out
    assert limits[0] in printed and summary in printed


def test_an_empty_zoo_leaves_the_readme_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "mistyped"))
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "README.md", "README.md")
    before = Path("README.md").read_text()
    assert commands.main(["table", "--write"]) == 2
    assert "none was found" in capsys.readouterr().err
    assert Path("README.md").read_text() == before


def card_of(folder):
    return Card.from_json(folder / "card.json")


def test_a_tokenizer_that_has_changed_is_named(zoo, tmp_path):
    folder = shutil.copytree(zoo / NAME, tmp_path / NAME)
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    arrays["ids"] = arrays["ids"][:, ::-1]
    np.savez_compressed(folder / "golden.npz", **arrays)
    with pytest.raises(ValueError, match="must give the golden 'ids'"):
        list(goldens.replay(card_of(folder), folder))


@pytest.mark.parametrize("command", ["show", "verify", "card", "reproduce"])
def test_an_unknown_name_is_refused_with_a_near_one(zoo, command, capsys):
    assert commands.main([command, "two_word_gru"]) == 2
    assert f"Did you mean '{NAME}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["rm -r /", "python evil.py", "python -m evil", "python -m", ""]
)
def test_a_card_runs_no_command_but_this_projects(command, tmp_path):
    with pytest.raises(ValueError, match="commands must be python -m recipes"):
        reproducing.run(about(commands=[command]), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_reproducing_works_in_its_own_folder_and_resumes(zoo, made, tmp_path, monkeypatch):
    ran = []

    def run(words, cwd, env):
        ran.append((words[1:], cwd, env["GRU_ZOO_MODELS"]))
        if "publish" in words:
            shutil.copytree(zoo / NAME, Path(env["GRU_ZOO_MODELS"]) / NAME)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(reproducing.subprocess, "run", run)
    train = "python -m recipes.sentiment train --name a --seed 1"
    into = tmp_path / "into"
    (into / "runs" / "sentiment" / "a").mkdir(parents=True)
    (into / "runs" / "sentiment" / "a" / "config.json").write_text("{}")
    commands = [train, train.replace("a --seed", "b --seed"), "python -m recipes.sentiment publish"]
    made_anew = reproducing.run(about(commands=commands), into)
    assert [words[-1] for words, _, _ in ran] == ["--resume", "1", "publish"]
    assert {(cwd, models) for _, cwd, models in ran} == {(into, str(into / "saved_models"))}
    assert made_anew.name == NAME


@pytest.mark.slow
def test_a_command_that_fails_stops_it(tmp_path):
    failing = about(commands=["python -m recipes.sentiment publish nowhere"])
    with pytest.raises(ValueError, match="must end well; its status is 2"):
        reproducing.run(failing, tmp_path / "into")


def test_what_publishes_nothing_is_refused_before_it_is_run(tmp_path):
    unpublished = about(commands=["python -m recipes.sentiment train --name mine"])
    with pytest.raises(ValueError, match="commands must publish what they train; those of two_w"):
        reproducing.run(unpublished, tmp_path / "into")
    assert not (tmp_path / "into").exists()


TRAIN = "python -m recipes.sentiment train --name mine --csv mine.csv"
PUBLISH = "python -m recipes.sentiment publish runs/sentiment/mine --preset mine"


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ([TRAIN], "csv must name what is there, .*; got mine.csv: put a copy at .*into/mine.csv, "),
        (
            [f"{TRAIN} --start {NAME}"],
            f"start must name .*; got {NAME}: put a copy at .*into/saved_models/{NAME}, for",
        ),
        (
            ["python -m recipes.semi_supervised train --pretrained runs/language_model/gone/"],
            "pretrained must name .*: put a copy at .*into/runs/language_model/gone, for",
        ),
    ],
)
def test_what_a_command_reads_is_asked_for_before_any_is_run(tmp_path, commands, message):
    into = tmp_path / "into"
    if "--start" in commands[0]:
        into.mkdir()
        (into / "mine.csv").touch()
    first = "python -m recipes.sentiment train --name first"
    with pytest.raises(ValueError, match=message):
        reproducing.run(about(commands=[first, *commands, PUBLISH]), into)
    assert not (into / "runs").exists()


@pytest.mark.parametrize("name", list_models())
def test_every_preset_makes_what_it_begins_with(name, tmp_path):
    lines = map(reproducing.arguments, card(name).commands)
    reproducing._require_there(list(lines), tmp_path)


def test_a_command_finds_the_users_folders(zoo, made, tmp_path, monkeypatch):
    found = []

    def run(words, cwd, env):
        found.append((env["TFDS_DATA_DIR"], env["GRU_ZOO_CACHE"]))
        shutil.copytree(zoo / NAME, Path(env["GRU_ZOO_MODELS"]) / NAME)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(reproducing.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", "data")
    monkeypatch.setenv("GRU_ZOO_CACHE", "~/cache")
    # The folder of the card has another name than its commands publish under.
    renamed = about(name="renamed", commands=[PUBLISH.replace("mine", NAME)])
    assert reproducing.run(renamed, Path("into")).name == NAME
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket/data")
    reproducing.run(renamed, Path("other"))
    cache = str(Path("~/cache").expanduser())
    assert found == [(str(tmp_path / "data"), cache), ("gs://bucket/data", cache)]


def test_help_list_and_show_do_not_import_tensorflow(zoo):
    code = (
        "import sys\n"
        "from gru_zoo.zoo import __main__ as zoo\n"
        f"for words in (['list'], ['show', {NAME!r}], ['table'], ['reproduce', {NAME!r}]):\n"
        "    assert zoo.main(words) == 0\n"
        "slow = {'tensorflow', 'keras', 'numpy', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "zoo.main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "reproduce" in done.stdout
