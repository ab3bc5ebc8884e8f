"""Run the commands of a card anew, in a folder of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from gru_zoo.artifacts.card import Card

# The modules a card may run: it may have come from anywhere.
ALLOWED = ("recipes.", "gru_zoo.")


def run(about: Card, into: Path) -> Card:
    """Run a card's commands; the shipped artifact stays as it is.

    A command whose run is there already, from a reproduction that was interrupted, resumes it.

    Args:
        about: the card.
        into: folder of the runs and of the new artifact.

    Returns:
        the new artifact's card.

    Raises:
        ValueError: a command is none of this project's, or it fails.
    """
    commands = [arguments(command) for command in about.commands]
    if not any("publish" in words for words in commands):
        raise ValueError(
            f"commands must publish what they train; those of {about.name} do not, for it is no "
            "preset: run them yourself, as `reproduce` without --run prints them."
        )
    into.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[2]
    models = into.absolute() / "saved_models"
    environment = {**os.environ, "GRU_ZOO_MODELS": str(models)}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    for words in commands:
        words = [*words, *_resume(words, into)]
        print(f"$ python {shlex.join(words)}", flush=True)
        done = subprocess.run([sys.executable, *words], cwd=into, env=environment)
        if done.returncode:
            raise ValueError(f"{shlex.join(words)} must end well; its status is {done.returncode}.")
    return Card.from_json(models / about.name / "card.json")


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


def _resume(words: list[str], into: Path) -> list[str]:
    if words[2:3] != ["train"] or "--name" not in words:
        return []
    task = words[1].removeprefix("recipes.")
    run = into / "runs" / task / words[words.index("--name") + 1]
    return ["--resume"] if (run / "config.json").exists() else []
