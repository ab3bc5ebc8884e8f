"""The model card: one record, kept as `card.json`, shown as `README.md` by `card_text`."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_zoo.arguments import one_of
from gru_zoo.artifacts.scores import METRICS, Score, spread
from gru_zoo.files import atomic_write, write_json

# Flags of a training that name what it begins with or learns from: runs and presets.
LEARNS_FROM = ("--from", "--start", "--pretrained", "--mean-of", "--teachers", "--words")
# Fields of what a card holds, beyond its own.
_FIELDS: dict[str, dict[str, Any]] = {
    "model": {"class": str, "parameters": int},
    "data": {"name": str, "version": str, "licence": str},
    "published": {"system": str, "value": str | int | float, "source": str},
    "exports": {"file": str, "variant": str, "bytes": int, "largest_difference": float},
    "files": {"sha256": str, "bytes": int},
}
_MAY_LACK = {"exports": {"latency_ms": float | None, "metric": float | None}}


@dataclasses.dataclass(frozen=True)
class Section:
    """Something that was measured about a model: a heading, a table, what it says.

    Args:
        title: the heading.
        columns: heads of the table's columns.
        rows: of the table, a cell for each column: text, or a number to be shown.
        text: what was measured, and how.

    Raises:
        ValueError: a row has another number of cells than there are columns.

    Example:
        >>> Section("Length", ["words", "accuracy"], [["up to 100", "90.1 %"]]).title
        'Length'
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    text: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"rows must have {len(self.columns)} cells, one per column; got {list(row)!r}."
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What a card says that neither the model nor its files can tell.

    Args:
        name: `task_data_cell_size`.
        task: Hugging Face's name of the task.
        language: codes of the languages, such as `["en"]`.
        summary: what it does, in a sentence or two.
        uses: what it is meant for, and what not.
        metric: one of `scores.METRICS`.
        dataset: Hugging Face's name of the data set.
        data: the data set's record, `Source.as_dict()`.
        scored_on: what the scores were measured on, in plain words.
        scores: one per seed; the artifact is the one that is best on validation data.
        shipped_seed: seed of the weights in the artifact.
        commands: what makes the artifact, one after the other.
        configuration: of the model, in JSON's types: sizes, labels, what a reader asks for.
        published: others' figures, each `{"system", "value", "source"}`.
        measured: what else was measured.
        limits: what it cannot do, each a sentence.

    Raises:
        ValueError: an unknown metric, no scores, a shipped seed that is none of theirs, or a
            figure of others without its source.
    """

    name: str
    task: str
    language: Sequence[str]
    summary: str
    uses: str = ""
    metric: str
    dataset: str
    data: dict[str, Any]
    scored_on: str
    scores: Sequence[Score]
    shipped_seed: int
    commands: Sequence[str]
    configuration: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: Sequence[dict[str, Any]] = dataclasses.field(default_factory=list)
    measured: Sequence[Section] = dataclasses.field(default_factory=list)
    limits: Sequence[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        one_of("metric", self.metric, METRICS)
        one_of("shipped_seed", self.shipped_seed, [score.seed for score in self.scores])
        _require_fields("published", self.published)

    @property
    def shipped(self) -> Score:
        """The score of the weights in the artifact."""
        return next(score for score in self.scores if score.seed == self.shipped_seed)

    @property
    def value(self) -> float:
        """The metric of the weights in the artifact."""
        return self.shipped.value

    def spread(self) -> str:
        """Return mean and sample standard deviation over the seeds."""
        single = "weight average" if self.is_average() else "one seed"
        return spread(self.metric, self.scores, single)

    def trainings(self) -> list[str]:
        """Return the commands that train, those of what it began with or learnt from included."""
        return [command for command in self.commands if " train " in command]

    def goes_on(self) -> bool:
        """Return whether its seeds' trainings, which `scores` tell of, went on from others."""
        trainings = self.trainings()
        last = trainings[-1].split() if trainings else []
        return len(trainings) > len(self.scores) or any(flag in last for flag in LEARNS_FROM)

    def is_average(self) -> bool:
        """Return whether its weights are the average of several trainings'."""
        if len(self.scores) > 1:
            return False
        for training in reversed(self.trainings()):
            averaged = training.partition(" --mean-of ")[2].partition(" --")[0].split()
            if len(averaged) != 1:
                return len(averaged) > 1
            # "The average" of one is what was trained before it, with other settings.
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card(About):
    """Everything that is said about an artifact; every figure comes from a run.

    Args:
        model: `{"class", "parameters"}` of the Keras model.
        exports: one record per file: file, variant, bytes, metric, largest_difference, latency_ms.
        versions: of the packages that made it.
        commit: of the repository that made it, empty if it was none.
        machine: what it was exported on.
        date: ISO date of the export.
        files: path in the artifact -> {"sha256", "bytes"}.

    Example:
        >>> Card.from_json("saved_models/none/card.json")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    model: dict[str, Any]
    exports: Sequence[dict[str, Any]]
    versions: dict[str, str]
    commit: str = ""
    machine: str = ""
    date: str
    files: dict[str, dict[str, Any]]

    @classmethod
    def from_json(cls, path: str | os.PathLike) -> Card:
        """Read `card.json`.

        Raises:
            ValueError: the file is not a card.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            scores = [_typed(Score, score) for score in values["scores"]]
            measured = [_typed(Section, section) for section in values["measured"]]
            card = _typed(cls, {**values, "scores": scores, "measured": measured})
            card._require_whole()
            return card
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} must be a model card; it is corrupt: {error}") from error

    def _require_whole(self) -> None:
        """Raise ValueError if a record lacks a field, or a file its checksum."""
        for name in _FIELDS:
            given = getattr(self, name)
            if name == "files":
                given = list(given.values())
            _require_fields(name, given if isinstance(given, list) else [given])
        for export in self.exports:
            # Only what has a checksum is ever opened; a folder's graph is no less a program.
            wanted = (export["file"], f"{export['file']}/saved_model.pb")
            if not any(path in self.files for path in wanted):
                raise ValueError(f"files must have a checksum of {export['file']!r}; it has none")

    def write(self, folder: str | os.PathLike) -> None:
        """Write `card.json` and `README.md` into `folder`."""
        from gru_zoo.artifacts.card_text import readme

        write_json(Path(folder) / "card.json", dataclasses.asdict(self))
        with atomic_write(Path(folder) / "README.md") as partial:
            partial.write_text(readme(self), encoding="utf-8", errors="backslashreplace")


def _require_fields(name: str, records: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError if a record of a card lacks a field, or has one of another type."""
    fields = _FIELDS[name]
    for record in records:
        if lacking := [field for field in fields if field not in record]:
            raise ValueError(f"{name} must have {', '.join(fields)}; {lacking[0]} is missing")
        for field, kind in {**fields, **_MAY_LACK.get(name, {})}.items():
            if field in record:
                _require_type(f"{name}'s {field}", record[field], kind)


def _typed(kind: type, values: dict[str, Any]) -> Any:
    """Return a data class of values that JSON gave; raise ValueError if one has another type."""
    made = kind(**values)
    for name, field_type in typing.get_type_hints(kind).items():
        _require_type(name, getattr(made, name), field_type)
    return made


def _require_type(name: str, value: Any, kind: Any) -> None:
    if not _is(value, kind):
        wanted = kind.__name__ if isinstance(kind, type) else str(kind)
        raise ValueError(f"{name} must be of type {wanted}; got {value!r}")


def _is(value: Any, kind: Any) -> bool:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin is Sequence:
        return isinstance(value, list) and all(_is(one, inside[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is(one, inside[1]) for one in value.values())
    if origin is not None:  # a union
        return any(_is(value, one) for one in inside)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)
