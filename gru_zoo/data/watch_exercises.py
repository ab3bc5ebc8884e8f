"""Shoulder exercises as a smartwatch feels them (Burns et al. 2018, arXiv 1802.01489).

Ten people did seven exercises of a physiotherapy programme, about twenty times in a row and with
each arm: 140 recordings of an accelerometer and a gyroscope, 50 samples a second. They are inside
the package seglearn, of the paper's first author: nothing is downloaded.

There are no official splits. Whom a model is tested on must be a stranger to it, so the people are
split: fold `k` tests two of them, validates on the next two, and trains on the other six.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data.source import Source
from gru_zoo.data.split import by_person
from gru_zoo.files import sha256

CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")  # acceleration, angular velocity
ANGULAR = (3, 4, 5)  # places of the channels that are angular velocities
RATE = 50  # samples a second
EXERCISES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
SPLITS = ("train", "validation", "test")
FOLDS = 5
SUBJECTS = 10
VERSION = "1.2.5"
CHECKSUM = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
ORIGIN = "https://arxiv.org/abs/1802.01489"
LICENCE = "BSD 3-Clause (the package seglearn)"


class Recording(NamedTuple):
    """One exercise of one person, repeated.

    Args:
        signal: float32 `[samples, 6]`, the columns of `CHANNELS`: acceleration and angular
            velocity, in the units of the file, which does not name them.
        exercise: place of its name in `EXERCISES`.
        subject: the person, 1 to 10.
        right: whether the watch was worn on the right arm.
    """

    signal: np.ndarray
    exercise: int
    subject: int
    right: bool


def subjects(split: str, fold: int = 0) -> tuple[int, ...]:
    """Return the people of a split: two for test, two for validation, six for training.

    Raises:
        ValueError: unknown split or fold.

    Example:
        >>> subjects("test", 4), subjects("validation", 4)
        ((9, 10), (1, 2))
    """
    one_of("split", split, SPLITS)
    return by_person(range(1, SUBJECTS + 1), FOLDS, fold)[split]


def load(split: str, fold: int = 0) -> tuple[list[Recording], Source]:
    """Load the recordings of one split's people.

    Args:
        split: "train", "validation" or "test".
        fold: which two people are tested, 0 to 4.

    Returns:
        The recordings in the order of the file; and the record of where they came from.

    Raises:
        ValueError: unknown split or fold, or another file than the known one.
        ImportError: the package seglearn is missing (the extra `sensors`).

    Example:
        >>> recordings, source = load("train")  # doctest: +SKIP
        >>> len(recordings), recordings[0].signal.shape  # doctest: +SKIP
        (84, (1333, 6))
    """
    chosen = set(subjects(split, fold))
    path = _find()
    every = _read(path, CHECKSUM)
    described = {}
    for name in SPLITS:
        people = subjects(name, fold)
        count = sum(each.subject in people for each in every)
        listed = ", ".join(map(str, people))
        described[name] = (count, f"{count} recordings of subjects {listed} (fold {fold})")
    # Copies: what is read once is kept, whatever a caller does with its own.
    found = [each._replace(signal=each.signal.copy()) for each in every if each.subject in chosen]
    source = Source(
        "watch_exercises (seglearn)",
        VERSION,
        ORIGIN,
        LICENCE,
        described,
        {path.name: CHECKSUM},
        "the package is installed",
    )
    return found, source


def _find() -> Path:
    """Return the package's file, without importing the package."""
    spec = importlib.util.find_spec("seglearn")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "the exercises are in the package seglearn: pip install 'gru-zoo[sensors]'."
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "watch_dataset.npy"


@functools.lru_cache(maxsize=1)
def _read(path: Path, checksum: str) -> list[Recording]:
    """Return every recording of a file.

    The file is a pickle, which can run anything: only the known one is opened.
    """
    if (found := sha256(path)) != checksum:
        raise ValueError(f"{path} must have SHA-256 {checksum}; it has {found}.")
    table = np.load(io.BytesIO(path.read_bytes()), allow_pickle=True).item()
    rows = zip(table["X"], table["y"], table["subject"], table["side"], strict=True)
    return [
        Recording(np.asarray(signal, np.float32), int(exercise), int(subject), side == 1)
        for signal, exercise, subject, side in rows
    ]
