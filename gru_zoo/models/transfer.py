"""What one model learnt, as the beginning of another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import WordTokenizer

_Model = TypeVar("_Model", SequenceClassifier, LanguageModel)


def classifier_from(
    source: LanguageModel | SequenceClassifier,
    labels: Sequence[str],
    sequence_length: int,
    dropout: float,
) -> SequenceClassifier:
    """Return a classifier that begins with another model's words, vectors and GRU.

    A language model's weights are a good beginning (Dai and Le 2015). A classifier with as many
    labels gives its last layer too.

    Args:
        source: a model of one GRU over words.
        labels: of the new classifier.
        sequence_length: words that it reads.
        dropout: as for `SequenceClassifier`.

    Raises:
        ValueError: `source` is another kind of model, or one of another cell or of other pieces
            than words.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = classifier_from(LanguageModel(words, 4, 5), ("no", "yes"), 16, dropout=0.5)
        >>> model.units, model.tokenizer.sequence_length
        (5, 16)
    """
    if not isinstance(source, (LanguageModel, SequenceClassifier)):
        raise ValueError(
            "source must be a LanguageModel or a SequenceClassifier; "
            f"got a {type(source).__name__}."
        )
    words, cell = source.tokenizer, getattr(source, "cell", "gru")
    if not isinstance(words, WordTokenizer):
        raise ValueError(f"source must read words; it has a {type(words).__name__}.")
    if cell not in ("gru", "keras_gru"):
        raise ValueError(f"source must have a GRU; its cell is {cell!r}.")
    model = SequenceClassifier(
        WordTokenizer(words.vocabulary, sequence_length, words.fold_case),
        labels,
        embedding_dim=source.embedding_dim,
        units=source.units,
        dropout=dropout,
        bidirectional=isinstance(source, SequenceClassifier) and source.bidirectional,
    )
    model.embedding.set_weights(source.embedding.get_weights())
    model.rnn.set_weights(source.rnn.get_weights())
    if isinstance(source, SequenceClassifier) and len(source.labels) == len(labels):
        model.head.set_weights(source.head.get_weights())
    return model


def mean_of(models: Sequence[_Model]) -> _Model:
    """Return a model whose weights are the mean of others' that began alike.

    Of models that were trained from the same beginning the mean is often better than each, and
    costs no more to run (Wortsman et al. 2022, "Model soups"); of others it is nonsense.

    Args:
        models: one or more of one class; the first one is changed and returned. They may read
            different lengths, and have different dropout, kernels and trainable parts.

    Raises:
        ValueError: none, or models of other classes, words, labels or sizes.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> one, other = (SequenceClassifier(words, embedding_dim=4, units=5) for _ in range(2))
        >>> mean_of([one, other]) is one
        True
    """
    if not models:
        raise ValueError("models must be one or more; got none.")
    first = models[0]
    if len(kinds := {type(model).__name__ for model in models}) > 1:
        raise ValueError(f"models must be of one class; got {', '.join(sorted(kinds))}.")
    known = [_fixed(model) for model in models]
    for config in known[1:]:
        for key in sorted(known[0]):
            if config[key] != known[0][key]:
                raise ValueError(f"models must be alike in their {key}; they are not.")
    weights = zip(*(model.get_weights() for model in models), strict=True)
    first.set_weights([np.mean(each, axis=0, dtype=np.float64) for each in weights])
    return first


def _fixed(model: keras.Model) -> dict[str, Any]:
    """Return the part of a model's config in which models must be alike to have a mean."""
    apart = ("name", "dropout", "dtype", "trainable", "trainable_parts", "kernel")
    config = {key: value for key, value in model.get_config().items() if key not in apart}
    words = {k: v for k, v in config["tokenizer"].items() if k != "sequence_length"}
    return {**config, "tokenizer": words}


def give_words(model: SequenceClassifier, other: keras.Model) -> int:
    """Give a classifier's words the vectors of another model's, in as many dimensions as it has.

    The vectors are turned to their principal axes without centring (singular value decomposition)
    and cut, which keeps as much of their scalar products as so many dimensions can.

    Args:
        model: its embedding is written; words that `other` does not have stay as they are.
        other: a model with `tokenizer` and `embedding`.

    Returns:
        how many words were given a vector.

    Raises:
        ValueError: `model` has more dimensions than `other`.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> small = SequenceClassifier(words, embedding_dim=2, units=5)
        >>> give_words(small, SequenceClassifier(words, embedding_dim=4, units=7))
        3
    """
    table = np.asarray(other.embedding.get_weights()[0])
    if model.embedding_dim > table.shape[1]:
        raise ValueError(
            f"embedding_dim must be at most {table.shape[1]}, as in the other model; "
            f"got {model.embedding_dim}."
        )
    axes = np.linalg.svd(table, full_matrices=False)[2][: model.embedding_dim]
    known = other.tokenizer.table()
    ids = np.array([known.get(word, 0) for word in model.tokenizer.vocabulary])
    vectors = np.array(model.embedding.get_weights()[0])
    found = ids > 0  # padding needs none
    # Fewer words than dimensions have as few axes, and nothing in the dimensions beyond them.
    beyond = (0, model.embedding_dim - len(axes))
    vectors[found] = np.pad(table[ids[found]] @ axes.T, [(0, 0), beyond])
    model.embedding.set_weights([vectors])
    return int(found.sum())
