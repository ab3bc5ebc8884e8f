"""A tagger's table of per-tag scores, and the text of its card."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.training.runs import RunFolder

# https://nlpprogress.com/english/part-of-speech_tagging.html
PUBLISHED = tuple(
    {"system": system, "value": value, "source": "NLP-progress"}
    for system, value in (
        ("CoreNLP", "94.7 %"),
        ("spaCy's transformer", "96.9 %"),
        ("UDPipe", "92.5 %"),
        ("BERT-base", "97.2 %"),
    )
)
_HEADS = ("tag", "words", "precision", "recall", "F1")


def print_tags(run: RunFolder, tags: dict[str, dict[str, float]]) -> None:
    """Print one row per tag.

    Args:
        run: a finished run.
        tags: tag -> figures, as `metrics.per_class` gives them.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"pos_tagging: {run.metrics()['scored_on']}", title_justify="left")
    for heading in _HEADS:
        table.add_column(heading, justify="left" if heading == "tag" else "right")
    for row in _rows(tags):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def card_fields(model: Tagger, run: RunFolder) -> dict[str, Any]:
    """Return the fields of `About` that every tagger shares.

    Args:
        model: what the card is of.
        run: the finished run, with its `tags.json`; its treebank's name begins with a language.
    """
    import json

    from gru_zoo.artifacts.card import Section
    from gru_zoo.artifacts.tagger import tagger_configuration
    from gru_zoo.models.tagger import LENGTHS

    limit = run.config.get("limit", 0)
    tags = json.loads((run.path / "tags.json").read_text(encoding="utf-8"))
    treebank = run.config["treebank"]
    language = treebank.split("_")[0]
    # The split of raw text is that of English treebanks, whatever the tagger has learnt.
    raw, others = "raw English text, approximately", "other languages"
    if language != "en":
        raw = "raw text, approximately as in English treebanks"
        others = f"languages other than that of the treebank {treebank} ({language})"
    return {
        "task": "token-classification",
        "language": [language],
        "summary": "Predicts the universal part-of-speech tag (UPOS) of each word of a sentence.",
        "uses": (
            "Tagging of tokenized text on a phone, in a browser or on a server; the SavedModel "
            f"also tokenizes {raw}. Not meant for {others}."
        ),
        "dataset": "universal_dependencies",
        "configuration": {
            "treebank": treebank,
            **tagger_configuration(model),
            **({"limit": limit} if limit else {}),
        },
        "published": PUBLISHED if treebank == "en_ewt" else (),
        "measured": [
            Section(
                "Per-tag results", _HEADS, _rows(tags), "Keras model, on the split named above."
            )
        ],
        "limits": [
            f"It takes at most {LENGTHS[-1]} words per sentence.",
            "Scores are with gold tokenization, the treebank's own: on raw text, tokenization "
            "errors come on top.",
            "Of a word outside its vocabulary it sees the affixes and the shape only.",
        ],
    }


def _rows(tags: dict[str, dict[str, float]]) -> list[list[str]]:
    return [
        [tag, f"{figures['count']:,}"]
        + [f"{100 * figures[key]:.1f} %" for key in ("precision", "recall", "f1")]
        for tag, figures in tags.items()
    ]
