"""The model card: one record, kept as `card.json`, shown as `README.md` by `card_text`."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gru_zoo.arguments import one_of
from gru_zoo.artifacts.scores import METRICS, Score, spread
from gru_zoo.files import atomic_write, write_json

# Flags of a training that name what it begins with or learns from: runs and presets.
LEARNS_FROM = ("--from", "--start", "--pretrained", "--mean-of", "--teachers", "--words")
# Fields of what a card holds, beyond its own.
_FIELDS = {
    "model": ("class", "parameters"),
    "data": ("name", "version", "licence"),
    "published": ("system", "value"),
    "exports": ("file", "variant", "bytes", "largest_difference"),
    "files": ("sha256", "bytes"),
}


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
        ValueError: an unknown metric, no scores, or a shipped seed that is none of theirs.
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
            scores = [Score(**score) for score in values["scores"]]
            measured = [Section(**section) for section in values["measured"]]
            _require_fields(values)
            return cls(**{**values, "scores": scores, "measured": measured})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} must be a model card; it is corrupt: {error}") from error

    def write(self, folder: str | os.PathLike) -> None:
        """Write `card.json` and `README.md` into `folder`."""
        from gru_zoo.artifacts.card_text import readme

        write_json(Path(folder) / "card.json", dataclasses.asdict(self))
        with atomic_write(Path(folder) / "README.md") as partial:
            partial.write_text(readme(self), encoding="utf-8", errors="backslashreplace")


def _require_fields(values: dict[str, Any]) -> None:
    """Raise ValueError if a record of a card lacks a field, or a file its checksum."""
    for name, fields in _FIELDS.items():
        given = values[name]
        if name == "files":
            given = list(given.values())
        for record in given if isinstance(given, list) else [given]:
            if lacking := [field for field in fields if field not in record]:
                raise ValueError(f"{name} must have {', '.join(fields)}; {lacking[0]} is missing")
    for export in values["exports"]:
        # Only what has a checksum is ever opened; a folder's graph is no less a program.
        wanted = (export["file"], f"{export['file']}/saved_model.pb")
        if not any(path in values["files"] for path in wanted):
            raise ValueError(f"files must have a checksum of {export['file']!r}; it has none")
