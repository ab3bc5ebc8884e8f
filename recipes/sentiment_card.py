"""What the card of a sentiment model says besides its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gru_zoo.models.classifier import SequenceClassifier

SUMMARY = "Tells whether an English film review is positive or negative."
USES = (
    "Sentiment of English film reviews of some sentences to a page, on a phone, in a browser or on "
    "a server. Not meant for other languages, for judging people, or where a wrong answer harms "
    "somebody: every text gets one of two labels, whatever it is about."
)
PUBLISHED = (
    {
        "system": "bidirectional LSTM of keras.io's example",
        "value": "87.8 % on a validation split",
        "source": "model card of the Keras example",
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


def said(model: SequenceClassifier) -> dict[str, Any]:
    """Return the fields of `About` that every sentiment model shares.

    Args:
        model: for what follows from its configuration.
    """
    from gru_zoo.classifier_artifact import classifier_configuration

    return {
        "task": "text-classification",
        "language": ["en"],
        "summary": SUMMARY,
        "uses": USES,
        "dataset": "stanfordnlp/imdb",
        "configuration": classifier_configuration(model),
        "published": PUBLISHED,
        "limits": [
            f"It reads the first {model.tokenizer.sequence_length - 1} words; the rest is cut off.",
            f"Words outside its vocabulary of {len(model.tokenizer.vocabulary):,} are all the same "
            "to it.",
            "IMDB's reviews are clearly good or bad (ratings of 5 and 6 were left out by its "
            "authors): there is no neutral label, and mixed reviews get one of the two.",
        ],
    }
