"""Frames of many features that are there or not: what follows each of them."""

from __future__ import annotations

import keras

from gru_zoo.arguments import fraction, positive_int
from gru_zoo.layers.encoders import encoder


def frame_model(
    features: int,
    units: int,
    cell: str = "gru",
    num_layers: int = 1,
    dropout: float = 0.5,
    recurrent_dropout: float = 0.0,
) -> keras.Model:
    """Return a causal model that tells every following frame from the frames so far.

    `p_(t+1) = sigmoid(W h_t + b)`, h the states of recurrent layers over the frames: the features
    of a frame are independent of each other given what came before (Chung et al. 2014, section
    4.1). It is a plain functional model, so every exporter and `keras.saving.load_model` take it.

    Args:
        features: of a frame.
        units: size of each layer's state.
        cell: one of `gru_zoo.layers.encoders.CELLS`; "gru" can stream.
        num_layers: layers above each other.
        dropout: share of each layer's features dropped in training, in [0, 1).
        recurrent_dropout: as for `gru_zoo.layers.encoders.encoder`.

    Returns:
        a model from `[batch, time, features]` float32, 0 or 1, to probabilities of the same shape.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> frame_model(5, units=7).output_shape
        (None, None, 5)
    """
    positive_int("features", features)
    fraction("dropout", dropout)
    inputs = x = keras.Input((None, features), name="frames")
    for number in range(positive_int("num_layers", num_layers)):
        options = {"recurrent_dropout": recurrent_dropout, "name": f"reader_{number}"}
        x = encoder(cell, units, causal=cell == "transformer", **options)(x)
        x = keras.layers.Dropout(dropout)(x)
    # Most features are absent from most frames.
    absent = keras.initializers.Constant(-3.0)
    head = keras.layers.Dense(
        features, activation="sigmoid", bias_initializer=absent, name="probabilities"
    )
    return keras.Model(inputs, head(x), name="frame_model")
