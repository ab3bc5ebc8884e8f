"""The model card: one record, kept as `card.json`, shown as `README.md`."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from pathlib import Path
from typing import Any

from gru_zoo.files import write_beside, write_json


@dataclasses.dataclass(frozen=True)
class Score:
    """One trained model's accuracy on a named split.

    Example:
        >>> Score(seed=0, accuracy=0.89, validation_accuracy=0.9, epochs=3, train_seconds=60.0).seed
        0
    """

    seed: int
    accuracy: float
    validation_accuracy: float
    epochs: int
    train_seconds: float


@dataclasses.dataclass(frozen=True)
class Card:
    """Everything that is said about an artifact; every figure comes from a run.

    Args:
        name: `task_data_cell_size`.
        task: Hugging Face's name of the task.
        summary: what it does, in a sentence or two.
        model: configuration and number of parameters.
        dataset: Hugging Face's name of the data set.
        data: the data set's record, `Source.as_dict()`.
        scored_on: what the scores were measured on, in plain words.
        scores: one a seed; the artifact is the one with the best validation accuracy.
        shipped_seed: seed of the weights in the artifact.
        exports: one record a file, from `export.check`.
        command: what made the artifact.
        versions: of the packages that made it.
        date: ISO date of the export.
        files: path in the artifact -> {"sha256", "bytes"}.

    Example:
        >>> Card.from_json("saved_models/none/card.json")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    name: str
    task: str
    summary: str
    model: dict[str, Any]
    dataset: str
    data: dict[str, Any]
    scored_on: str
    scores: list[Score]
    shipped_seed: int
    exports: list[dict[str, Any]]
    command: str
    versions: dict[str, str]
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
            return cls(**{**values, "scores": [Score(**score) for score in values["scores"]]})
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} must be a model card; it is corrupt: {error}") from error

    def write(self, folder: str | os.PathLike) -> None:
        """Write `card.json` and `README.md` into `folder`."""
        write_json(Path(folder) / "card.json", dataclasses.asdict(self))
        with write_beside(Path(folder) / "README.md") as partial:
            partial.write_text(self.readme(), encoding="utf-8")

    @property
    def accuracy(self) -> float:
        """Accuracy of the shipped weights, between 0 and 1."""
        return next(score.accuracy for score in self.scores if score.seed == self.shipped_seed)

    def spread(self) -> str:
        """Return mean and sample standard deviation over the seeds, in percent.

        With one seed there is no spread to speak of, and none is given.
        """
        percent = [100 * score.accuracy for score in self.scores]
        if len(percent) == 1:
            return f"{percent[0]:.2f} % (one seed)"
        deviation = statistics.stdev(percent)
        return f"{statistics.mean(percent):.2f} ± {deviation:.2f} % ({len(percent)} seeds)"

    def row(self) -> str:
        """Return the card as one row of a Markdown table.

        Columns: name, accuracy of the shipped weights, mean and spread, parameters, int8 size.
        """
        sizes = {export["variant"]: export["bytes"] for export in self.exports}
        return (
            f"| [`{self.name}`](saved_models/{self.name}/README.md) | {100 * self.accuracy:.2f} % "
            f"| {self.spread()} | {self.model['parameters']:,} | {sizes['int8'] / 1e3:,.0f} KB |"
        )

    def readme(self) -> str:
        """Return the card as Markdown with Hugging Face's front matter."""
        return "\n".join([self._front_matter(), self._text(), self._tables(), self._use()])

    def _front_matter(self) -> str:
        # https://huggingface.co/docs/hub/model-cards: JSON strings are valid YAML scalars.
        return f"""---
license: apache-2.0
language: en
library_name: keras
pipeline_tag: {self.task}
tags: [gru, tflite, mediapipe, on-device]
datasets: [{json.dumps(self.dataset)}]
metrics: [accuracy]
model-index:
- name: {json.dumps(self.name)}
  results:
  - task: {{type: {self.task}}}
    dataset: {{type: {json.dumps(self.dataset)}, name: {json.dumps(self.data["name"])}}}
    metrics:
    - {{type: accuracy, value: {self.accuracy:.4f}, name: {json.dumps(self.scored_on)}}}
---
"""

    def _text(self) -> str:
        return f"""# {self.name}

{self.summary}

- **Accuracy:** {100 * self.accuracy:.2f} % on {self.scored_on};
  over all seeds {self.spread()}.
- **Parameters:** {self.model["parameters"]:,}
- **Data:** {self.data["name"]} {self.data["version"]}, {self.data["licence"]}.
- **Made by:** `{self.command}`, {self.date}, with {
            ", ".join(f"{name} {version}" for name, version in self.versions.items())
        }.
"""

    def _tables(self) -> str:
        lines = ["| seed | test | validation | epochs | training |", "|---|---|---|---|---|"]
        for score in self.scores:
            shipped = " (these weights)" if score.seed == self.shipped_seed else ""
            lines.append(
                f"| {score.seed}{shipped} | {100 * score.accuracy:.2f} % "
                f"| {100 * score.validation_accuracy:.2f} % | {score.epochs} "
                f"| {score.train_seconds:.0f} s |"
            )
        lines += [
            "",
            "| file | size | accuracy | largest difference from Keras | one text |",
            "|---|---|---|---|---|",
        ]
        for export in self.exports:
            lines.append(
                f"| `{export['file']}` | {export['bytes'] / 1e3:,.0f} KB "
                f"| {100 * export['accuracy']:.2f} % | {export['largest_difference']:.1e} "
                f"| {export['latency_ms']:.2f} ms |"
            )
        lines.append("")
        lines.append(
            "Accuracy and difference over all of the split above; one text is the median on one "
            "thread of the machine that made the card."
        )
        return "\n".join(lines)

    def _use(self) -> str:
        return f"""
## Use

```python
from gru_zoo import load

model = load("{self.name}")
model.predict(["A quiet, wonderful film."])
lite = load("{self.name}", format="tflite", variant="int8")
```
"""
