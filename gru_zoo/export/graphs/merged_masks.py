"""Layers that merge sequences and, in Keras, give a masked step other numbers than the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras import layers

# Multiply takes a masked input for ones; of the others each takes the inputs that are not masked.
_READ_MASKS = (layers.Multiply, layers.Maximum, layers.Minimum)


def require_unmasked(layer: Any, masks: Iterable[Any]) -> None:
    """Raise ValueError if a layer that merges by masks has a mask on an input; else do nothing.

    Args:
        layer: of any class.
        masks: of its inputs, None where there is none.

    Example:
        >>> require_unmasked(layers.Add(), [True, None])
        >>> require_unmasked(layers.Multiply(name="gated"), [True, None])
        Traceback (most recent call last):
        ValueError: layer 'gated' (Multiply) must merge inputs without a mask; ...
    """
    if type(layer) in _READ_MASKS and any(mask is not None for mask in masks):
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}) must merge inputs without a mask; one "
            "carries a mask, by which Keras computes other numbers at padding."
        )
