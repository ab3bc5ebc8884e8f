"""What a classifier of signals learns from: the watch's exercises, or a table of the user's own."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data import watch_exercises
from gru_zoo.data.source import Source
from gru_zoo.data.split import by_person
from gru_zoo.files import sha256
from recipes.shared.table import finite, rows

if TYPE_CHECKING:
    from recipes.activity_recognition_flags import Train

# Parts that the people of a table are divided into, where there are as many.
_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Recordings:
    """A split's recordings.

    Args:
        signals: float32 `[samples, channels]` each.
        labels: class number of each.
        people: who is in them.
        source: where they came from.
    """

    signals: list[np.ndarray]
    labels: list[int]
    people: tuple[str, ...]
    source: Source

    def joined(self, other: Recordings) -> Recordings:
        """Return these recordings and then those of other people."""
        return Recordings(
            self.signals + other.signals,
            self.labels + other.labels,
            self.people + other.people,
            self.source,
        )

    def windows(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return every window, the next one from the middle of the last, and the labels."""
        from gru_zoo.training.signal_windows import windows

        return windows(self.signals, self.labels, length)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Recordings of several people, of whom each fold tests some.

    Args:
        channels: name of each column of a signal.
        labels: name of each class.
        rate: samples per second.
        angular: places of the channels that are angular velocities.
        folds: parts that the people are divided into.
        load: gives the recordings of a split and a fold.
    """

    channels: tuple[str, ...]
    labels: tuple[str, ...]
    rate: float
    angular: tuple[int, ...]
    folds: int
    load: Callable[[str, int], Recordings]


def watch() -> Dataset:
    """Return the watch's exercises (Burns et al. 2018)."""

    def load(split: str, fold: int) -> Recordings:
        found, source = watch_exercises.load(split, fold)
        people = tuple(map(str, watch_exercises.subjects(split, fold)))
        signals, labels = [each.signal for each in found], [each.exercise for each in found]
        return Recordings(signals, labels, people, source)

    return Dataset(
        watch_exercises.CHANNELS,
        watch_exercises.EXERCISES,
        watch_exercises.RATE,
        watch_exercises.ANGULAR,
        watch_exercises.FOLDS,
        load,
    )


def dataset(config: Train) -> Dataset:
    """Return what the flags of a training name.

    Raises:
        ValueError: the table is not as described (the message names file and line), or there is no
            such fold of its people.
        FileNotFoundError: there is no such table.
    """
    if not config.csv:
        return watch()
    pieces = _pieces(config)
    labels = tuple(sorted({label for _, label, _ in pieces}))
    people = sorted({person for person, _, _ in pieces})
    if len(labels) < 2:
        raise ValueError(f"{config.csv} must have at least two labels; it has {labels[0]!r} alone.")
    if len(people) < 3:
        raise ValueError(
            f"{config.csv} must be of at least three people, one to learn from, one for validation "
            f"and one for the test; it is of {', '.join(map(repr, people))}."
        )
    folds = min(_FOLDS, len(people))
    one_of("fold", config.fold, range(folds))
    path = Path(config.csv)
    checksum = {path.name: sha256(path)}

    def load(split: str, fold: int) -> Recordings:
        chosen = {name: by_person(people, folds, fold)[name] for name in watch_exercises.SPLITS}
        described = {}
        for name, some in chosen.items():
            count = sum(person in some for person, _, _ in pieces)
            described[name] = (count, f"{count} recordings of {', '.join(some)} (fold {fold})")
        found = [(label, signal) for person, label, signal in pieces if person in chosen[split]]
        return Recordings(
            [signal for _, signal in found],
            [labels.index(label) for label, _ in found],
            chosen[split],
            Source(
                path.name, "own", "a table of the user's", "the user's own", described, checksum
            ),
        )

    angular = tuple(place for place, name in enumerate(config.channels) if name in config.angular)
    return Dataset(tuple(config.channels), labels, config.rate, angular, folds, load)


def require_recordings(config: Train, data: Dataset) -> None:
    """Check before training begins what can be known then.

    The watch's test split is left alone; a table is there as a whole.

    Raises:
        ValueError: a split has no recording as long as a window, or the training split lacks a
            label or has a channel that never changes.
    """
    for split in ("train", "validation", *(["test"] if config.csv else [])):
        part = data.load(split, config.fold)
        longest = max(map(len, part.signals))
        if longest < config.sequence_length:
            raise ValueError(
                f"sequence_length must be at most {longest}, the samples of the longest recording "
                f"of the {split} split ({', '.join(part.people)}), where consecutive rows of one "
                f"person and label are a recording; got {config.sequence_length}."
            )
    training = data.load("train", config.fold)
    unknown = [name for number, name in enumerate(data.labels) if number not in training.labels]
    if unknown:
        raise ValueError(
            f"csv must have every label of someone to learn from; {unknown[0]!r} is not done by "
            f"{', '.join(training.people)}, who are left in fold {config.fold}."
        )
    constant = np.ptp(np.concatenate(training.signals), axis=0) == 0
    if constant.any():
        name = data.channels[constant.argmax()]
        raise ValueError(f"channels must change; {name} is the same in every training sample.")


def read_recording(path: Path, channels: Sequence[str]) -> np.ndarray:
    """Read a recording, one sample per row.

    Args:
        path: as for `recipes.shared.table.rows`.
        channels: names of the columns that the model takes, in its order.

    Returns:
        float32 `[samples, channels]`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not as described; the message names file and line.

    Example:
        >>> _ = Path("walk.csv").write_text("time,y,x\\n0.00,1,2\\n0.02,3,4\\n")
        >>> read_recording(Path("walk.csv"), ["x", "y"]).tolist()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    found = [
        [finite(path, line, *pair) for pair in zip(channels, values, strict=True)]
        for line, values in rows("recording", path, [(name, "") for name in channels])
    ]
    if not found:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    return np.array(found, np.float32)


def _pieces(config: Train) -> list[tuple[str, str, np.ndarray]]:
    """Return person, label and signal of each piece: rows in which nothing but the signal changes.

    A new value in the column of recordings, where one is named, begins another piece too.
    """
    path = Path(config.csv)
    columns = [(config.person_column, "person-column"), (config.label_column, "label-column")]
    if config.recording_column:
        columns.append((config.recording_column, "recording-column"))
    texts = len(columns)
    columns += [(name, "channels") for name in config.channels]
    read = []
    for line, values in rows("csv", path, columns):
        for (name, _), value in zip(columns[:2], values, strict=False):
            if not value.strip():
                raise ValueError(f"{path}, line {line}: {name} must not be empty; it is.")
            if len(value.splitlines()) > 1:
                raise ValueError(f"{path}, line {line}: {name} must be one line; got {value!r}.")
        pairs = zip(config.channels, values[texts:], strict=True)
        # A space too many makes nobody another person.
        names = tuple(value.strip() for value in values[:texts])
        read.append((names, [finite(path, line, *pair) for pair in pairs]))
    if not read:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    return [
        (person, label, np.array([sample for _, sample in some], np.float32))
        for (person, label, *_), some in itertools.groupby(read, key=lambda row: row[0])
    ]
