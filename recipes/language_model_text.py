"""Data of the language models: a data set's texts, its tokens, and the streams of ids."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recipes.shared import reviews

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.source import Source
    from gru_zoo.text.characters import CharacterTokenizer
    from gru_zoo.text.tokenizers import WordTokenizer
    from gru_zoo.training.batching import StreamBatches
    from recipes.language_model import Train

# Texts that are read side by side where nothing is learnt; of characters there is one text.
READERS = {"imdb": 25, "tiny_shakespeare": 1}
METRIC = {"imdb": "perplexity", "tiny_shakespeare": "bits_per_character"}


def learnt(config: Train) -> tuple[np.ndarray, Source]:
    """Return the texts that are learnt from, [texts] objects."""
    import numpy as np

    texts, source = read("train", config)
    if source.splits.get("unsupervised"):
        texts = np.concatenate([texts, read("unsupervised", config)[0]])
    return texts, source


def read(split: str, config: Train) -> tuple[np.ndarray, Source]:
    """Return a split's texts, [texts] objects."""
    import numpy as np

    if config.dataset == "tiny_shakespeare":
        from gru_zoo.data import tiny_shakespeare

        text, source = tiny_shakespeare.load(split)
        return np.array([text[: config.limit or None]], object), source

    found, source = reviews.read(split, config.source, config.limit)
    return found.texts, source


def fitted(texts: np.ndarray, config: Train) -> WordTokenizer | CharacterTokenizer:
    """Return the tokenizer of the texts that are learnt from."""
    if config.dataset == "tiny_shakespeare":
        from gru_zoo.text.characters import CharacterTokenizer

        return CharacterTokenizer.fit(texts)
    from gru_zoo.text.tokenizers import WordTokenizer

    # Longer than any text: this tokenizer's users choose a length of their own.
    return WordTokenizer.fit(texts, config.vocabulary_size, 400, fold_case=True)


def streams(
    tokenizer: WordTokenizer | CharacterTokenizer, texts: np.ndarray, config: Train, count: int
) -> StreamBatches:
    """Return the texts as `count` streams of ids, each text after its `<START>`."""
    import numpy as np

    from gru_zoo.text.tokenizers import SPECIAL, START
    from gru_zoo.training.batching import StreamBatches

    start = np.array([SPECIAL.index(START)], np.int32)
    rows: list[np.ndarray] = []
    for first in range(0, len(texts), 1024):
        ids = tokenizer.words(texts[first : first + 1024])
        words = np.split(ids.values.numpy(), ids.row_splits.numpy()[1:-1])
        rows += [np.concatenate([start, row[:: -1 if config.backward else 1]]) for row in words]
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    return StreamBatches(np.concatenate(rows), starts, count, config.steps, config.seed)


def frequencies(
    tokenizer: WordTokenizer | CharacterTokenizer, texts: np.ndarray, config: Train
) -> np.ndarray:
    """Return how often each id occurs in the texts, [tokens]."""
    import numpy as np

    read = streams(tokenizer, texts, config, config.streams)
    return np.bincount(read.tokens, minlength=len(tokenizer.vocabulary))


def figures(scores: dict[str, float], config: Train) -> dict[str, float]:
    """Return a split's scores with the data set's own metric beside them; it may be infinite."""
    if METRIC[config.dataset] == "perplexity":
        try:
            return {**scores, "perplexity": math.exp(scores["loss"])}
        except OverflowError:  # The training diverges, and ends as soon as it sees that.
            return {**scores, "perplexity": math.inf}
    return {**scores, "bits_per_character": scores["loss"] / math.log(2)}
