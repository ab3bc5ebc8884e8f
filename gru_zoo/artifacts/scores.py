"""What a trained model achieved: a named metric, one score per seed, the spread over seeds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gru_zoo.arguments import one_of


@dataclasses.dataclass(frozen=True)
class Metric:
    """How a figure is named, kept and shown.

    Args:
        title: its name at the head of a column.
        kind: Hugging Face's name of it.
        percent: kept as a fraction and shown in percent; otherwise shown as it is kept.
        lower_is_better: smaller figures are better ones.

    Example:
        >>> METRICS["accuracy"].show(0.88412), METRICS["bleu"].show(31.2)
        ('88.41 %', '31.20')
    """

    title: str
    kind: str
    percent: bool = False
    lower_is_better: bool = False

    def show(self, value: float) -> str:
        """Return a figure of this metric with two decimals, in percent where it is a share."""
        return f"{100 * value:.2f} %" if self.percent else f"{value:.2f}"


METRICS = {
    "accuracy": Metric("accuracy", "accuracy", percent=True),
    "f1": Metric("F1", "f1", percent=True),
    "exact_match": Metric("exact match", "exact_match", percent=True),
    "bleu": Metric("BLEU", "bleu"),
    "perplexity": Metric("perplexity", "perplexity", lower_is_better=True),
    "nll": Metric("NLL, nats per frame", "negative_log_likelihood", lower_is_better=True),
    "bits_per_character": Metric("bits per character", "bits_per_character", lower_is_better=True),
}


@dataclasses.dataclass(frozen=True)
class Score:
    """What one seed gave.

    Args:
        seed: of weights, order and dropout.
        value: the metric on the split that the card names.
        validation: the metric on validation data, by which seeds are chosen.
        epochs: passes over the training data, which need not be whole.
        train_seconds: time in training, evaluation left out.
        curve: the metric on validation data after each validation; empty if nobody kept it.

    Example:
        >>> Score(seed=0, value=0.89, validation=0.9, epochs=3, train_seconds=60.0).seed
        0
    """

    seed: int
    value: float
    validation: float
    epochs: float
    train_seconds: float
    curve: Sequence[float] = dataclasses.field(default_factory=list)

    @classmethod
    def of(
        cls, seed: int, metrics: Mapping[str, Any], history: Sequence[Mapping[str, float]] = ()
    ) -> Score:
        """Return the score that a run's `metrics.json` and `history.csv` tell.

        Raises:
            ValueError: an entry is missing.

        Example:
            >>> metrics = {"metric": {"name": "bleu", "value": 31.2}, "validation_bleu": 30.9}
            >>> Score.of(1, {**metrics, "epochs": 9, "train_seconds": 60.0}).validation
            30.9
        """
        try:
            named = metrics["metric"]
            validation = metrics[f"validation_{named['name']}"]
            epochs, seconds = metrics["epochs"], metrics["train_seconds"]
            curve = [row[f"val_{named['name']}"] for row in history]
            return cls(seed, named["value"], validation, epochs, seconds, curve)
        except KeyError as error:
            raise ValueError(
                f"metrics must have an entry {error}; got {sorted(metrics)}."
            ) from None


def spread(metric: str, scores: Sequence[Score], single: str = "one seed") -> str:
    """Return mean and sample standard deviation of the scores over their seeds.

    With one score there is no spread to speak of, and none is given.

    Args:
        metric: one of `METRICS`.
        scores: one per seed.
        single: what a single score is of.

    Raises:
        ValueError: `metric` is not one of `METRICS`.

    Example:
        >>> spread("accuracy", [Score(0, 0.90, 0.9, 1, 1.0), Score(1, 0.92, 0.9, 1, 1.0)])
        '91.00 ± 1.41 % (2 seeds)'
    """
    named = METRICS[one_of("metric", metric, METRICS)]
    values = [(100 if named.percent else 1) * score.value for score in scores]
    unit = " %" if named.percent else ""
    if len(values) == 1:
        return f"{values[0]:.2f}{unit} ({single})"
    deviation = statistics.stdev(values)
    return f"{statistics.mean(values):.2f} ± {deviation:.2f}{unit} ({len(values)} seeds)"


def best(metric: str, scores: Sequence[Score]) -> Score:
    """Return the score that is best on validation data; ties go to the lower seed.

    Raises:
        ValueError: `metric` is not one of `METRICS`, or there is no score.

    Example:
        >>> best("perplexity", [Score(0, 9.0, 8.0, 1, 1.0), Score(1, 7.0, 9.0, 1, 1.0)]).seed
        0
    """
    named = METRICS[one_of("metric", metric, METRICS)]
    if not scores:
        raise ValueError("scores must be one or more; got none.")
    sign = 1 if named.lower_is_better else -1
    return min(scores, key=lambda score: (sign * score.validation, score.seed))
