"""A user's own labelled texts: a CSV file, checked row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gru_zoo.arguments import near_name
from gru_zoo.data.packaged_reviews import objects
from gru_zoo.data.source import Source
from gru_zoo.data.split import by_digest, checksum, held_out
from gru_zoo.files import sha256
from gru_zoo.training.runs import RunFolder
from recipes.sentiment_flags import OF_A_TABLE
from recipes.shared.reviews import Reviews
from recipes.shared.table import rows

if TYPE_CHECKING:
    from recipes.sentiment_flags import Train


def read_csv(path: Path, labels: Sequence[str], text_column: str, label_column: str) -> Reviews:
    """Read a table's texts and labels, in the order of their texts' digests.

    Args:
        path: UTF-8, values parted by commas, the first row naming the columns.
        labels: the model's; a text's label is its place among them.
        text_column: name of the column of texts.
        label_column: name of the column of labels.

    Raises:
        ValueError: a column is missing, a row is not as described (the message names file, line
            and column), or all texts have one label.
        FileNotFoundError: there is no such file.
    """
    texts: list[bytes] = []
    numbers: list[int] = []
    columns = (text_column, "text-column"), (label_column, "label-column")
    for line, (text, label) in rows("csv", path, columns):
        if not text.strip():
            raise ValueError(f"{path}, line {line}: {text_column} must not be empty; it is.")
        if label not in labels:
            raise ValueError(
                f"{path}, line {line}: {label_column} must be one of the model's labels "
                f"{', '.join(map(repr, labels))}; got {label!r}.{near_name(label, labels)}"
            )
        texts.append(text.encode())
        numbers.append(list(labels).index(label))
    if not texts:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    if len(set(numbers)) == 1:
        raise ValueError(
            f"{path} must contain at least two labels; all {len(texts)} texts are "
            f"{labels[numbers[0]]!r}."
        )
    ordered, targets = by_digest(objects(texts), np.array(numbers, np.int64))
    return Reviews(ordered, targets.astype(np.int32))


def parts_of(path: Path, reviews: Reviews, share: float) -> tuple[dict[str, Reviews], Source]:
    """Split a table by a fixed hash of the texts: test, validation, and the rest to train on.

    Args:
        path: of the table, for the record.
        reviews: in the order of their digests.
        share: of the rows that are held out as test, and again as validation.

    Returns:
        "train", "validation" and "test"; and the record, which knows the table by its texts and
        labels: the same rows may be saved again, in another order or with other line ends.

    Raises:
        ValueError: a part has no rows.
    """
    count = len(reviews.texts)
    test = held_out(reviews.texts, int(count * share))
    validation = test + held_out(reviews.texts[test:], int(count * share))
    cuts = {"test": (0, test), "validation": (test, validation), "train": (validation, count)}
    parts = {name: Reviews(*(array[a:b] for array in reviews)) for name, (a, b) in cuts.items()}
    for name, part in parts.items():
        if not len(part.texts):
            raise ValueError(
                f"held_out must leave rows for each split; {share} of the {count} rows of {path} "
                f"leaves none for {name}."
            )
    splits = {
        name: (len(part.texts), f"{name} part of {path.name}, by a fixed hash of the text")
        for name, part in parts.items()
    }
    checksums = {path.name: checksum(*reviews)}
    source = Source(path.name, "own", "a table of the user's", "the user's own", splits, checksums)
    return parts, source


def as_kept(run: RunFolder, source: Source, path: Path) -> Source:
    """Return the record of a table as a run has it: an older one's is of the file's bytes."""
    of_bytes = {path.name: sha256(path)}
    known = (run.path / "data.json").exists() and run.data()["sha256"]
    return dataclasses.replace(source, sha256=of_bytes) if known == of_bytes else source


def check_same_parts(config: Train, source: Source, labels: Sequence[str]) -> None:
    """Raise unless earlier runs on the table, which are fine-tuned here, had the same splits.

    What another share holds out for the test may be what they were trained on. Of another table,
    which may have rows of theirs, another share is noted.

    Args:
        config: the flags.
        source: the record of the table.
        labels: the model's.

    Raises:
        ValueError: one of them split the same table otherwise.
    """
    for earlier in _earlier(config.start):
        same = _alike(earlier, config, source, labels)
        for name in same:
            before, now = earlier.flags[name], getattr(config, name)
            if before != now:
                raise ValueError(
                    f"{name} must be {before!r}, as in {earlier.place}, so that its training data "
                    f"from {config.csv} is not tested on; got {now!r}."
                )
        if not same and earlier.flags["held_out"] != config.held_out:
            print(
                f"note: {earlier.place} was trained on another table with --held-out "
                f"{earlier.flags['held_out']}; rows of it that {config.csv} has too may be tested "
                "on."
            )


class _Earlier(NamedTuple):
    """A training on a table: where it is, the table's checksum, and the flags that split it."""

    place: str
    table: str
    flags: Mapping[str, Any]


def _alike(
    earlier: _Earlier, config: Train, source: Source, labels: Sequence[str]
) -> tuple[str, ...]:
    """Return the flags that must be an earlier training's; none if its table was another one.

    The table may have been renamed, and so may its columns.
    """
    if earlier.table in source.sha256.values():
        return ("held_out",)
    path, columns = Path(config.csv), ("text_column", "label_column")
    same = earlier.table == sha256(path)  # as older runs know their table
    if not same:
        try:
            read = read_csv(path, labels, *(earlier.flags[name] for name in columns))
            same = earlier.table == checksum(*read)
        except ValueError:  # Another table has other columns or labels.
            pass
    return ("held_out", *columns) if same else ()


def _earlier(start: str) -> Iterator[_Earlier]:
    """Yield the trainings on tables that are gone on with here, the last one first.

    Args:
        start: a run, its artifact, a `.keras` file in one of them, or a preset; anything else does
            not tell what it was trained on.
    """
    seen: set[str] = set()
    while start and start not in seen:
        seen.add(start)
        folder = Path(start).parent if start.endswith(".keras") else Path(start)
        run = run_of(folder)
        if not run:
            yield from _published(str(folder) if start.endswith(".keras") else start)
            return
        if run.config.get("csv"):
            [table] = run.data()["sha256"].values()
            yield _Earlier(str(run.path), table, run.config)
        start = run.config.get("start", "")


def run_of(folder: Path) -> RunFolder | None:
    """Return the run that a folder is, or is the artifact of; None if it is neither."""
    for place in (folder, folder.parent) if folder.name == "artifact" else (folder,):
        if all((place / name).exists() for name in ("config.json", "data.json")):
            return RunFolder.open(place)
    return None


def _published(place: str) -> Iterator[_Earlier]:
    """Yield the training of an artifact whose run is not at hand, if it was on a table."""
    from gru_zoo.zoo import card

    try:
        about = card(place)
    except (OSError, ValueError):  # No artifact.
        return
    if about.configuration.keys() >= set(OF_A_TABLE):
        [table] = about.data["sha256"].values()
        yield _Earlier(place, table, about.configuration)


def contradictions(reviews: Reviews) -> int:
    """Return how many different texts occur with more than one label."""
    pairs = set(zip(reviews.texts, reviews.labels, strict=True))
    return len(pairs) - len({text for text, _ in pairs})
