"""What the card of a translator says in words, by what the translator has learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recipes.translation_flags import Train

NAMES = {"de": "German", "en": "English", "fr": "French"}
_ALONE = "It translates one sentence at a time, without context."
_PICKED = (
    "Where English does not say whether one or several people are addressed, of which gender, or "
    "how familiarly, it picks one.",
)
# https://github.com/bentrevett/pytorch-seq2seq: its own tokens, not sacreBLEU's. Cards of every
# direction have them.
_OF_CAPTIONS = tuple(
    {
        "system": f"German to English: {system}",
        "value": f"{value} (lower case)",
        "source": "bentrevett/pytorch-seq2seq",
    }
    for system, value in (
        ("bidirectional GRU with attention, 20.5 M parameters", "28.3"),
        ("Transformer", "36.5"),
        ("GRU", "20.6"),
    )
)
# Model cards of Helsinki-NLP/opus-mt-fr-en and opus-mt-en-fr, test sets Tatoeba.fr.en, .en.fr.
_OF_SENTENCES = {
    pair: (
        {
            "system": "Transformer trained on OPUS, other sentences of Tatoeba",
            "value": value,
            "source": f"model card of Helsinki-NLP/opus-mt-{pair}",
        },
    )
    for pair, value in (("fr-en", "57.5"), ("en-fr", "50.5"))
}


class Words(NamedTuple):
    """Parts of a card.

    Attributes:
        summary: one sentence.
        uses: what it is for, and what not.
        dataset: its name on the Hugging Face hub, or a table's.
        published: what others reached.
        limits: sentences.
    """

    summary: str
    uses: str
    dataset: str
    published: Sequence[dict[str, str]]
    limits: Sequence[str]


def words_of(config: Train, trained_on: int) -> Words:
    """Return what a card says of a model.

    Args:
        config: the flags of its training.
        trained_on: pairs that it learnt from.

    Example:
        >>> words_of(Train(corpus="tatoeba", pair="fr-en"), 158_004).summary
        'Translates everyday French sentences into English.'
    """
    source, target = (NAMES.get(code, code) for code in config.pair.split("-"))
    if config.csv:
        return Words(
            f"Translates sentences from {source} into {target}.",
            "Sentences like those of the table it was trained on, translated on a device.",
            Path(config.csv).name,
            (),
            (
                _spelt(f"{trained_on:,} sentences") if not config.start else _further(trained_on),
                _ALONE,
            ),
        )
    if config.corpus == "tatoeba":
        return Words(
            f"Translates everyday {source} sentences into {target}.",
            "Short everyday sentences, such as those of a phrase book or a chat, translated on a "
            "device without a network. Not meant for texts of a subject, such as news, law or "
            "medicine, nor for any text where a mistake does harm: it makes many.",
            "tatoeba_pairs",
            _OF_SENTENCES[config.pair],
            (
                _spelt(f"{trained_on:,} pairs of short sentences, half of at most six words"),
                "Sentences of Tatoeba resemble each other (Tom and Mary are in many): one that is "
                "in the test split has none equal to it in training, but some like it, and other "
                "texts are translated worse than the score says.",
                *(_PICKED if config.pair == "en-fr" else ()),
                _ALONE,
                "The sentences are written by volunteers, and the model reproduces their biases.",
            ),
        )
    return Words(
        f"Translates {source} image captions into {target}.",
        "A small example of attention and beam search on a device. It was trained on captions of "
        "everyday pictures and knows little else: not meant for other texts.",
        "bentrevett/multi30k",
        _OF_CAPTIONS,
        (
            _spelt(f"{trained_on:,} captions"),
            _ALONE,
            "Captions describe people by what can be seen of them, and the model reproduces their "
            "biases.",
        ),
    )


def _spelt(what: str) -> str:
    return (
        f"It was trained on {what}: words that do not occur in them are spelt from subwords, often "
        "wrongly."
    )


def _further(trained_on: int) -> str:
    return f"It was trained further on {trained_on:,} sentences, and is for others like them."
