"""The vectors of a Keras Embedding, for those who multiply by them."""

from __future__ import annotations

from typing import Any

import keras


def embedding_table(layer: keras.layers.Embedding) -> Any:
    """Return an embedding's vectors, `[ids, features]`; with LoRA they are computed.

    Raises:
        ValueError: the layer is quantized, so that its vectors are integers without their scales.

    Example:
        >>> layer = keras.layers.Embedding(9, 4)
        >>> layer.build()
        >>> layer.enable_lora(2)
        >>> embedding_table(layer).shape
        TensorShape([9, 4])
    """
    if mode := getattr(layer, "quantization_mode", None):
        raise ValueError(f"layer {layer.name!r} must not be quantized; got {mode}.")
    table = layer.embeddings
    return getattr(table, "value", table)
