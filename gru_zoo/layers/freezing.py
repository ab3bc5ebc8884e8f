"""Which parts of a layer are trainable: passed on when it is made, kept in its configuration.

Keras' `trainable=False` of a constructor stays with the layer itself, while a model around it
trains each variable by that variable's own flag. Only the setter reaches parts and variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

_KEY = "trainable_parts"  # in a configuration, and only where parts differ from the whole


def pass_on_trainable(layer: keras.layers.Layer) -> None:
    """Freeze the parts and variables of a layer that was made with `trainable=False`.

    Call it where the parts are there: at the end of `__init__`, or of `build` for Keras' layers
    that make theirs there.

    Example:
        >>> layer = keras.layers.TimeDistributed(keras.layers.Dense(2), trainable=False)
        >>> pass_on_trainable(layer)
        >>> layer.layer.trainable
        False
    """
    if not layer.trainable:
        # One by one: under TensorFlow `layer.trainable = False` ends at once where it is False.
        for part in layer._flatten_layers(include_self=False):
            part.trainable = False


def trainable_config(layer: keras.layers.Layer) -> dict[str, Any]:
    """Return what `get_config` adds for parts that are trainable and the whole is not, or not so.

    Example:
        >>> layer = keras.layers.TimeDistributed(keras.layers.Dense(2, name="dense"))
        >>> layer.layer.trainable = False
        >>> trainable_config(layer)
        {'trainable_parts': {'dense': False}}
    """
    differing = {
        path: part.trainable
        for path, part, whole in _parts(layer)
        if part.trainable != whole.trainable
    }
    return {_KEY: differing} if differing else {}


def made_from(kind: type, config: dict[str, Any]) -> Any:
    """Return a layer with the arguments and the trainable parts of a configuration.

    Args:
        kind: the layer's class.
        config: arguments, and what `trainable_config` adds; of that, parts that Keras' layers make
            only when they are built are left out.

    Example:
        >>> from gru_zoo.layers.stacked import StackedGRU
        >>> layer = made_from(StackedGRU, {"units": 3, "trainable_parts": {"forward_0": False}})
        >>> layer.grus[0][0].cell.trainable
        False
    """
    arguments = {name: value for name, value in config.items() if name != _KEY}
    layer = kind(**arguments)
    parts = {path: part for path, part, _ in _parts(layer)}
    flags = config.get(_KEY, {})
    # The setter reaches the parts of a part: the outer ones come first.
    for path in sorted(flags.keys() & parts.keys(), key=lambda path: path.count("/")):
        parts[path].trainable = flags[path]
    return layer


def _parts(
    whole: keras.layers.Layer, prefix: str = ""
) -> Iterator[tuple[str, keras.layers.Layer, keras.layers.Layer]]:
    """Yield each part's path of names, the part, and what it is a part of."""
    for part in whole._flatten_layers(include_self=False, recursive=False):
        path = prefix + part.name
        yield path, part, whole
        yield from _parts(part, f"{path}/")
