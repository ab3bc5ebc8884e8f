"""Several classifiers as one, which gives the mean of their logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gru_zoo.models.classifier import SequenceClassifier


def joined(models: Sequence[SequenceClassifier], embedding_dim: int = 0) -> SequenceClassifier:
    """Return one classifier that computes what an ensemble of others does.

    Models that err differently err less together (Hansen and Salamon 1990), but a runtime takes one
    model. This one has the word vectors and the units of all of them side by side. No unit reads
    another model's units or vectors yet: those weights are zero, and training may go on from there.
    Its logits are the mean of theirs. It is exported and streamed as any other.

    Args:
        models: two or more of one vocabulary and the same labels, of a GRU in one direction. Sizes
            may differ; reading length and dropout are the first one's.
        embedding_dim: size of the word vectors. 0 keeps them all, and so computes the same; fewer
            dimensions keep the principal ones (singular value decomposition, without centring).

    Raises:
        ValueError: fewer than two models, or they differ in words or labels, or one of them is of
            another kind; or `embedding_dim` is more than all have.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> one, other = (SequenceClassifier(words, embedding_dim=4, units=n) for n in (5, 6))
        >>> both = joined([one, other])
        >>> both.embedding_dim, both.units
        (8, 11)
    """
    _check(models)
    first = models[0]
    tables, kernels, recurrent, biases, heads, offsets = zip(*map(_parts, models), strict=True)
    table, kernel = np.concatenate(tables, axis=-1), _block_diagonal(kernels)
    if embedding_dim:
        table, kernel = _principal(table, kernel, embedding_dim)
    sizes = {"embedding_dim": table.shape[1], "units": sum(model.units for model in models)}
    config = {key: value for key, value in first.get_config().items() if key != "name"}
    both = SequenceClassifier.from_config({**config, **sizes})
    gates = 3 * both.units
    both.embedding.set_weights([table])
    both.rnn.set_weights(
        [
            kernel.reshape(len(kernel), gates),
            _block_diagonal(recurrent).reshape(both.units, gates),
            np.concatenate(biases, axis=-1).reshape(2, gates),
        ]
    )
    head = np.concatenate(heads, axis=1) / len(models)
    both.head.set_weights([head.reshape(gates, -1), np.mean(offsets, axis=0)])
    return both


def _check(models: Sequence[SequenceClassifier]) -> None:
    """Raise unless the models can be one."""
    if len(models) < 2:
        raise ValueError(f"models must be two or more; got {len(models)}.")
    for model in models:
        if not isinstance(model, SequenceClassifier):
            raise ValueError(f"models must be SequenceClassifiers; got a {type(model).__name__}.")
        if model.cell not in ("gru", "keras_gru") or model.bidirectional:
            raise ValueError(
                "models must be of a GRU in one direction; got "
                f"cell={model.cell!r}, bidirectional={model.bidirectional}."
            )
    first = models[0]
    for model in models[1:]:
        if model.labels != first.labels:
            raise ValueError(
                f"models must have the same labels; got {first.labels}, {model.labels}."
            )
        if not _same_words(model, first):
            raise ValueError("models must have the same vocabulary; they have not.")


def _same_words(one: SequenceClassifier, other: SequenceClassifier) -> bool:
    first, second = (
        {
            key: value
            for key, value in model.tokenizer.get_config().items()
            if key != "sequence_length"
        }
        for model in (one, other)
    )
    return type(one.tokenizer) is type(other.tokenizer) and first == second


def _parts(model: SequenceClassifier) -> tuple[np.ndarray, ...]:
    """Return a model's weights, with an axis of their own for gates and for kinds of pooling."""
    (table,), rnn, (head, offset) = (
        layer.get_weights() for layer in (model.embedding, model.rnn, model.head)
    )
    kernel, recurrent, bias = (each.reshape(len(each), 3, model.units) for each in rnn)
    return table, kernel, recurrent, bias, head.reshape(3, model.units, -1), offset


def _block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Return `[inputs, gates, units]` of all blocks; the units of each read its own inputs."""
    inputs, units = (sum(block.shape[axis] for block in blocks) for axis in (0, 2))
    whole = np.zeros((inputs, blocks[0].shape[1], units), blocks[0].dtype)
    row = column = 0
    for block in blocks:
        rows, _, columns = block.shape
        whole[row : row + rows, :, column : column + columns] = block
        row, column = row + rows, column + columns
    return whole


def _principal(table: np.ndarray, kernel: np.ndarray, dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return word vectors `[words, dims]` on their principal axes, and the kernel that reads them.

    Args:
        table: `[words, all dimensions]`.
        kernel: `[all dimensions, gates, units]`.
        dims: how many axes are kept.
    """
    if not 0 < dims <= table.shape[1]:
        raise ValueError(
            f"embedding_dim must be 0 to {table.shape[1]}, all that the models have; got {dims}."
        )
    axes = np.linalg.svd(table, full_matrices=False)[2][:dims]
    axes = np.pad(axes, [(0, dims - len(axes)), (0, 0)])  # fewer words have fewer axes
    return table @ axes.T, np.tensordot(axes, kernel, axes=1)
