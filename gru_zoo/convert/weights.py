"""Weights of a GRU as arrays, and the exact change between the two update conventions.

    update_gate="keep"    h' = z * h + (1 - z) * c
    update_gate="write"   h' = (1 - z) * h + z * c

sigmoid(-a) = 1 - sigmoid(a), so negating what feeds z (its columns of the kernel, the recurrent
kernel and the biases; with layer normalization, of the gains and the biases) turns one into the
other. Negation loses no bit.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any, NamedTuple

import keras
import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.layers.checks import activation_name
from gru_zoo.layers.gru import GRU, GRUCell
from gru_zoo.layers.stacked import StackedGRU

RESET_REASON = (
    "reset_after=True computes r * (h U + b) and reset_after=False computes (r * h) U: in general "
    "no weights make the two equal, so weights cannot be converted between them"
)

# Arguments of our GRU that Keras' does not have.
ONLY_OURS = (
    inspect.signature(GRU).parameters.keys() - inspect.signature(keras.layers.GRU).parameters.keys()
)
# Constraints on the size of the weights alone: negated weights meet them as the weights did.
_BLIND_TO_SIGNS = (
    keras.constraints.MaxNorm,
    keras.constraints.MinMaxNorm,
    keras.constraints.UnitNorm,
)


class Weights(NamedTuple):
    """Arrays of one GRU in one direction, gates packed z | r | h on the last axis.

    kernel: [features, 3 * units]; recurrent_kernel: [units, 3 * units];
    bias: [2, 3 * units] (input, recurrent) if reset_after, else [3 * units]; None without bias.
    gain: [2, 3 * units] (input, recurrent) of layer normalization; None without it.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None
    gain: np.ndarray | None = None


def read_weights(layer: Any) -> Weights:
    """Return the weights of a GRU, ours or Keras', as NumPy arrays.

    Raises:
        ValueError: the layer is not built.

    Example:
        >>> layer = GRU(8)
        >>> layer.build((None, None, 4))
        >>> read_weights(layer).bias.shape
        (2, 24)
    """
    if not layer.built or not layer.cell.built:
        raise ValueError(
            f"layer must be built, so that it has weights; got {type(layer).__name__} "
            f"{layer.name!r}, not built yet."
        )
    cell = layer.cell
    bias = None if cell.bias is None else cell.bias.numpy()
    gain = cell.gain.numpy() if getattr(cell, "layer_norm", False) else None
    return Weights(cell.kernel.numpy(), cell.recurrent_kernel.numpy(), bias, gain)


def write_weights(layer: Any, weights: Weights, batch: int | None = None) -> None:
    """Build the GRU, ours or Keras', for these weights if it is not built yet, and set them.

    Args:
        layer: of the units, the `reset_after` and the `use_bias` that the weights' shapes ask for.
        weights: gates packed z | r | h.
        batch: rows of a batch, which a stateful layer must know; None for any number.

    Example:
        >>> layer = GRU(8, use_bias=False)
        >>> write_weights(layer, Weights(np.ones((4, 24)), np.ones((8, 24)), None))
        >>> layer.built
        True
    """
    if not layer.built:
        layer.build((batch, None, weights.kernel.shape[0]))
    layer.cell.kernel.assign(weights.kernel)
    layer.cell.recurrent_kernel.assign(weights.recurrent_kernel)
    if weights.bias is not None:
        layer.cell.bias.assign(weights.bias)
    if weights.gain is not None:
        layer.cell.gain.assign(weights.gain)


def negate_update_columns(weights: Weights) -> Weights:
    """Return the weights with everything that feeds the update gate negated.

    Example:
        >>> weights = Weights(np.ones((4, 24)), np.ones((8, 24)), None)
        >>> negate_update_columns(weights).kernel[0, 6:10].tolist()
        [-1.0, -1.0, 1.0, 1.0]
    """

    def negated(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        z = slice(0, array.shape[-1] // 3)
        array[..., z] = -array[..., z]
        return array

    weights = weights if weights.bias is None else weights._replace(bias=negated(weights.bias))
    if weights.gain is not None:
        # Normalization comes between the kernels and z: its gain is what feeds z.
        return weights._replace(gain=negated(weights.gain))
    return weights._replace(
        kernel=negated(weights.kernel), recurrent_kernel=negated(weights.recurrent_kernel)
    )


def flipped_weights(layer: Any) -> Weights:
    """Return the weights of a GRU, ours or Keras', in the other convention, to be trained on.

    Raises:
        ValueError: the recurrent activation `s` is none of which s(-a) = 1 - s(a) is known; or a
            constraint, applied after the next training step, would undo a negation.
    """
    activation = activation_name(layer.cell.recurrent_activation)
    one_of("recurrent_activation", activation, ["sigmoid", "hard_sigmoid"])
    names = (
        ["bias"] if getattr(layer.cell, "layer_norm", False) else ["kernel", "recurrent", "bias"]
    )
    for name in (f"{name}_constraint" for name in names):
        given = getattr(layer.cell, name)
        if given is not None and type(given) not in _BLIND_TO_SIGNS:
            raise ValueError(
                f"{name} must be None, MaxNorm, MinMaxNorm or UnitNorm to change update_gate, "
                f"which negates weights; got {getattr(given, '__name__', type(given).__name__)}."
            )
    return negate_update_columns(read_weights(layer))


def keep_weights(layer: GRU) -> Weights:
    """Return the weights of a GRU in the convention "keep", which all other libraries use."""
    weights = read_weights(layer)
    return negate_update_columns(weights) if layer.cell.update_gate == "write" else weights


def require_default_activations(layer: GRU, target: str) -> None:
    """Raise ValueError unless the activations are tanh and sigmoid, all that `target` has."""
    for name, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        given = activation_name(getattr(layer.cell, name))
        if given != wanted:
            raise ValueError(f"{name} must be {wanted!r} for {target}; got {given!r}.")


def require_plain(layer: GRU, target: str) -> None:
    """Raise ValueError if an option that Keras' GRU does not have changes what is computed."""
    # Of those that only ours has, update_gate is converted, and kernel changes no number.
    for name in sorted(ONLY_OURS - {"update_gate", "kernel"}):
        given, default = getattr(layer, name), inspect.signature(GRU).parameters[name].default
        if given != default:
            raise ValueError(
                f"{name} must be {default!r} for {target}, which has no such option; got {given!r}."
            )


def require_gru(layer: Any, *allowed: type) -> None:
    """Raise ValueError unless the layer's class is one of `allowed`, with the cell that it makes.

    A subclass is another one: it may compute something else.
    """
    if type(layer) not in allowed:
        names = " or ".join(f"{kind.__module__.split('.')[0]} {kind.__name__}" for kind in allowed)
        given = type(layer)
        raise ValueError(f"layer must be {names}; got {given.__module__}.{given.__name__}.")
    for gru in itertools.chain(*layer.grus) if isinstance(layer, StackedGRU) else [layer]:
        wanted = GRUCell if isinstance(gru, GRU) else keras.layers.GRUCell
        if (given := type(gru.cell)) is not wanted:
            names = f"{wanted.__module__.split('.')[0]} {wanted.__name__}"
            raise ValueError(f"layer must have a {names}; got {given.__module__}.{given.__name__}.")


def arguments_of(layer: Any) -> dict[str, Any]:
    """Return the arguments that make a GRU, ours or Keras', or a StackedGRU.

    Functions, initializers, regularizers and constraints are the objects themselves. The
    configuration has their names: a user's own may not be registered, or have the name of one of
    Keras'. It lacks `implementation` too, and Keras' lacks `use_cudnn`.
    """
    names = inspect.signature(type(layer)).parameters.keys() - {"kwargs"}
    names |= {"name", "trainable", "activity_regularizer"}
    if not isinstance(layer, StackedGRU):
        names |= {"zero_output_for_mask", "implementation"}
    gru = _grus(layer)[0]
    arguments = {}
    for name in names:
        holder = next(one for one in (layer, gru, gru.cell) if hasattr(one, name))
        arguments[name] = getattr(holder, name)
    return {**arguments, "dtype": layer.dtype_policy}


def _grus(layer: Any) -> list[Any]:
    """Return the GRUs of a StackedGRU, layer by layer; of any other layer, that alone."""
    if isinstance(layer, StackedGRU):
        return [gru for directions in layer.grus for gru in directions]
    return [layer]


def flip_update_gate(layer: GRU | StackedGRU) -> GRU | StackedGRU:
    """Return a new layer of the other update convention that computes the same function.

    Args:
        layer: a built `GRU` or `StackedGRU`; it is left as it is.

    Returns:
        A layer of the same class, configuration and name, with `update_gate` "keep" in place of
        "write" or the other way round, and everything that feeds z negated. Flipping twice
        restores every bit of the weights.

    Raises:
        ValueError: the layer is of another class or not built, or its recurrent activation `s`
            does not satisfy `s(-a) = 1 - s(a)`, or it has a constraint, as NonNeg, that the
            negated weights may not meet.

    Example:
        >>> layer = GRU(8, update_gate="keep")
        >>> layer.build((None, None, 4))
        >>> flip_update_gate(layer).update_gate
        'write'
    """
    require_gru(layer, GRU, StackedGRU)
    grus = _grus(layer)
    weights = [flipped_weights(gru) for gru in grus]
    other = "write" if grus[0].cell.update_gate == "keep" else "keep"
    flipped = type(layer)(**{**arguments_of(layer), "update_gate": other})
    if isinstance(layer, StackedGRU):
        flipped.build((None, None, weights[0].kernel.shape[0]))
    for source, target, arrays in zip(grus, _grus(flipped), weights, strict=True):
        copy_into(target, arrays, source)
    return flipped


def copy_into(target: Any, weights: Weights, source: Any) -> None:
    """Set the weights of `target`, the running states of a stateful one, and what is frozen."""
    target.trainable = source.trainable
    states = source.states if source.stateful else None
    write_weights(target, weights, batch=states[0].shape[0] if states else None)
    for mine, theirs in zip(target.states or (), states or (), strict=True):
        mine.assign(theirs)


def to_convention(
    layer: GRU | StackedGRU, *, update_gate: str | None = None, reset_after: bool | None = None
) -> GRU | StackedGRU:
    """Return a layer that computes the same function in the wanted convention.

    Args:
        layer: a built `GRU` or `StackedGRU`.
        update_gate: "keep", "write", or None for the layer's own.
        reset_after: must be None or the layer's own.

    Returns:
        `layer` itself if it is of that convention already, else a new layer.

    Raises:
        ValueError: another `reset_after` is asked for: no weights make the two equal; or as
            `flip_update_gate`.

    Example:
        >>> layer = GRU(8)
        >>> layer.build((None, None, 4))
        >>> to_convention(layer, update_gate="write").update_gate
        'write'
    """
    require_gru(layer, GRU, StackedGRU)
    gru = _grus(layer)[0]
    one_of("reset_after", reset_after, [None, False, True])
    if reset_after is not None and bool(reset_after) != gru.cell.reset_after:
        raise ValueError(
            f"reset_after must be {gru.cell.reset_after}, as the layer's; got {reset_after}. "
            f"{RESET_REASON}."
        )
    if update_gate is None:
        return layer
    wanted = one_of("update_gate", update_gate, ["keep", "write"])
    return layer if wanted == gru.cell.update_gate else flip_update_gate(layer)
