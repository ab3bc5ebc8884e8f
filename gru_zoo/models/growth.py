"""Function-preserving growth of a language model (Net2Net)."""

from __future__ import annotations

import numpy as np

from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import SPECIAL, UNKNOWN, WordTokenizer


def grow_from(model: LanguageModel, source: LanguageModel, frequencies: np.ndarray) -> None:
    """Copy a smaller language model's weights into a new one, so that it computes the same.

    Training goes on from there instead of from nothing (Chen et al. 2016, "Net2Net"). New units
    read everything, but nothing reads them yet: their weights into old units and features are zero.
    New dimensions of the vectors are random, and neither the old units nor the softmax hear of them
    yet. New units and dimensions differ from one another, and so learn different things.
    A new word begins as the word that stood for all unknown ones, with its share of their
    probability.

    Args:
        model: newly made; its weights are written. At least as large as `source` in everything.
        source: the smaller model, of words.
        frequencies: how often each id of `model` occurs, `[tokens]`.

    Raises:
        ValueError: `model` is smaller in something or lacks a word, or one is not of words.

    Example:
        >>> small = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> large = WordTokenizer([*small.vocabulary, "film"], sequence_length=8)
        >>> source, model = LanguageModel(small, 4, 5), LanguageModel(large, 6, 7)
        >>> grow_from(model, source, np.array([0, 1, 2, 3, 2]))
        >>> import keras
        >>> ids = np.array([[1, 3]])
        >>> before, after = (keras.ops.softmax(each(ids))[0, 1, 3] for each in (source, model))
        >>> bool(abs(after - before) < 1e-6)
        True
    """
    _check(model, source, frequencies)
    rows = _rows(model, source)
    table = np.array(model.embedding.get_weights()[0])
    dims = source.embedding_dim
    table[:, :dims] = source.embedding.get_weights()[0][rows]
    model.embedding.set_weights([table])
    model.token_bias.assign(np.asarray(source.token_bias)[rows] + _shares(rows, frequencies))
    # Gates lie side by side in a weight's last axis.
    pairs = zip(model.rnn.get_weights(), source.rnn.get_weights(), strict=True)
    model.rnn.set_weights([_enlarged(new, old, 3) for new, old in pairs])
    pairs = zip(model.projection.get_weights(), source.projection.get_weights(), strict=True)
    kernel, bias = (_enlarged(new, old, 1) for new, old in pairs)
    kernel[:, dims:] = 0
    model.projection.set_weights([kernel, bias])


def _check(model: LanguageModel, source: LanguageModel, frequencies: np.ndarray) -> None:
    """Raise unless the model is the source and more."""
    for name, given in (("source", source), ("model", model)):
        if not isinstance(given.tokenizer, WordTokenizer):
            raise ValueError(f"{name} must be of words; has a {type(given.tokenizer).__name__}.")
    for name in ("embedding_dim", "units"):
        least, size = getattr(source, name), getattr(model, name)
        if size < least:
            raise ValueError(f"{name} must be at least {least}, as in source; got {size}.")
    known = set(model.tokenizer.vocabulary)
    missing = [word for word in source.tokenizer.vocabulary if word not in known]
    if missing:
        raise ValueError(
            f"model must have every word of source; {len(missing)} are missing, "
            f"such as {missing[0]!r}."
        )
    if np.shape(frequencies) != (model.tokens,):
        raise ValueError(
            f"frequencies must be one for each of {model.tokens} words; "
            f"got shape {np.shape(frequencies)}."
        )


def _rows(model: LanguageModel, source: LanguageModel) -> np.ndarray:
    """Return for each new id the old one; that of unknown words where the word is new."""
    ids = {word: place for place, word in enumerate(source.tokenizer.vocabulary)}
    unknown = SPECIAL.index(UNKNOWN)
    return np.array([ids.get(word, unknown) for word in model.tokenizer.vocabulary])


def _shares(rows: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the logarithm of each word's share in the words that were one before."""
    # One occurrence is lent to each, for a word that no text has would have no logarithm.
    counts = np.asarray(frequencies, np.float64) + 1
    return np.log(counts / np.bincount(rows, counts)[rows])


def _enlarged(new: np.ndarray, old: np.ndarray, parts: int) -> np.ndarray:
    """Return `new` with `old` in the first places of every axis, and no way from new to old ones.

    Args:
        new: `[..., new inputs, parts * new units]`, random.
        old: `[..., inputs, parts * units]`.
        parts: how many blocks lie side by side in the last axis.
    """
    blocks = new.reshape(*new.shape[:-1], parts, -1).copy()
    known = old.reshape(*old.shape[:-1], parts, -1)
    units = known.shape[-1]
    blocks[..., :units] = 0
    blocks[tuple(slice(size) for size in known.shape)] = known
    return blocks.reshape(new.shape)
