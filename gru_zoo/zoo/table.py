"""The table of presets in the project's README, made of the cards."""

from __future__ import annotations

from collections.abc import Iterable

from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.markdown import table

BEGIN = "<!-- presets: made by `python -m gru_zoo.zoo table --write` -->"
END = "<!-- end of presets -->"
_COLUMNS = (
    "model",
    "metric and test set",
    "this model",
    "mean ± SD over seeds",
    "published results of others",
    "parameters",
    "int8 file",
    "training time",
)


def preset_table(cards: Iterable[Card]) -> str:
    """Return one row per card, as Markdown.

    Example:
        >>> from gru_zoo.zoo import card
        >>> preset_table([card("sentiment_imdb_gru_small")]).startswith("| model | metric ")
        True
    """
    return table(_COLUMNS, [_row(card) for card in cards])


def _row(card: Card) -> tuple[str, ...]:
    metric = METRICS[card.metric]
    sizes = [export["bytes"] for export in card.exports if export["variant"] == "int8"]
    seconds = sum(score.train_seconds for score in card.scores) / len(card.scores)
    what = " per seed" if len(card.scores) > 1 else ""
    stages = ["last stage"] if card.goes_on() else []
    stages += ["sum of the averaged runs"] if card.is_average() else []
    what += f" ({'; '.join(stages)})" if stages else ""
    # Perplexities compare over one vocabulary only.
    size = card.configuration.get("tokens") if card.metric == "perplexity" else None
    words = f" ({size:,}-word vocabulary)" if size else ""
    published = card.published[:2]  # Enough for a table: a card's first ones compare best.
    return (
        f"[`{card.name}`](saved_models/{card.name}/README.md)",
        f"{metric.title}{words}; {card.scored_on}",
        metric.show(card.value),
        card.spread(),
        "; ".join(f"{row['system']} {row['value']}" for row in published) or "–",
        f"{card.model['parameters']:,}",
        f"{sum(sizes) / 1e3:,.0f} KB" if sizes else "–",
        f"{seconds:,.0f} s{what}",
    )
