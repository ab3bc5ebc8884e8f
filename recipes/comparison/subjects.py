"""What is compared: four tasks and three long-sequence problems, with their budgets.

Budgets of parameters are those of the whole model; every cell gets the same epochs, patience and
learning rates. Sizes are chosen so that everything takes at most eight hours on two cores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gru_zoo.arguments import one_of

CELLS = ("gru", "lstm", "rnn", "transformer")
SEEDS, QUICK_SEEDS = 3, 1
# Of the budget: how far a model may be from it.
TOLERANCE = 0.02
RATES = (1e-3, 3e-3, 1e-2)


@dataclasses.dataclass(frozen=True)
class Task:
    """A recipe, and what every cell gets there.

    Attributes:
        name: the module in `recipes`.
        title: for the report.
        parameters: of the whole model, whatever the cell.
        flags: of the recipe's `train`, beside cell, parameters, learning rate, seed and place.
        quick: flags that are different with --quick.
        device_steps: length of the input that the device's file is made for.
        minutes: cell -> expected minutes of a run on one core.
        rates: learning rates, tried on seed 0; the best on validation data is every seed's.
        chance: the metric at chance level.
    """

    name: str
    title: str
    parameters: int
    flags: Mapping[str, Any]
    quick: Mapping[str, Any]
    device_steps: int
    minutes: Mapping[str, float]
    rates: tuple[float, ...] = RATES
    # Whatever a recipe's metric is, its models are far above it.
    chance: float = 0.0

    @property
    def lengths(self) -> tuple[int, ...]:
        """One, without a name: a task has the lengths that its data have."""
        return (0,)

    def expected(self, cell: str, steps: int) -> float:
        """Return the minutes that a run should take."""
        return self.minutes[cell]

    def smaller(self) -> Task:
        """Return what --quick measures."""
        minutes = dict.fromkeys(CELLS, 1.2)
        flags = {**self.flags, **self.quick}
        return dataclasses.replace(self, flags=flags, minutes=minutes, rates=RATES[1:2])


@dataclasses.dataclass(frozen=True)
class Problem:
    """A long-sequence problem, and what every cell gets there.

    Attributes:
        name: as `long_run` knows it.
        title: for the report.
        parameters: of the whole model, whatever the cell.
        lengths: ascending; learning rates are tried on the first.
        flags: of `long_run.LongRun`, the same for every cell and length.
        minutes: cell -> expected minutes of a run on one core, for each length.
        chance: accuracy at chance level.
        besides: steps of an example that its length does not count.
        rates: as a task's.
    """

    name: str
    title: str
    parameters: int
    lengths: tuple[int, ...]
    flags: Mapping[str, Any]
    minutes: Mapping[str, tuple[float, ...]]
    chance: float
    besides: int = 0
    rates: tuple[float, ...] = RATES

    def expected(self, cell: str, steps: int) -> float:
        """Return the minutes that a run should take."""
        return self.minutes[cell][self.lengths.index(steps)]

    def smaller(self) -> Problem:
        """Return what --quick measures: the shortest length, less time."""
        flags = {**self.flags, "updates": 600, "cpu_seconds": 30.0}
        minutes = dict.fromkeys(CELLS, (0.5,))
        return dataclasses.replace(
            self, flags=flags, minutes=minutes, lengths=self.lengths[:1], rates=RATES[1:2]
        )


TASKS = (
    Task(
        "sentiment",
        "Sentiment, IMDB",
        parameters=350_000,
        flags={
            "vocabulary_size": 10_000,
            "embedding_dim": 32,
            "sequence_length": 200,
            "epochs": 3,
            "patience": 1,
            "export": False,
        },
        quick={"limit": 2500, "epochs": 2},
        device_steps=200,
        minutes={"gru": 2.5, "lstm": 3.5, "rnn": 2.5, "transformer": 4.0},
    ),
    Task(
        "pos_tagging",
        "POS tagging, UD English-EWT",
        parameters=800_000,
        flags={"word_dim": 48, "affix_dim": 16, "epochs": 5, "patience": 2, "export": False},
        quick={"limit": 1500, "epochs": 3},
        device_steps=48,
        minutes={"gru": 2.5, "lstm": 3.5, "rnn": 2.5, "transformer": 3.0},
    ),
    Task(
        "translation",
        "Translation, Multi30k German to English",
        parameters=900_000,
        flags={
            "limit": 14_500,
            "dim": 128,
            "epochs": 4,
            "patience": 2,
            "beams": 1,
            "export": False,
        },
        quick={"limit": 2000, "epochs": 2},
        device_steps=24,
        minutes={"gru": 4.5, "lstm": 5.5, "rnn": 4.5, "transformer": 5.5},
    ),
    Task(
        "comprehension",
        "Comprehension, bAbI",
        # A number that some units of every cell come near: 60, 56, 68 and 44 of them.
        parameters=201_000,
        flags={"limit": 1000, "repeat": 2, "epochs": 6, "patience": 2},
        quick={"limit": 200, "epochs": 2},
        device_steps=16,
        minutes={"gru": 4.0, "lstm": 4.0, "rnn": 4.0, "transformer": 4.0},
    ),
)

# "every" counts updates between validations, "patience" validations without a better one.
_EFFORT = {"updates": 1500, "every": 100, "patience": 6, "cpu_seconds": 60.0}
_MINUTES = {
    "gru": (0.7, 1.0, 1.9),
    "lstm": (1.0, 1.7, 2.0),
    "rnn": (0.7, 1.5, 2.0),
    "transformer": (1.0, 1.9, 2.0),
}

PROBLEMS = (
    Problem(
        "adding",
        "Adding problem",
        parameters=11_700,
        lengths=(100, 500, 2000),
        flags=_EFFORT,
        minutes=_MINUTES,
        # Two errors of 0.04 in a triangle of width 2.
        chance=0.08,
    ),
    Problem(
        "copy",
        "Copy memory",
        parameters=11_700,
        lengths=(100, 500, 2000),
        flags=_EFFORT,
        minutes=_MINUTES,
        chance=1 / 8,
        besides=20,
    ),
    Problem(
        "digits",
        "Digits pixel by pixel",
        parameters=11_900,
        lengths=(64, 256, 1024),
        flags=_EFFORT,
        minutes=_MINUTES,
        chance=0.1,
    ),
)


def every_subject(quick: bool) -> list[Task | Problem]:
    """Return everything that is compared."""
    subjects = (*TASKS, *PROBLEMS)
    return [each.smaller() for each in subjects] if quick else list(subjects)


def subject(name: str, quick: bool) -> Task | Problem:
    """Return a task or problem by name.

    Raises:
        ValueError: there is none of that name.
    """
    found = {each.name: each for each in every_subject(quick)}
    return found[one_of("task", name, found)]
