"""A Keras model as a program over time steps, for graphs that the model itself cannot be.

The same walk over the model's operations serves one step and a whole sequence. Operations that
treat every step alike (Dense, Embedding, normalization, sums of layers ...) are done here, on rows
[steps, features] without a batch; what knows time (GRU, convolution, pooling) is the business of
the caller.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.models.functional import Functional

from gru_zoo.convert import from_keras
from gru_zoo.export.graphs.convolution import CONVOLUTIONS
from gru_zoo.export.graphs.merged_masks import require_unmasked
from gru_zoo.export.graphs.precision import in_float32, require_unquantized
from gru_zoo.export.graphs.programs import (
    functional,
    matched,
    program_of,
    require_finite,
    require_known_numbers,
    run_functional,
    table_of,
)
from gru_zoo.export.graphs.refusals import not_alike
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.pooling import MaskedPooling
from gru_zoo.layers.stacked import StackedGRU

TIMED = (
    GRU,
    StackedGRU,
    layers.Bidirectional,
    MaskedPooling,
    layers.GlobalAveragePooling1D,
    layers.GlobalMaxPooling1D,
    *CONVOLUTIONS,
)
# Nothing at all once a model is trained.
IDLE = (
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.AlphaDropout,
    layers.ActivityRegularization,
    layers.Identity,
)
_ROWWISE = (
    layers.Dense,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Softmax,
    layers.Rescaling,
)
# They insist on the rank they were built for.
_NORMALIZATIONS = (
    layers.LayerNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
    layers.Normalization,
)
# Operations without a layer, such as x + y; named, because Keras does not export their classes.
_ELEMENTWISE = ("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "Negative")
_MERGES = (
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Concatenate,
)


@dataclasses.dataclass(frozen=True)
class Steps:
    """What a model knows of some consecutive time steps of one sequence.

    Attributes:
        rows: [steps, features], or ids [steps].
        mask: [steps] bool, False for padding; None if every step counts.
        state: name of the state that the last row is, if it is one.
        bounded: whether the rows lie in [-1, 1].
        known: whether the rows of all steps can be had before the first GRU has run.
    """

    rows: tf.Tensor
    mask: tf.Tensor | None = None
    state: str | None = None
    bounded: bool = False
    known: bool = True

    def like(self, rows: tf.Tensor) -> Steps:
        """Return other rows for the same steps."""
        return Steps(rows, self.mask, known=self.known)


@dataclasses.dataclass(frozen=True)
class _Unknown:
    """What an operation would give: a mask of Keras' own, or a reason to refuse."""

    operation: Any


class Network:
    """A model's inputs, outputs, variables, and its walk.

    `keras.layers.GRU` becomes ours, and layers of mixed precision become float32; the model itself
    stays as it is.

    Args:
        model: a built `SequenceClassifier` or `LanguageModel`, or a built Keras functional or
            Sequential model.
        look_ups: name of an embedding -> what looks ids up in its place.

    Attributes:
        program: what the model computes.
        inputs: name -> `Given`: "ids" or "inputs" if the model has one, else Keras' names.
        output_names: "probabilities" of our models, the keys of outputs in a dictionary,
            "outputs" of another model with one, else Keras' names.

    Raises:
        ValueError: another kind of model, or a weight that is NaN or infinite.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), layers.GRU(7), layers.Dense(2)])
        >>> Network(model).inputs
        {'inputs': Given(kind='steps', shape=(4,), length=None)}
    """

    def __init__(
        self,
        model: keras.Model,
        look_ups: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] | None = None,
    ) -> None:
        self.model = model
        self._look_ups = look_ups or {}
        self._ours: dict[int, keras.layers.Layer] = {}
        self.program = program_of(model)
        self._names = {layer.name for layer in model._flatten_layers()}
        self.inputs, self.output_names = self.program.inputs, self.program.output_names
        require_finite(model)

    def walk(
        self,
        inputs: Mapping[str, Steps | tf.Tensor],
        timed: Callable[[str, keras.layers.Layer, Any], Any],
        masked: bool = True,
    ) -> dict[str, Any]:
        """Run the model.

        Args:
            inputs: name -> Steps, or a tensor [1, features] for a vector.
            timed: (name that is unique in the model, layer of `TIMED`, its input) -> its output.
            masked: whether embeddings and `Masking` mask steps.

        Returns:
            name -> Steps, or a tensor [1, ...] where the time is gone.

        Raises:
            ValueError: a layer that is not known to treat every step alike.
        """
        calls: dict[str, int] = {}

        def apply(layer: Any, *args: Any, **kwargs: Any) -> Any:
            layer = self._own(layer)
            unknown = [x for x in _tensors(args, kwargs) if isinstance(x, _Unknown)]
            if not isinstance(layer, layers.Layer):
                return unknown[0] if unknown else _operation(layer, args, kwargs)
            if unknown:
                raise not_alike(unknown[0].operation)
            if isinstance(layer, TIMED):
                name = self._unique(layer.name, calls)
                return timed(name, layer, _only_steps(layer, args, kwargs))
            if isinstance(layer, (keras.Sequential, Functional)):
                return run_functional(functional(layer), apply, *matched(layer, args, kwargs))
            if type(layer) is layers.Embedding and isinstance(args[0], Steps):
                return self._embedded(layer, args[0].rows, masked)
            if type(layer) is layers.Masking and not masked:
                return args[0]
            return _alike(layer, apply, args, kwargs)

        results = self.program.run(apply, *(inputs[name] for name in self.inputs))
        results = keras.tree.flatten(results)
        for result in results:
            if isinstance(result, _Unknown):
                raise not_alike(result.operation)
        return dict(zip(self.output_names, results, strict=True))

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the Keras model itself gives, name -> [batch, ...].

        Args:
            inputs: name -> [batch, ...], arrays or tensors.
        """
        tensors = [keras.ops.convert_to_tensor(inputs[name]) for name in self.inputs]
        return dict(zip(self.output_names, self.program.call(*tensors), strict=True))

    def lengths(self) -> dict[str, int | None]:
        """Return the steps that each sequence was made for, None if any, by the input's name."""
        return {n: given.length for n, given in self.inputs.items() if given.kind != "vector"}

    def rows(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Return what `walk` takes, for inputs without the batch axis."""
        return {
            name: inputs[name] if given.kind == "vector" else Steps(inputs[name])
            for name, given in self.inputs.items()
        }

    def variables(self) -> list[tf.Variable]:
        """Return the variables that a graph of a walk reads; complete after a first walk."""
        held = [self.model, *self._ours.values()]
        found = {id(v): v.value for layer in held for v in layer.variables}
        return list(found.values())

    def _unique(self, name: str, calls: dict[str, int]) -> str:
        """Return a layer's name, with a number at its further calls that no layer's name ends in.

        Keras itself calls its third GRU `gru_2`, as one would the second call of `gru`.
        """
        if name not in calls:
            calls[name] = 1
            return name
        calls[name] += 1
        while f"{name}_{calls[name]}" in self._names:
            calls[name] += 1
        return f"{name}_{calls[name]}"

    def _embedded(self, layer: layers.Embedding, ids: tf.Tensor, masked: bool) -> Steps:
        """Look ids up; not by the Keras layer, which adds operators for negative ones."""
        require_unquantized(layer, "TFLite")
        if ids.shape.rank != 1 or not ids.dtype.is_integer:
            raise not_alike(layer)
        mask = tf.not_equal(ids, 0) if layer.mask_zero and masked else None
        look_up = self._look_ups.get(layer.name)
        return Steps(look_up(ids) if look_up else tf.gather(table_of(layer), ids), mask)

    def _own(self, layer: Any) -> Any:
        """Return our counterpart of a layer, in float32; most are their own."""
        if id(layer) not in self._ours:
            ours = layer
            both = [layer]
            if isinstance(layer, layers.Bidirectional):
                both = [layer.forward_layer, layer.backward_layer]
            if all(type(part) is layers.GRU for part in both):
                ours = from_keras(layer)
            if getattr(ours, "compute_dtype", "float32") != "float32" and not isinstance(
                ours, keras.Model
            ):
                ours = in_float32(ours)
            if ours is layer:
                return layer
            self._ours[id(layer)] = ours
        return self._ours[id(layer)]


def require_convertible(network: Network) -> None:
    """Raise ValueError for a stateful layer, or an input that is neither float nor ids."""
    require_known_numbers(network.inputs)
    for layer in network.model._flatten_layers():
        if getattr(layer, "stateful", False) and isinstance(layer, keras.layers.RNN):
            raise ValueError(
                f"layer {layer.name!r} must have stateful=False; got True. A file's step takes and "
                "gives every state, and keeps none."
            )


def _only_steps(layer: Any, args: tuple, kwargs: Mapping[str, Any]) -> Steps:
    """Return the one argument of a layer that knows time."""
    given = _tensors(args, kwargs)
    if len(given) == 1 and isinstance(given[0], Steps):
        require_channels_last(layer)
        return given[0]
    what = f"layer {layer.name!r} ({type(layer).__name__})"
    if len(given) == 1:
        raise ValueError(
            f"{what} must read a sequence that is an input of the model, or made of one step by "
            "step; it reads one that an earlier layer made whole, as RepeatVector and Reshape make "
            "one of a vector. Where it is only an input in another shape, "
            f"keras.Input({tuple(given[0].shape[1:])}) takes it as a sequence."
        )
    raise ValueError(
        f"{what} must read one sequence and nothing else, no initial state and no mask of its own; "
        f"got {len(given)} tensors."
    )


def require_channels_last(layer: Any) -> None:
    """Raise ValueError if a layer that knows time looks for it on the last axis."""
    if (given := getattr(layer, "data_format", "channels_last")) != "channels_last":
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}) must have data_format='channels_last'; "
            f"got {given!r}."
        )


def _operation(operation: Any, args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """Run an operation that is no layer."""
    given = _tensors(args, kwargs)
    if not any(isinstance(x, Steps) for x in given):
        return operation(*args, **kwargs)
    if type(operation).__name__ in _ELEMENTWISE and all(isinstance(x, Steps) for x in given):
        rank = min(len(x.rows.shape) for x in given)
        rows = [x.rows if isinstance(x, Steps) else _one_steps(x, rank) for x in args]
        if all(x is not None for x in rows):
            # Keras' masks go through layers only.
            return Steps(operation(*rows, **kwargs), known=_merged(operation, given).known)
    return _Unknown(operation)


def _one_steps(constant: Any, rank: int) -> Any:
    """Return a constant [..., features] for rows of a rank, None if each step has its own."""
    shape = np.shape(constant)
    common = max(0, len(shape) - rank + 1)  # axes that are batch and time in Keras
    if any(size != 1 for size in shape[:common]):
        return None
    return keras.ops.reshape(constant, shape[common:]) if common else constant


def _alike(layer: Any, apply: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """Run a layer that treats every step alike, or one behind the last that knows time."""
    given = _tensors(args, kwargs)
    if not any(isinstance(x, Steps) for x in given):
        return layer(*args, **kwargs)
    x, kind = given[0], type(layer)
    if kind in IDLE:
        return x
    if kind is layers.Masking:
        mask = tf.reduce_any(tf.not_equal(x.rows, layer.mask_value), axis=-1)
        rows = tf.where(mask[:, None], x.rows, tf.zeros_like(x.rows))
        return Steps(rows, mask, known=x.known)
    # A sequence inside of each step, as of the words of a sentence, is none of the model's.
    if kind is layers.TimeDistributed and not any(
        isinstance(one, (*TIMED, layers.RNN)) for one in layer.layer._flatten_layers()
    ):
        (result,) = keras.tree.flatten(apply(layer.layer, x))
        return x.like(result.rows) if isinstance(result, Steps) else result
    if kind in _ROWWISE and getattr(layer, "axis", -1) == -1:
        return x.like(layer(x.rows))
    if kind in _ROWWISE and layer.axis == 2:
        return x.like(layer(x.rows[None])[0])
    if kind is layers.BatchNormalization and _last_axis_only(layer):
        return x.like(_batch_normalized(layer, x.rows))
    if kind in _NORMALIZATIONS and _last_axis_only(layer):
        rows = layer(x.rows[None])[0]
        # With a layer that does not support masking, as RMSNormalization, Keras' mask ends.
        return x.like(rows) if layer.supports_masking else Steps(rows, known=x.known)
    if kind in _MERGES and getattr(layer, "axis", -1) in (-1, 2):
        merged = _merged(layer, given)
        require_unmasked(layer, [x.mask for x in given])
        rows = [x.rows for x in given]
        if getattr(layer, "axis", -1) == 2:  # counted with the batch
            return merged.like(layer([one[None] for one in rows])[0])
        return merged.like(layer(rows))
    raise not_alike(layer)


def _batch_normalized(layer: layers.BatchNormalization, rows: tf.Tensor) -> tf.Tensor:
    """Return rows x scale + shift, which TFLite merges with a matrix product in front of it.

    Keras' layer wants its batch axis, and the operators that add and drop it stand in between.
    """
    offset, scale = layer.beta if layer.center else None, layer.gamma if layer.scale else None
    mean, variance = layer.moving_mean, layer.moving_variance
    return tf.nn.batch_normalization(rows, mean, variance, offset, scale, layer.epsilon)


def _merged(operation: Any, given: list[Any]) -> Steps:
    """Return what is common to sequences that are merged, with their masks as Keras merges them.

    A step counts if it counts for any of them; where one has no mask, every step counts.
    """
    if not all(isinstance(x, Steps) for x in given):
        raise ValueError(f"{operation.name!r} ({type(operation).__name__}) must merge sequences.")
    masks = list({id(x.mask): x.mask for x in given}.values())
    mask = None
    if all(one is not None for one in masks):
        mask = functools.reduce(tf.logical_or, masks)
    return Steps(given[0].rows, mask, known=all(x.known for x in given))


def _last_axis_only(layer: Any) -> bool:
    return all(axis in (-1, 2) for axis in keras.tree.flatten(layer.axis))


def _tensors(args: tuple, kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the values among an operation's arguments."""
    flat = keras.tree.flatten((args, dict(kwargs)))
    return [x for x in flat if isinstance(x, (Steps, _Unknown)) or tf.is_tensor(x)]
