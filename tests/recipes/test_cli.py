"""What every recipe's command line does."""

import contextlib
import dataclasses
import importlib
import io
import sys

import pytest

from recipes.shared import cli


@dataclasses.dataclass(frozen=True)
class Flags:
    """Says something."""


def test_a_line_is_in_the_file_before_the_command_ends(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    seen = []

    def command(config):
        print("half of it")
        seen.append(path.read_text())

    with io.TextIOWrapper(path.open("wb")) as log:
        monkeypatch.setattr(sys, "stdout", log)
        assert cli.run("some", {"say": (Flags, command)}, []) == 0
    assert seen == ["half of it\n"]


def test_a_file_is_written_in_utf_8_whatever_the_code_page(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    said = "naïve 🙂\n"
    paths = {name: tmp_path / name for name in ("stdout", "stderr")}

    def command(config):
        for stream in (sys.stdout, sys.stderr):
            stream.write(said)
        raise ValueError("name: \ud83d is half a character")

    with contextlib.ExitStack() as stack:
        for name, path in paths.items():
            stream = stack.enter_context(io.TextIOWrapper(path.open("wb"), encoding="cp1252"))
            monkeypatch.setattr(sys, name, stream)
        assert cli.run("some", {"say": (Flags, command)}, []) == 2
    assert paths["stdout"].read_bytes() == said.encode()
    assert (
        paths["stderr"].read_bytes().decode() == f"{said}error: name: \\ud83d is half a character\n"
    )


@dataclasses.dataclass(frozen=True)
class Trains:
    """Trains something."""

    resume: bool = False


@pytest.mark.parametrize(
    ("flags", "said"),
    [(Trains, "--resume continues"), (Flags, "files already written are complete")],
)
def test_an_interrupt_says_how_to_go_on_where_one_can(flags, said, capsys):
    def command(config):
        raise KeyboardInterrupt

    assert cli.run("some", {"do": (flags, command)}, []) == 130
    assert f"interrupted; {said}" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["sentiment", "pos_tagging", "language_model", "translation"])
def test_an_export_is_of_a_run_or_of_a_preset(recipe, capsys):
    command = importlib.import_module(f"recipes.{recipe}")
    with pytest.raises(SystemExit):
        command.main(["export", "--run", "runs/a", "--preset", "b"])
    said = capsys.readouterr()
    assert "run and preset are mutually exclusive; got runs/a, b" in said.out + said.err


@pytest.mark.parametrize(
    ("recipe", "command", "preset", "kind"),
    [
        ("sentiment", "export", "next_word_imdb_gru_small", "SequenceClassifier"),
        ("sentiment", "measure", "next_word_imdb_gru_small", "SequenceClassifier"),
        ("language_model", "export", "pos_ewt_gru_small", "LanguageModel"),
    ],
)
def test_a_preset_of_another_task_is_named(recipe, command, preset, kind, capsys):
    main = importlib.import_module(f"recipes.{recipe}").main
    assert main([command, "--preset", preset]) == 2
    assert f"error: preset must name a {kind}; {preset} is a " in capsys.readouterr().err
