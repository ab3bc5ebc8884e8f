"""Keras models of every kind that is exported, with asymmetric random weights."""

import keras
from keras import layers

from gru_zoo import GRU, StackedGRU
from gru_zoo.layers.pooling import MaskedPooling
from tests.export.conftest import make_classifier, shake

FEATURES = 5
WORDS = 20


def _sequential(*stack):
    return keras.Sequential([keras.Input((None, FEATURES)), *stack])


def _embedded(*stack):
    ids = keras.Input((None,), dtype="int32")
    return keras.Sequential([ids, layers.Embedding(WORDS, 6, mask_zero=True), *stack])


def _two_outputs():
    x = keras.Input((None, FEATURES))
    a = GRU(7, return_sequences=True, name="a")(x)
    b = layers.Add()([a, layers.Dense(7)(x)])
    both = [layers.GlobalMaxPooling1D()(b), layers.GlobalAveragePooling1D()(a)]
    label = layers.Dense(3, activation="softmax", name="label")(layers.Concatenate()(both))
    return keras.Model(x, [label, layers.Dense(2, name="each")(b + a)])


def _two_inputs():
    x, who = keras.Input((None, FEATURES), name="x"), keras.Input((3,), name="who")
    h = layers.Concatenate()([layers.GRU(7)(x), who])
    return keras.Model([x, who], layers.Dense(2)(h))


CAUSAL = {
    "last": lambda: _sequential(GRU(7), layers.Dense(3)),
    "keras": lambda: _sequential(
        layers.GRU(7, return_sequences=True), layers.LayerNormalization(), layers.GRU(6)
    ),
    "conventions": lambda: _sequential(
        GRU(7, return_sequences=True, update_gate="write", zoneout=0.1),
        layers.BatchNormalization(),
        GRU(6, reset_after=False, return_sequences=True, layer_norm=True, use_bias=False),
        layers.TimeDistributed(layers.Dense(4, activation="relu")),
        layers.Dropout(0.3),
    ),
    "written": lambda: _sequential(GRU(7, update_gate="write", use_bias=False)),
    "stacked": lambda: _sequential(
        StackedGRU(7, 2, return_state=False), MaskedPooling(), layers.Dense(3)
    ),
    "two_outputs": _two_outputs,
    "two_inputs": _two_inputs,
    "words": lambda: _embedded(
        layers.GRU(7, return_sequences=True), layers.GlobalAveragePooling1D(), layers.Dense(3)
    ),
    "words_dense": lambda: _embedded(
        GRU(7, return_sequences=True), layers.Dense(4), MaskedPooling()
    ),
    "words_stacked": lambda: _embedded(StackedGRU(7, 2, return_state=False), MaskedPooling()),
    "classifier": make_classifier,
    "classifier_keras": lambda: make_classifier(cell="keras_gru"),
}
AHEAD = {
    "both": lambda: _sequential(
        layers.Bidirectional(layers.GRU(7, return_sequences=True)),
        layers.Bidirectional(GRU(4), merge_mode="sum"),
    ),
    "backwards": lambda: _sequential(GRU(7, return_sequences=True, go_backwards=True), GRU(4)),
    "stacked_both": lambda: _sequential(StackedGRU(7, 2, bidirectional=True, return_state=False)),
    "words_both": lambda: _embedded(
        GRU(7, return_sequences=True, zero_output_for_mask=True),
        layers.Bidirectional(layers.GRU(4, return_sequences=True)),
    ),
    "classifier_both": lambda: make_classifier(bidirectional=True),
}
ALL = {**CAUSAL, **AHEAD}


def make(name):
    """Return a model with every weight moved off its initial value."""
    keras.utils.set_random_seed(3)
    model = ALL[name]()
    shake(model, 3)
    return model
