"""Run the commands of a card anew, in a folder of their own."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import sys
from pathlib import Path

from gru_zoo.artifacts.card import LEARNS_FROM, Card
from gru_zoo.data.manual import remote

# The modules a card may run: it may have come from anywhere.
ALLOWED = ("recipes.", "gru_zoo.")
# Flags of what a command reads: a table of the user's, or runs and presets.
READS = ("--csv", *LEARNS_FROM)
# Folders of the user's, which a command in another folder is to find too.
FOLDERS = ("TFDS_DATA_DIR", "GRU_ZOO_CACHE")


def run(about: Card, into: Path) -> Card:
    """Run a card's commands; the shipped artifact stays as it is.

    A command whose run is there already, from a reproduction that was interrupted, resumes it.

    Args:
        about: the card.
        into: folder of the runs and of the new artifact.

    Returns:
        the new artifact's card.

    Raises:
        ValueError: a command is none of this project's, reads what is neither there nor made by a
            command before it, or fails; or none of them publishes.
    """
    commands = [arguments(command) for command in about.commands]
    if not any("publish" in words for words in commands):
        raise ValueError(
            f"commands must publish what they train; those of {about.name} do not, for it is no "
            "preset: run them yourself, as `reproduce` without --run prints them."
        )
    _require_there(commands, into)
    into.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[2]
    models = _models(into.absolute())
    environment = {**os.environ, "GRU_ZOO_MODELS": str(models)}
    for name in FOLDERS:
        folder = os.environ.get(name)
        if folder and not remote(folder):
            environment[name] = str(Path(folder).expanduser().absolute())
    environment["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    for words in commands:
        words = [*words, *_resume(words, into)]
        print(f"$ python {shlex.join(words)}", flush=True)
        done = subprocess.run([sys.executable, *words], cwd=into, env=environment)
        if done.returncode:
            raise ValueError(f"{shlex.join(words)} must end well; its status is {done.returncode}.")
    # By the name in its commands: the folder of this card may have been given another.
    made = [path.name for words in commands for path in _published_by(words)]
    return Card.from_json(models / [about.name, *made][-1] / "card.json")


def arguments(command: str) -> list[str]:
    """Return what follows `python` in a command.

    Raises:
        ValueError: it is not `python -m` and a module of this project.

    Example:
        >>> arguments("python -m recipes.sentiment train --seed 1")
        ['-m', 'recipes.sentiment', 'train', '--seed', '1']
        >>> arguments("rm -r /")
        Traceback (most recent call last):
        ValueError: commands must be python -m recipes... or gru_zoo...; got 'rm -r /'.
    """
    words = shlex.split(command)
    if words[:2] != ["python", "-m"] or not words[2:3] or not words[2].startswith(ALLOWED):
        raise ValueError(f"commands must be python -m recipes... or gru_zoo...; got {command!r}.")
    return words[1:]


def _require_there(commands: list[list[str]], into: Path) -> None:
    """Raise ValueError unless all that commands read is there, or made by a command before."""
    made: set[Path] = set()
    for words in commands:
        for flag in READS:
            for value in map(Path, _values(words, flag)):
                plain = value.parent == Path() and value.suffix != ".keras"
                preset = plain and flag != "--csv"
                place = (_models(into) if preset else into) / value
                if value not in made and not place.exists() and not (into / value).exists():
                    raise ValueError(
                        f"{flag[2:]} must name what is there, or what a command before makes; got "
                        f"{value}: put a copy at {place}, for {shlex.join(words)} reads it."
                    )
        made.update(_made_by(words))


def _models(into: Path) -> Path:
    return into / "saved_models"


def _values(words: list[str], flag: str) -> list[str]:
    """Return what stands behind a flag, up to the next one."""
    begin = words.index(flag) + 1 if flag in words else len(words)
    return list(itertools.takewhile(lambda word: not word.startswith("--"), words[begin:]))


def _made_by(words: list[str]) -> list[Path]:
    """Return the run that a command trains, or the preset that it publishes."""
    if words[2:3] == ["train"]:
        runs = Path("runs", words[1].removeprefix("recipes."))
        return [runs / name for name in _values(words, "--name")]
    return _published_by(words)


def _published_by(words: list[str]) -> list[Path]:
    published = _values(words, "--preset") if words[2:3] == ["publish"] else []
    return [Path(name) for name in published]


def _resume(words: list[str], into: Path) -> list[str]:
    begun = any((into / made / "config.json").exists() for made in _made_by(words))
    return ["--resume"] if begun and words[2:3] == ["train"] else []
