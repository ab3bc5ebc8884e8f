"""What the card of a sentiment model says besides its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.training.runs import RunFolder
from recipes.shared import reviews

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Section
    from gru_zoo.models.classifier import SequenceClassifier

SUMMARY = "Classifies English film reviews as positive or negative."
USES = (
    "Sentiment analysis of English film reviews, from a few sentences to a page, on a phone, in a "
    "browser or on a server. Not meant for other languages, for judging people, or where a wrong "
    "label could harm somebody: every text gets one of the two labels, whatever it is about."
)
POLAR = (
    "IMDB's reviews are clearly positive or negative (its authors left out ratings of 5 and 6): "
    "there is no neutral label, and mixed reviews get one of the two."
)
PUBLISHED = (
    {
        "system": "bidirectional LSTM, keras.io example",
        "value": "87.8 %",
        "source": "model card of the Keras example, whose validation data are IMDB's test half",
    },
    {
        "system": "LSTM with virtual adversarial training",
        "value": "94.1 %",
        "source": "Miyato et al. 2017, as listed by NLP-progress",
    },
    {
        "system": "one-hot LSTM with region embeddings",
        "value": "94.1 %",
        "source": "Johnson and Zhang 2016, as listed by NLP-progress",
    },
)


def card_fields(
    model: SequenceClassifier, data: Mapping[str, Any], unlabelled: bool = False, start: str = ""
) -> dict[str, Any]:
    """Return the fields of `About` that follow from the model and what it was trained on.

    Args:
        model: the classifier.
        data: the record of what it was trained on, as `Source.as_dict` gives it.
        unlabelled: whether it has learnt from IMDB's reviews without labels.
        start: the run, preset or file that its training began with, if there is one.
    """
    from gru_zoo.artifacts.classifier import classifier_configuration
    from gru_zoo.data import imdb

    fields: dict[str, Any] = {
        "task": "text-classification",
        "language": _language(data, start),
        "summary": "Assigns a text one of the labels " + ", ".join(model.labels) + ".",
        "dataset": data["name"],
        "configuration": classifier_configuration(model),
        "limits": [
            f"It reads at most {model.tokenizer.sequence_length - 1} words of a text.",
            "It cannot tell words outside its vocabulary of "
            f"{len(model.tokenizer.vocabulary):,} apart.",
        ],
    }
    # A table of a user's may be called anything.
    if data["origin"] == imdb.ORIGIN:
        fields |= {"summary": SUMMARY, "uses": USES, "dataset": "stanfordnlp/imdb"}
        limits = [*fields["limits"], POLAR, *reviews.overlap(data, unlabelled)]
        fields |= {"published": PUBLISHED, "limits": limits}
    return fields


def other_texts(commands: Iterable[str]) -> list[str]:
    """Return what a card says of a teacher that had learnt from other texts than the reviews.

    Args:
        commands: all that made a model, as `publishing.before` gives them.

    Example:
        >>> len(other_texts(["python -m recipes.transformer_teacher train --checkpoint a/b"]))
        1
    """
    found = (
        re.search(r"recipes\.transformer_teacher train .*--checkpoint (\S+)", each)
        for each in commands
    )
    return [
        f"One of its teachers was a Transformer ({name}) that had been trained on other texts "
        "before the reviews: it is no like comparison for models that learnt from IMDB alone."
        for name in dict.fromkeys(each[1] for each in found if each)
    ]


def _language(data: Mapping[str, Any], start: str) -> list[str]:
    """Return the codes of a model's languages: IMDB's, or those of what it began with."""
    from gru_zoo import zoo
    from gru_zoo.data import imdb

    if data["origin"] == imdb.ORIGIN:
        return ["en"]
    if start and (Path(start) / "config.json").exists():
        run = RunFolder.open(start)
        return _language(run.data(), run.config.get("start", ""))
    if start in zoo.list_models() or (start and (Path(start) / "card.json").exists()):
        return list(zoo.card(start).language)
    return ["und"]  # undetermined


def measured(model: SequenceClassifier, source: str = "auto") -> list[Section]:
    """Return the `measured` sections of a sentiment model's card.

    Args:
        model: a classifier with the labels negative and positive.
        source: where IMDB's reviews come from, see `imdb.load`.

    Raises:
        FileNotFoundError: IMDB's reviews or Rotten Tomatoes' sentences are nowhere to be had.
    """
    from gru_zoo.data import rotten_tomatoes
    from gru_zoo.evaluation.robustness import Texts, measured_sections

    parts = []
    for split in ("validation", "test"):
        found, record = reviews.read(split, source)
        parts.append(Texts(f"{len(found.labels):,} reviews: {record.splits[split][1]}", *found))
    (texts, labels), _ = rotten_tomatoes.load()
    others = [Texts("Rotten Tomatoes, single sentences", texts, labels)] if len(labels) else []
    return measured_sections(model, *parts, others)
