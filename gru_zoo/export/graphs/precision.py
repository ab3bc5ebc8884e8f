"""Layers of mixed, half or double precision as layers of float32, the one type of the graphs."""

from __future__ import annotations

import textwrap
from typing import Any

import keras

_FUNCTIONS = ("activation", "recurrent_activation")


def in_float32(layer: Any) -> Any:
    """Return a copy of a built layer that computes in float32.

    Args:
        layer: a Keras layer, one of ours or a user's, of any precision; it stays as it is.

    Raises:
        ValueError: a user's layer that Keras cannot make from its configuration.

    Example:
        >>> dense = keras.layers.Dense(3, dtype="mixed_float16")
        >>> dense.build((None, 4))
        >>> in_float32(dense).compute_dtype, dense.compute_dtype
        ('float32', 'float16')
    """
    copy = _made_again(layer)
    for mine, theirs in zip(copy._flatten_layers(), layer._flatten_layers(), strict=True):
        for name in _FUNCTIONS:
            function = vars(theirs).get(name)
            if function is not None and not isinstance(function, keras.layers.Layer):
                setattr(mine, name, function)
    if layer.built and layer.weights:
        copy.build_from_config(layer.get_build_config())
        copy.set_weights(layer.get_weights())
        if hasattr(copy, "finalize_state"):  # Normalization computes by what it makes of them.
            copy.finalize_state()
    return copy


def _made_again(layer: Any) -> Any:
    """Return a new layer of the same configuration in float32, not yet built."""
    if type(layer) is keras.layers.Lambda:  # From a configuration Keras makes none, for safety.
        return keras.layers.Lambda(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            name=layer.name,
            dtype="float32",
        )
    try:
        return type(layer).from_config(_float32_config(layer.get_config()))
    except Exception as error:  # A user's constructor may raise anything.
        reason = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}) must compute in float32, or be rebuilt "
            f"by its from_config; it computes in {layer.compute_dtype}, and that fails: {reason}"
        ) from error


def require_unquantized(layer: Any, target: str) -> None:
    """Raise ValueError if Keras has quantized a layer's weights.

    Args:
        layer: of any class.
        target: format that would be written, for the message.

    Example:
        >>> table = keras.layers.Embedding(9, 4, name="words")
        >>> table.build()
        >>> require_unquantized(table, "ONNX")
        >>> table.quantize("int8")
        >>> require_unquantized(table, "ONNX")
        Traceback (most recent call last):
        ValueError: layer 'words' must have float32 weights for ONNX; got int8.
    """
    if mode := getattr(layer, "quantization_mode", None):
        raise ValueError(
            f"layer {layer.name!r} must have float32 weights for {target}; got {mode}."
        )


def _float32_config(config: Any, name: str = "") -> Any:
    """Return a configuration in float32, functions replaced by one that Keras has by its name.

    It has a user's own by a name only, which nobody may have registered, or which Keras takes for
    a function of its own.
    """
    if name == "dtype":
        return "float32"
    if name in _FUNCTIONS and not _of_layer(config):
        return "linear"
    if isinstance(config, dict):
        return {key: _float32_config(value, key) for key, value in config.items()}
    return config


def _of_layer(config: Any) -> bool:
    """Return whether an activation is a layer, such as `Dense(3, activation=layers.ReLU())`."""
    return isinstance(config, dict) and isinstance(config.get("config"), dict)
