"""The sequences that a conversion to integers is calibrated on, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.programs import Given, functional, matched, readers


def checked(model: keras.Model, representative: Sequence[Any]) -> list[dict[str, np.ndarray]]:
    """Return representative sequences as arrays by input name; raise if one cannot be used.

    Padding is taken out: ids 0 where an embedding masks them, and rows that a `Masking` layer
    masks; of several inputs only the steps that are padding in all of them. What is left of it
    belongs to a whole sequence; a stream has none, see `streams`.

    Args:
        model: the model that will be converted.
        representative: sequences: ids [time] of an integer type, or [time, features] of a float
            type; for a model of several inputs name -> such an array, all of one length, or
            [features] of an input [batch, features], the same at every step.

    Returns:
        For every sequence, name -> [time] int32 or [time, features] float32.

    Raises:
        ValueError: there is none, or one has another shape, type or names, holds NaN or infinity,
            nothing but padding, or an id outside the vocabulary; its number is in the message.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
        >>> checked(model, [np.ones((5, 3), "float32")])
        Traceback (most recent call last):
        ValueError: representative[0] must have shape [time, 4] with ...; got (5, 3).
    """
    unusable = isinstance(representative, (str, bytes, Mapping))
    if unusable or not isinstance(representative, Iterable):
        given = type(representative).__name__
        raise ValueError(f"representative must be sequences of the model's inputs; got {given}.")
    items = list(representative)
    if not items:
        raise ValueError("representative must hold at least one sequence; got none.")
    inputs, embeddings = Network(model).inputs, _embeddings(model)
    words = _vocabularies(model, inputs, embeddings)
    masked = padding(model, inputs)
    return [
        _checked_item(f"representative[{number}]", item, inputs, words, masked)
        for number, item in enumerate(items)
    ]


def _embeddings(model: keras.Model) -> list[keras.layers.Embedding]:
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.Embedding)]


def padding(model: keras.Model, inputs: Mapping[str, Given]) -> dict[str, list[float]]:
    """Return the numbers that a step of padding may consist of, by the input's name.

    Args:
        model: a model that `Network` takes.
        inputs: the network's.

    Example:
        >>> masking = keras.layers.Masking(-1.0)
        >>> model = keras.Sequential([keras.Input((None, 4)), masking, keras.layers.GRU(7)])
        >>> padding(model, Network(model).inputs)
        {'inputs': [-1.0]}
    """
    if len(inputs) == 1 and "ids" in inputs:
        return {"ids": [0]} if any(layer.mask_zero for layer in _embeddings(model)) else {}
    # An input may be read by layers of other models too.
    own = {id(layer) for layer in model._flatten_layers()}
    found: dict[str, list[float]] = {}
    for (name, given), tensor in zip(inputs.items(), functional(model).inputs, strict=True):
        for layer in readers(tensor):
            if id(layer) not in own or given.kind == "vector":
                continue
            if isinstance(layer, keras.layers.Masking):
                found.setdefault(name, []).append(layer.mask_value)
            elif isinstance(layer, keras.layers.Embedding) and layer.mask_zero:
                found.setdefault(name, []).append(0)
    return found


def _vocabularies(
    model: keras.Model, inputs: Mapping[str, Given], embeddings: list[keras.layers.Embedding]
) -> dict[str, int]:
    """Return how many ids each input may have, by name, where an embedding reads it."""
    if len(inputs) == 1:
        sizes = [layer.input_dim for layer in embeddings]
        return dict.fromkeys(inputs, min(sizes)) if sizes else {}
    found: dict[str, int] = {}
    _follow(functional(model), [{name} for name in inputs], found)
    return found


def _follow(function: Any, names: list[set[str]], found: dict[str, int]) -> list[set[str]]:
    """Walk a functional model; return the inputs that reach each output without an embedding.

    Args:
        function: the model, or one inside another.
        names: of the inputs that reach each of its inputs.
        found: name -> smallest vocabulary so far; filled.
    """
    reach = dict(zip(map(id, function.inputs), names, strict=True))
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input:
                continue
            read = [reach.get(id(tensor), set()) for tensor in node.arguments.keras_tensors]
            every, operation = set().union(*read), node.operation
            results = [every] * len(node.outputs)
            if isinstance(operation, keras.layers.Embedding):
                for name in every:
                    found[name] = min(operation.input_dim, found.get(name, operation.input_dim))
                results = [set()]
            elif isinstance(operation, (keras.Sequential, Functional)):
                given = matched(operation, node.arguments.args, node.arguments.kwargs)
                inside = [reach.get(id(tensor), set()) for tensor in given]
                results = _follow(functional(operation), inside, found)
            reach.update(zip(map(id, node.outputs), results, strict=True))
    return [reach.get(id(tensor), set()) for tensor in function.outputs]


def _checked_item(
    where: str,
    item: Any,
    inputs: Mapping[str, Given],
    words: Mapping[str, int],
    padding: Mapping[str, list[float]],
) -> dict[str, np.ndarray]:
    """Return one sequence by input name."""
    if not isinstance(item, Mapping):
        if len(inputs) > 1:
            raise ValueError(
                f"{where} must map {', '.join(map(repr, inputs))} to arrays; got "
                f"{type(item).__name__}."
            )
        item = {next(iter(inputs)): item}
    if set(item) != set(inputs):
        names = ", ".join(map(repr, inputs))
        raise ValueError(f"{where} must have the names {names}; got {sorted(item)}.")
    arrays = {}
    for name, about in inputs.items():
        place = where if len(inputs) == 1 else f"{where}[{name!r}]"
        arrays[name] = _array(place, item[name], about, words.get(name))
    # Of vectors there is one for a whole sequence.
    sequences = [name for name, about in inputs.items() if about.kind != "vector"]
    steps = max((len(arrays[name]) for name in sequences), default=1)
    for name in inputs.keys() - set(sequences):
        if len(arrays[name]) == 1:
            arrays[name] = np.repeat(arrays[name], steps, axis=0)
    lengths = {len(x) for x in arrays.values()}
    if len(lengths) > 1:
        raise ValueError(f"{where} must have inputs of one length; got {sorted(lengths)}.")
    if not sequences or not padding.keys() >= set(sequences):
        return arrays
    padded = [_masked(arrays[name], padding[name]) for name in sequences]
    real = ~np.all(padded, axis=0)
    if not real.any():
        raise ValueError(f"{where} must have at least one step that is no padding; got none.")
    return {name: x[real] for name, x in arrays.items()}


def streams(
    model: keras.Model, sequences: Sequence[Mapping[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Return sequences as a stream has them, to calibrate a step on: see `unpadded`.

    A sequence with an input that is nothing but padding is left out.

    Args:
        model: the model that will be converted.
        sequences: what `checked` returned.

    Raises:
        ValueError: no sequence is left.

    Example:
        >>> masking = keras.layers.Masking(-1.0)
        >>> model = keras.Sequential([keras.Input((None, 4)), masking, keras.layers.GRU(7)])
        >>> len(streams(model, checked(model, [np.ones((5, 4), "float32")])))
        1
    """
    masked = padding(model, Network(model).inputs)
    found = [unpadded(sequence, masked) for sequence in sequences]
    found = [sequence for sequence in found if sequence is not None]
    if not found:
        raise ValueError(
            "representative must hold a sequence with a step of every input that is no padding; "
            "got none."
        )
    return found


def unpadded(
    sequence: Mapping[str, np.ndarray], padding: Mapping[str, Sequence[float]]
) -> dict[str, np.ndarray] | None:
    """Return a sequence without padding, None if an input is nothing else.

    In a stream every step counts, in every input. Where one has ended and another goes on, its
    other steps take the place of padding, in turn.

    Args:
        sequence: name -> [time, ...].
        padding: name -> the numbers that a step of padding may consist of.

    Example:
        >>> unpadded({"ids": np.array([3, 4, 0, 0, 0])}, {"ids": [0]})
        {'ids': array([3, 4, 3, 4, 3])}
    """
    found = dict(sequence)
    for name, values in padding.items():
        rows = sequence[name].copy()
        masked = _masked(rows, values)
        if masked.all():
            return None
        rows[masked] = np.resize(rows[~masked], rows[masked].shape)
        found[name] = rows
    return found


def _masked(array: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """Return whether all of a step [...] is one of the values, for an input [time, ...]."""
    rows = array.reshape(len(array), -1)
    return np.any([(rows == value).all(axis=1) for value in values], axis=0)


def _array(where: str, value: Any, about: Given, words: int | None) -> np.ndarray:
    """Return one input [time, ...] in the type that the model takes."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{where} must be one array; got rows of different lengths.") from None
    ids = about.kind == "ids"
    if about.kind == "vector" and array.shape == about.shape:
        array = array[None]
    if array.dtype.kind not in ("iu" if ids else "f"):
        allowed = "an integer" if ids else "a float"
        raise ValueError(f"{where} must be of {allowed} type; got {array.dtype}.")
    if array.ndim != 1 + len(about.shape) or array.shape[1:] != about.shape or not len(array):
        shape = ", ".join(["time", *map(str, about.shape)])
        raise ValueError(
            f"{where} must have shape [{shape}] with at least one step; got {array.shape}."
        )
    if not ids:
        with np.errstate(over="ignore"):  # too large for float32 is infinity, and refused as such
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"{where} must be finite; it holds NaN or infinity.")
        return array
    if words is not None and (array.min() < 0 or array.max() >= words):
        wrong = array[(array < 0) | (array >= words)][0]
        raise ValueError(f"{where} must hold ids from 0 to {words - 1}; got {wrong}.")
    return array.astype(np.int32)
