"""Random inputs for a model and what Keras makes of them, to compare an exported file with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gru_zoo.errors import lines_of
from gru_zoo.export.checks.differences import scaled_difference
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.export.checks.representative import padding
from gru_zoo.export.graphs.convolution import total_reach
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.plain_loops import plain_loops

LIMIT = 1e-5  # of a difference from Keras, as a share of the largest number where that is beyond 1
# Steps up to which Keras' loop takes less time in Python than a graph takes to trace.
EAGER = 20


@dataclasses.dataclass(frozen=True)
class Probe:
    """One call of a model.

    Attributes:
        inputs: name -> array [batch, ...], int32 for ids, else float32.
        outputs: name -> the model's result.
        limit: how far a number may differ.
    """

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    limit: float = LIMIT

    def compare(self, outputs: Mapping[str, Any], path: Any) -> float:
        """Return the largest difference of a file's outputs from the model's.

        Where an output has numbers beyond 1 in size, all of it may differ in proportion.

        Args:
            outputs: name -> array, as the file gives them for `inputs`.
            path: of the file, for the message.

        Raises:
            Refused: a number differs by more than `limit`, a bool or whole number at all.
        """
        worst = 0.0
        for name, wanted in self.outputs.items():
            given = np.asarray(outputs[name])
            require_shape(path, name, given, wanted)
            limit = 0 if wanted.dtype.kind in "biu" else self.limit
            # Equal NaN is equal: Keras' average over no step at all is one.
            difference = scaled_difference(given, wanted, equal_nan=True)
            if not (difference <= limit).all():
                raise Refused(
                    f"{path} must be within {limit:g} of the model; output {name!r} differs by "
                    f"{difference.max():.3g}."
                )
            worst = max(worst, float(difference.max(initial=0)))
        return worst


def require_shape(path: Any, name: str, given: np.ndarray, wanted: np.ndarray) -> None:
    """Raise Refused unless a file gives an output in the shape that the model gives it in."""
    if given.shape != wanted.shape:
        raise Refused(
            f"{path} must give what the model gives; output {name!r} has shape {given.shape}, the "
            f"model's {wanted.shape}."
        )


def probes(model: keras.Model) -> Iterator[Probe]:
    """Yield calls of a model of several sizes.

    Some ids and steps are what the model masks, else zero: on the right, on the left and in
    between. Of several inputs each has its own numbers, and them in another sequence of the batch.

    Args:
        model: a built `SequenceClassifier` or `LanguageModel`, or a `keras.Sequential` or
            functional model.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
        >>> [probe.outputs["outputs"].shape for probe in probes(model)]
        [(1, 7), (3, 7)]
    """
    network = Network(model)
    # A whole model is one of its own layers; of its embeddings the smallest allows the fewest ids.
    rows = [
        layer.input_dim
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Embedding)
    ]
    # In half precision the model itself is as far off.
    limit = LIMITS["float16"].difference if in_half_precision(model) else LIMIT
    random, masked = np.random.default_rng(0), padding(model, network.inputs)

    def draw(batch: int, time: int) -> dict[str, np.ndarray]:
        return {
            name: _random(random, given, min(rows, default=1), batch, time)
            for name, given in network.inputs.items()
        }

    time, inputs, outputs = _shortest(model, network, draw)
    yield Probe(inputs, outputs, limit)
    inputs = draw(3, 5 + time + total_reach(model))
    for number, (name, array) in enumerate(inputs.items()):
        if network.inputs[name].kind != "vector":
            _pad(array, masked.get(name, [0]), number)
    yield Probe(inputs, answers(model, network, inputs), limit)


def _shortest(
    model: keras.Model, network: Network, draw: Callable[[int, int], dict[str, np.ndarray]]
) -> tuple[int, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return a number of steps that a model can read, and a call of so many.

    Pooling and strides need more than one.
    """
    if None not in network.lengths().values():  # It reads what it was made for.
        inputs = draw(1, 1)
        return 1, inputs, answers(model, network, inputs)
    for time in (2**power for power in range(9)):
        inputs = draw(1, time)
        try:
            return time, inputs, answers(model, network, inputs)
        except (ValueError, tf.errors.OpError) as error:
            last = error
    raise ValueError(
        f"model must take a sequence of {time} steps or fewer; it does not: {lines_of(last)[0]}"
    ) from last


def in_half_precision(model: keras.Model) -> bool:
    """Return whether a layer of a model computes in float16 or bfloat16.

    Example:
        >>> head = keras.layers.Dense(3, dtype="mixed_bfloat16")
        >>> in_half_precision(keras.Sequential([keras.Input((4,)), head]))
        True
    """
    return any(layer.compute_dtype.endswith("float16") for layer in model._flatten_layers())


def answers(
    model: keras.Model, network: Network, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what a model gives, name -> [batch, ...], its GRU layers run as plain loops.

    Args:
        model: a built model.
        network: the model's.
        inputs: name -> [batch, ...].

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
        >>> given = answers(model, Network(model), {"inputs": np.ones((2, 30, 4), "float32")})
        >>> given["outputs"].shape
        (2, 7)
    """
    steps = max((x.shape[1] for x in inputs.values() if x.ndim > 1), default=0)
    tensors, call = {name: tf.constant(x) for name, x in inputs.items()}, network.call
    with plain_loops(model):
        if steps > EAGER:  # Called by itself, the function would warn of retracing in the end.
            call = tf.function(call, autograph=False).get_concrete_function(tensors)
        results = call(tensors)
    return {name: keras.ops.convert_to_numpy(x) for name, x in results.items()}


def _random(
    random: np.random.Generator, given: Any, rows: int, batch: int, time: int
) -> np.ndarray:
    """Return an array [batch, ...] for an input of a network."""
    time = given.length or time
    if given.kind == "ids":
        return random.integers(rows, size=(batch, time), dtype=np.int32)
    shape = (batch, *([] if given.kind == "vector" else [time]), *given.shape)
    if given.dtype.is_floating:
        return random.normal(size=shape).astype(np.float32)
    return random.integers(2 if given.dtype.is_bool else 10, size=shape).astype(given.numbers)


def _pad(array: np.ndarray, values: list[float], first: int) -> None:
    """Write padding into three sequences of [batch, time, ...], from the one numbered `first` on.

    Args:
        array: of at least three sequences.
        values: numbers that padding may consist of, used in turn.
        first: number of the sequence that padding ends; beyond the last it counts from 0 again.
    """
    batch, time = array.shape[:2]
    for number, place in enumerate((slice(time // 2, None), slice(time // 3), slice(1, None, 2))):
        array[(first + number) % batch, place] = values[number % len(values)]
