"""README's class Streamer in other languages: its text, and what a program with it must say."""

import re
from pathlib import Path

import numpy as np

from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.zoo import models_folder

README = Path(__file__).parents[1] / "README.md"
WORKER = Path(__file__).parent / "step_worker.py"
PRESET = "sentiment_imdb_gru_small"
IDS = [1, *np.random.default_rng(5).integers(3, 5000, 9)]


def text(language: str) -> str:
    """Return README's class in a language."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if "class Streamer" in block)
    return found


def file(variant: str) -> Path:
    """Return the file that is streamed."""
    return models_folder() / PRESET / f"model_{variant}.tflite"


def check(said: str, variant: str) -> None:
    """Compare what a program said, a line an output of each step of IDS, with Python's Streamer."""
    *lines, last = said.splitlines()
    found, stream = iter(lines), Streamer(file(variant))
    for word in IDS:
        wanted = stream.push(word)
        for _ in wanted:  # what it gives besides its states, in any order
            name, *numbers = next(found).split()
            np.testing.assert_allclose(np.array(numbers, float), wanted[name].ravel(), atol=1e-6)
    assert next(found, None) is None
    assert last == "reset -1.0"
