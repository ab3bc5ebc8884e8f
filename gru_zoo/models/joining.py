"""Classifiers that share their words, side by side in one.

Independent trainings of one network make different mistakes, and the mean of what they say is
better than each (Hansen and Salamon 1990; Dietterich 2000). GRUs over the same word vectors are one
wider GRU whose weights between them are zero:

    U = [[U_1, 0], [0, U_2]]    W = [W_1, W_2]    h = [h_1, h_2]

so that such a mean is a `SequenceClassifier` as any other, to train further and to export.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import WordTokenizer


def keep_words(model: SequenceClassifier, other: keras.Model) -> None:
    """Give a classifier the word vectors of another model, and train them no more.

    Args:
        model: its embedding is written and no longer trainable.
        other: a model with `tokenizer`, `embedding_dim` and `embedding`.

    Raises:
        ValueError: their words or the dimensions of their vectors differ.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> one, other = (SequenceClassifier(words, embedding_dim=4, units=5) for _ in range(2))
        >>> keep_words(one, other)
        >>> one.embedding.trainable
        False
    """
    require_same_words(model, other)
    model.embedding.set_weights(other.embedding.get_weights())
    model.embedding.trainable = False


def side_by_side(models: Sequence[SequenceClassifier], sequence_length: int) -> SequenceClassifier:
    """Return one classifier whose GRU is those of several, side by side.

    Its logits are the mean of theirs, so its probabilities are the normalized geometric mean of
    theirs.

    Args:
        models: causal classifiers of our GRU with the same word vectors and labels; they may differ
            in their units.
        sequence_length: words that it reads.

    Returns:
        A new model, as many units as all of them have together.

    Raises:
        ValueError: fewer than two models, or models of another kind, other words, other word
            vectors or other labels.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> one, other = (SequenceClassifier(words, embedding_dim=4, units=u) for u in (5, 7))
        >>> keep_words(other, one)
        >>> side_by_side([one, other], sequence_length=8).units
        12
    """
    if len(models) < 2:
        raise ValueError(f"models must be two or more; got {len(models)}.")
    first = models[0]
    for model in models:
        _require_alike(model, first)
    joined = SequenceClassifier(
        WordTokenizer(first.tokenizer.vocabulary, sequence_length, first.tokenizer.fold_case),
        first.labels,
        embedding_dim=first.embedding_dim,
        units=sum(model.units for model in models),
        dropout=first.dropout,
    )
    kernels, recurrent, biases = zip(*(model.rnn.get_weights() for model in models), strict=True)
    joined.embedding.set_weights(first.embedding.get_weights())
    joined.rnn.set_weights(
        [_gates(kernels, np.hstack), _gates(recurrent, _blocks), _gates(biases, np.hstack)]
    )
    heads, offsets = zip(*(model.head.get_weights() for model in models), strict=True)
    # Pooled features are [last; max; mean] of all units: a third of each head's rows for each.
    thirds = zip(*(np.split(head, 3) for head in heads), strict=True)
    head = np.concatenate([np.concatenate(third) for third in thirds])
    joined.head.set_weights([head / len(models), np.mean(offsets, axis=0)])
    return joined


def _gates(
    weights: Sequence[np.ndarray], join: Callable[[Sequence[np.ndarray]], np.ndarray]
) -> np.ndarray:
    """Join weights [..., 3 units] of several GRUs, those of each gate by themselves."""
    each = zip(*(np.split(weight, 3, axis=-1) for weight in weights), strict=True)
    return np.concatenate([join(gate) for gate in each], axis=-1)


def _blocks(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Return square matrices along the diagonal of a larger one, zeros elsewhere."""
    whole = np.zeros((sum(map(len, matrices)),) * 2, np.float32)
    start = 0
    for matrix in matrices:
        end = start + len(matrix)
        whole[start:end, start:end] = matrix
        start = end
    return whole


def _require_alike(model: SequenceClassifier, first: SequenceClassifier) -> None:
    if not isinstance(model, SequenceClassifier):
        raise ValueError(f"models must be SequenceClassifiers; got a {type(model).__name__}.")
    if model.cell != "gru" or model.bidirectional:
        directions = "two directions" if model.bidirectional else "one direction"
        raise ValueError(
            f"models must have a GRU of one direction; got {model.cell!r} of {directions}."
        )
    if model.labels != first.labels:
        raise ValueError(f"models must have the same labels; got {first.labels}, {model.labels}.")
    require_same_words(model, first)
    if not np.array_equal(*(each.embedding.get_weights()[0] for each in (model, first))):
        raise ValueError(
            "models must have the same word vectors; they differ: train with keep_words."
        )


def require_same_words(model: keras.Model, other: keras.Model) -> None:
    """Raise ValueError unless two models have the same words and vectors of as many numbers.

    Args:
        model: with `tokenizer` and `embedding_dim`.
        other: as `model`.

    Example:
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> one, other = (SequenceClassifier(words, embedding_dim=dim) for dim in (4, 5))
        >>> require_same_words(one, other)
        Traceback (most recent call last):
        ValueError: other must have word vectors of 4 numbers; got 5.
    """
    if model.tokenizer.vocabulary != other.tokenizer.vocabulary:
        raise ValueError("other must have the same words as model; they differ.")
    if model.embedding_dim != other.embedding_dim:
        raise ValueError(
            f"other must have word vectors of {model.embedding_dim} numbers; "
            f"got {other.embedding_dim}."
        )
