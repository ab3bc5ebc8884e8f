"""To and from keras.layers.GRU, alone or inside keras.layers.Bidirectional."""

from __future__ import annotations

from typing import Any

import keras

from gru_zoo.arguments import one_of
from gru_zoo.convert.weights import (
    copy_into,
    functions_of,
    keep_weights,
    negate_update_columns,
    read_weights,
    require_gru,
    require_plain,
)
from gru_zoo.layers.gru import GRU


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
        ValueError: another class (subclasses too: they may compute something else), or a layer
            that is not built.

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
    weights = read_weights(layer)
    if update_gate == "write":
        weights = negate_update_columns(weights)
    # Keras leaves use_cudnn out of the configuration.
    alone = {"use_cudnn": layer.use_cudnn, "update_gate": update_gate, "kernel": kernel}
    ours = GRU.from_config({**layer.get_config(), **alone, **functions_of(layer)})
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
        ValueError: another class, a layer that is not built, or an option of ours that changes
            the result and that Keras' GRU does not have. A `StackedGRU` has no counterpart:
            convert the members of its `grus`.

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
    weights = keep_weights(layer)
    known = keras.layers.GRU(1).get_config()
    config = {name: value for name, value in layer.get_config().items() if name in known}
    alone = {"use_cudnn": layer.use_cudnn, **functions_of(layer)}
    plain = keras.layers.GRU.from_config({**config, **alone})
    copy_into(plain, weights, layer)
    return plain


def _both_directions(wrapper: keras.layers.Bidirectional, convert: Any) -> Any:
    """Return a Bidirectional around the converted layers of another one."""
    forward, backward = convert(wrapper.forward_layer), convert(wrapper.backward_layer)
    config = {
        name: value
        for name, value in wrapper.get_config().items()
        if name not in ("layer", "backward_layer", "dtype")
    }
    converted = keras.layers.Bidirectional(
        forward, backward_layer=backward, dtype=wrapper.dtype_policy, **config
    )
    batch = forward.states[0].shape[0] if forward.stateful else None
    converted.build((batch, None, forward.cell.kernel.shape[0]))
    # The wrapper makes its own copy of the forward layer, from its configuration.
    for name, function in functions_of(forward).items():
        setattr(converted.forward_layer.cell, name, function)
    copy_into(converted.forward_layer, read_weights(forward), forward)
    copy_into(converted.backward_layer, read_weights(backward), backward)
    return converted
