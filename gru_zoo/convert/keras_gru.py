"""To and from keras.layers.GRU, alone or inside keras.layers.Bidirectional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from gru_zoo.arguments import one_of
from gru_zoo.convert.weights import (
    ONLY_OURS,
    arguments_of,
    copy_into,
    flipped_weights,
    read_weights,
    require_gru,
    require_plain,
)
from gru_zoo.layers.gru import GRU

# Arguments that a configuration has by a registered name, not as they are.
_OBJECTS = (
    "activity_regularizer",
    "activation",
    "recurrent_activation",
    *(
        f"{weight}_{kind}"
        for weight in ("kernel", "recurrent", "bias")
        for kind in ("initializer", "regularizer", "constraint")
    ),
)


def from_keras(
    layer: keras.layers.GRU | keras.layers.Bidirectional,
    *,
    update_gate: str = "keep",
    kernel: str = "auto",
) -> GRU | keras.layers.Bidirectional:
    """Return our GRU with the configuration, name and weights of a Keras GRU.

    Args:
        layer: a built `keras.layers.GRU`, or a built `keras.layers.Bidirectional` of two.
        update_gate: "keep" copies the weights bit for bit; "write" negates what feeds z.
        kernel: as in `GRU`.

    Returns:
        A built `GRU`, or a built `Bidirectional` of two. A stateful layer's states come along.

    Raises:
        ValueError: another class (subclasses too: they may compute something else), a layer that
            is not built, or, for "write", one with a constraint that negated weights may not meet
            or a recurrent activation `s` without s(-a) = 1 - s(a).

    Example:
        >>> plain = keras.layers.GRU(8, return_sequences=True)
        >>> plain.build((None, None, 4))
        >>> from_keras(plain).return_sequences
        True
    """
    one_of("update_gate", update_gate, ["keep", "write"])
    if type(layer) is keras.layers.Bidirectional:
        return _both_directions(
            layer, lambda one: from_keras(one, update_gate=update_gate, kernel=kernel)
        )
    require_gru(layer, keras.layers.GRU)
    weights = flipped_weights(layer) if update_gate == "write" else read_weights(layer)
    ours = GRU(**arguments_of(layer), update_gate=update_gate, kernel=kernel)
    copy_into(ours, weights, layer)
    return ours


def to_keras(
    layer: GRU | keras.layers.Bidirectional,
) -> keras.layers.GRU | keras.layers.Bidirectional:
    """Return a Keras GRU with the configuration, name and weights of ours.

    Args:
        layer: a built `GRU`, or a built `keras.layers.Bidirectional` of two. Weights with
            `update_gate="write"` are flipped, which is exact; "keep" is copied bit for bit.

    Returns:
        A built `keras.layers.GRU`, or a built `Bidirectional` of two.

    Raises:
        ValueError: another class, a layer that is not built, an option of ours that changes the
            result and that Keras' GRU does not have, or, from "write", a constraint that negated
            weights may not meet or a recurrent activation `s` without s(-a) = 1 - s(a). A
            `StackedGRU` has no counterpart: convert the members of its `grus`.

    Example:
        >>> ours = GRU(8, update_gate="write")
        >>> ours.build((None, None, 4))
        >>> type(to_keras(ours)).__module__.startswith("keras")
        True
    """
    if type(layer) is keras.layers.Bidirectional:
        return _both_directions(layer, to_keras)
    require_gru(layer, GRU)
    require_plain(layer, "keras.layers.GRU")
    weights = flipped_weights(layer) if layer.update_gate == "write" else read_weights(layer)
    arguments = arguments_of(layer)
    plain = keras.layers.GRU(**{n: v for n, v in arguments.items() if n not in ONLY_OURS})
    copy_into(plain, weights, layer)
    return plain


def _both_directions(
    wrapper: keras.layers.Bidirectional, convert: Callable[[Any], Any]
) -> keras.layers.Bidirectional:
    """Return a Bidirectional around what `convert`, layer -> layer, makes of another one's two."""
    forward, backward = convert(wrapper.forward_layer), convert(wrapper.backward_layer)
    # The wrapper makes its own copy of the forward layer, from its configuration.
    arguments = arguments_of(forward)
    objects = {name: arguments.pop(name) for name in _OBJECTS}
    converted = keras.layers.Bidirectional(
        type(forward)(**arguments),
        wrapper.merge_mode,
        backward_layer=backward,
        name=wrapper.name,
        trainable=wrapper.trainable,
        activity_regularizer=wrapper.activity_regularizer,
        dtype=wrapper.dtype_policy,
    )
    converted.forward_layer.activity_regularizer = objects.pop("activity_regularizer")
    for name, given in objects.items():
        setattr(converted.forward_layer.cell, name, given)
    batch = forward.states[0].shape[0] if forward.stateful else None
    converted.build((batch, None, forward.cell.kernel.shape[0]))
    copy_into(converted.forward_layer, read_weights(forward), forward)
    copy_into(converted.backward_layer, read_weights(backward), backward)
    return converted
