"""Sentiment of a review from its n-grams: a simple baseline, and a teacher for distillation.

Task:     as `recipes.sentiment`.
Data:     IMDB's 22,500 labelled training reviews (Maas et al. 2011).
Model:    logistic regression over 1- to 3-grams weighted by log-count ratios; no GRU.
Command:  python -m recipes.ngrams train --name trigrams        (one or two minutes on one core)
          The run can then be a teacher: python -m recipes.semi_supervised train --teachers ...
Measured: README.md, "Sentiment, with unlabelled reviews".
Papers:   trigrams reach 91.9 % with naive Bayes weights (Mesnil et al. 2015; quoted from memory).
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from gru_zoo.training.runs import NGRAMS, PREDICTIONS
from recipes.shared import cli, reviews, teachers
from recipes.shared.flags import OneRun, ReviewFlags
from recipes.shared.publishing import open_run
from recipes.shared.starting import check_flags, start_run

RUNS = Path("runs/ngrams")


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Fit an n-gram model to the labelled reviews; store its predictions, test split excluded."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""
    longest: int = 3
    """Maximum n-gram length in words."""
    strength: float = 1.0
    """Inverse regularization strength (C), above 0."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a fitted model on the test split and write `metrics.json`."""


def train(config: Train) -> None:
    """Fit, and write the model and its predictions."""
    check_flags(config)
    from gru_zoo.models.ngrams import NGrams

    with start_run(config) as run:
        splits, source = reviews.for_training(reviews.source_of(run), config.limit)
        run.pin_data(source.as_dict())
        # They are written last: a run that has them is finished, and is not fitted again.
        if not (run.path / PREDICTIONS).exists():
            model = NGrams.fit(*splits["train"], config.longest, config.strength, config.seed)
            model.save(run.path / NGRAMS)
            predictions = {split: model.predict(given.texts) for split, given in splits.items()}
            teachers.write_predictions(run, predictions)
        teachers.print_validation(run, splits)


def evaluate(config: Evaluate) -> None:
    """Score the test split."""
    teachers.evaluate(open_run(config.run, RUNS), NGRAMS)


COMMANDS = {"train": (Train, train), "evaluate": (Evaluate, evaluate)}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    going_on = "--resume fits an unfinished run from the start."
    return cli.run("python -m recipes.ngrams", COMMANDS, arguments, going_on)


if __name__ == "__main__":
    sys.exit(main())
