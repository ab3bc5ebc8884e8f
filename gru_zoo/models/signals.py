"""Signals of sensors: after every sample, which of some labels the signal is of."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from gru_zoo.arguments import finite, fraction, numeric, positive_int
from gru_zoo.layers.encoders import encoder


def signal_model(
    mean: Sequence[float],
    variance: Sequence[float],
    labels: int,
    units: int,
    cell: str = "gru",
    num_layers: int = 1,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
) -> keras.Model:
    """Return a causal model that classifies a signal after every sample.

    `p_t = softmax(W h_t + b)`, h the states of recurrent layers over the samples so far, which are
    first brought to mean 0 and variance 1. It is a plain functional model, so every exporter and
    `keras.saving.load_model` take it.

    Args:
        mean: of each channel, in the training signals.
        variance: of each channel.
        labels: classes, at least two.
        units: size of each layer's state.
        cell: one of `gru_zoo.layers.encoders.CELLS`; "gru" can stream.
        num_layers: layers above each other.
        dropout: share of each layer's features dropped in training, in [0, 1).
        recurrent_dropout: as for `gru_zoo.layers.encoders.encoder`.

    Returns:
        a model from `[batch, time, channels]` float32 to probabilities `[batch, time, labels]`.

    Raises:
        ValueError: an argument is out of its range, or not a number a channel.

    Example:
        >>> signal_model([0.0, 1.0], [1.0, 4.0], labels=3, units=5).output_shape
        (None, None, 3)
    """
    statistics = [_a_number_a_channel(*each) for each in (("mean", mean), ("variance", variance))]
    channels, others = map(len, statistics)
    if others != channels or not (statistics[1] > 0).all():
        raise ValueError(
            f"variance must be {channels} numbers above 0, one a channel; got {variance}."
        )
    if positive_int("labels", labels) < 2:
        raise ValueError(f"labels must be at least 2; got {labels}.")
    fraction("dropout", dropout)
    inputs = keras.Input((None, channels), name="samples")
    x = keras.layers.Normalization(mean=statistics[0], variance=statistics[1])(inputs)
    for number in range(positive_int("num_layers", num_layers)):
        options = {"recurrent_dropout": recurrent_dropout, "name": f"reader_{number}"}
        x = encoder(cell, units, causal=cell == "transformer", **options)(x)
        x = keras.layers.Dropout(dropout)(x)
    head = keras.layers.Dense(labels, activation="softmax", name="probabilities")
    return keras.Model(inputs, head(x), name="signal_model")


def _a_number_a_channel(name: str, value: Sequence[float]) -> np.ndarray:
    """Return `value` as `[channels]` float32."""
    found = finite(name, numeric(name, value))
    if found.ndim != 1 or not len(found):
        raise ValueError(f"{name} must be a list of numbers, one a channel; got {value!r}.")
    return found.astype(np.float32)
