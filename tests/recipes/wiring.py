"""Start a recipe's training on small data and stop it where `fit` would begin.

Nothing is trained: what `fit` was given is looked at.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from gru_zoo.data import (
    babi,
    multi30k,
    polyphonic_music,
    squad,
    universal_dependencies,
    watch_exercises,
)
from gru_zoo.data.source import Source
from gru_zoo.layers import kernels
from recipes.shared import reviews
from tests.small_data import (
    small_babi,
    small_captions,
    small_music,
    small_reviews,
    small_treebank,
    small_watch,
)

SEED = 5
TRAINING = "--epochs 3 --learning-rate 0.02 --dropout 0.35".split()


class Begun(Exception):
    """Raised in place of the training."""


@dataclasses.dataclass
class Given:
    """What a recipe has made by the time its training begins."""

    model: Any
    train: Callable[[int, int], Any]
    steps_per_epoch: int
    validate: Callable[[], dict[str, float]]
    epochs: int
    patience: int
    monitor: str
    seeds: list[int]  # given to `seed_everything`
    read: list[str]  # the splits read so far

    def first_batch(self) -> list[np.ndarray]:
        """Return the arrays of the first epoch's first batch."""
        batch = next(iter(self.train(0, 1)))
        return [np.asarray(array) for array in keras.tree.flatten(batch)]


def small_reviews_of(split: str) -> reviews.Reviews:
    """Return a split of the small reviews; the unlabelled ones are a part of the training's."""
    rows = small_reviews.reviews()
    places = {"train": slice(0, 320), "validation": slice(320, 360), "test": slice(360, 400)}
    rows = rows[places.get(split, slice(0, 90))]
    labels = np.array([-1 if split == "unsupervised" else label for _, label in rows], np.int32)
    return reviews.Reviews(np.array([text.encode() for text, _ in rows], object), labels)


def _read_reviews(split: str, source: str = "auto", limit: int = 0) -> tuple:
    sizes = {name: (len(small_reviews_of(name).labels), name) for name in ("train", "unsupervised")}
    return small_reviews_of(split), Source("small", "0", "here", "CC0", sizes, {})


def questions(split: str) -> list[squad.Question]:
    """Return questions about paragraphs of two sentences; every split has other names."""
    found = []
    for number in range({"train": 24, "validation": 6, "test": 5}[split]):
        who, city = f"{split.title()}{number}", ("Rome", "Oslo", "Lima")[number % 3]
        context = f"Nobody stayed. {who} lives in {city}."
        start = context.index(city)
        found.append(squad.Question("t", context, f"Where is {who}?", (city,), (start,)))
    return found


def _read_questions(split: str, source: str = "auto") -> tuple:
    sizes = {split: (len(questions(split)), f"questions of {split}")}
    return questions(split), Source("small", "1.1", "here", "CC0", sizes, {})


# What reads a recipe's data, and what stands in for it.
DATA = {
    "sentiment": (reviews, "read", _read_reviews),
    "semi_supervised": (reviews, "read", _read_reviews),
    "language_model": (reviews, "read", _read_reviews),
    "pos_tagging": (universal_dependencies, "load", small_treebank.load),
    "translation": (multi30k, "load", small_captions.load),
    "polyphonic_music": (polyphonic_music, "load", small_music.load),
    "activity_recognition": (watch_exercises, "load", small_watch.load),
    "comprehension": (babi, "load", small_babi.load),
    "comprehension_squad": (squad, "load", _read_questions),
}
# Flags that make a model small; none of what is looked at is at its default.
FLAGS = {
    "sentiment": "--vocabulary-size 60 --sequence-length 20 --embedding-dim 4 --units 3 "
    "--batch-size 10 --patience 2 --no-export",
    "semi_supervised": "--vocabulary-size 60 --sequence-length 20 --embedding-dim 4 --units 3 "
    "--batch-size 10 --backward",
    "language_model": "--vocabulary-size 60 --embedding-dim 4 --units 3 --parts 2 --streams 4 "
    "--steps 6 --sampled 8 --backward",
    "pos_tagging": "--word-dim 4 --affix-dim 2 --units 3 --num-layers 1 --batch-size 8 "
    "--patience 2 --word-dropout 0 --no-export",
    "translation": "--vocabulary-size 80 --dim 8 --units 6 --heads 2 --batch-size 4 --patience 2 "
    "--smoothing 0.05 --no-export",
    "polyphonic_music": "--units 3 --steps 16 --batch-size 4 --patience 2 "
    "--recurrent-dropout 0.15 --no-export",
    "activity_recognition": "--units 3 --sequence-length 20 --batch-size 8 --patience 2 --fold 3 "
    "--turn 5 --recurrent-dropout 0.15 --no-export",
    "comprehension": "--embedding-dim 4 --units 5 --hops 2 --batch-size 16 --patience 2 "
    "--supports 0.6",
    "comprehension_squad": "--dataset squad --embedding-dim 4 --units 3 --batch-size 8 "
    "--patience 2",
}


def start(name: str, runs: Path, patch: pytest.MonkeyPatch, *flags: str, seed: int = SEED) -> Given:
    """Start the training of a recipe, or of SQuAD's part of one, until it would begin.

    What `patch` changes stays for as long as the test wants to look at what was made.
    """
    for package in ("tokenizers", "sacrebleu") if name == "translation" else ():
        pytest.importorskip(package)
    seeds, read, given = [], [], []
    owner, reader, stand_in = DATA[name]

    def load(split: str, *arguments: Any, **options: Any) -> tuple:
        read.append(split)
        return stand_in(split, *arguments, **options)

    def seed_everything(seed: int) -> None:
        seeds.append(seed)
        keras.utils.set_random_seed(seed)  # What it does beyond that is for good.

    def fit(model: Any, *, run: Any, monitor: str = "accuracy", **others: Any) -> None:
        given.append(Given(model, monitor=monitor, seeds=seeds, read=list(read), **others))
        raise Begun

    patch.setattr(owner, reader, load)
    patch.setattr("gru_zoo.training.fitting.seed_everything", seed_everything)
    patch.setattr("gru_zoo.training.fitting.fit", fit)
    module = importlib.import_module(f"recipes.{name.removesuffix('_squad')}")
    arguments = ["train", "--runs", str(runs), "--seed", str(seed), *FLAGS[name].split()]
    # At this size a loop is sooner done than compiled.
    with kernels.forced("loop"), pytest.raises(Begun):
        module.main([*arguments, *TRAINING, *flags])
    return given[0]
