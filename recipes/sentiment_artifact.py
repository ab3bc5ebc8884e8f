"""A sentiment model's artifact and card, its device files alone, and a preset's rewritten."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.sentiment_flags import OF_A_TABLE
from recipes.shared import models, reviews, sentiment_card
from recipes.shared.device_files import write_checked
from recipes.shared.golden_texts import GOLDEN_TEXTS
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Card
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.training.runs import RunFolder


def write_artifact(
    run: RunFolder, model: SequenceClassifier, test: reviews.Reviews, command: str
) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        test: what every file is compared and scored on.
        command: that trained it.
    """
    from gru_zoo.artifacts.card import About
    from gru_zoo.artifacts.classifier import classifier_goldens, classifier_parts
    from gru_zoo.artifacts.folder import publish

    metrics = run.metrics()
    fields = sentiment_card.card_fields(model, metrics["data"], start=run.config.get("start", ""))
    if run.config.get("csv"):  # What later trainings on the table are compared with.
        fields["configuration"] |= {name: run.config[name] for name in OF_A_TABLE}
    about = About(
        name=run.path.name,
        metric="accuracy",
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=run.config["seed"],
        commands=[command],
        **fields,
    )
    return publish(
        run.path / "artifact",
        about,
        model,
        **classifier_parts(model, test.texts, test.labels),
        goldens=classifier_goldens(model, GOLDEN_TEXTS),
    )


def write_files(model: SequenceClassifier, out: Path, overwrite: bool) -> None:
    """Write the device's files into a folder, each compared on the golden texts."""
    from gru_zoo.artifacts.classifier import classifier_files

    write_checked(out, classifier_files(model, GOLDEN_TEXTS), overwrite)


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    They are those that it has, compared on as many reviews as before.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is not IMDB's as it can be
            read here.
    """
    from gru_zoo.artifacts.classifier import classifier_parts
    from gru_zoo.artifacts.folder import publish_again

    folder = folder_to_rewrite(name)
    model = _of_zoo(name)
    if not model.card.exports:
        raise ValueError(f"preset must have exported files; {name} has none but model.keras.")
    variants = [row["variant"] for row in model.card.exports]
    compared = model.card.exports[0]
    some = reviews.spread(_same_data(model.card), compared["texts"])
    short = next(
        (row["sequence_length"] for row in model.card.exports if "sequence_length" in row), None
    )
    parts = classifier_parts(model, *some, variants, compared.get("scored_on", ""), short)
    return publish_again(folder, model, **parts)


def measure(name: str) -> Card:
    """Measure a preset's robustness, and write it into its card.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is not IMDB's as it can be
            read here.
    """
    from gru_zoo.evaluation.robustness import limits

    folder = folder_to_rewrite(name)
    model = _of_zoo(name)
    _same_data(model.card)
    sections = sentiment_card.measured(model, reviews.form_of(model.card.data))
    before = limits(model.card.measured)
    known = [limit for limit in model.card.limits if limit not in before]
    command = f"python -m recipes.sentiment measure --preset {name}"
    earlier = [line for line in model.card.commands if line != command]
    card = dataclasses.replace(
        model.card,
        measured=sections,
        limits=[*known, *limits(sections)],
        commands=[*earlier, command],
    )
    card.write(folder)
    return card


def _of_zoo(name: str) -> SequenceClassifier:
    from gru_zoo.models.classifier import SequenceClassifier

    return models.of_zoo("preset", name, SequenceClassifier)


def _same_data(card: Card) -> reviews.Reviews:
    """Return IMDB's test split, if it is the one that a card's scores are of."""
    test, source = reviews.read("test", reviews.form_of(card.data))
    require_same_data(card, source)
    return test
