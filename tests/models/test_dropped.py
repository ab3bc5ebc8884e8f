"""Where models drop features: in training only, at every place, at the rate they were given."""

import keras
import numpy as np
import pytest

from gru_zoo.layers.encoders import encoder
from gru_zoo.layers.kernels import forced
from gru_zoo.models.frames import frame_model
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.word_features import WordFeatures
from tests.small_treebank import sentences

X = np.random.default_rng(3).normal(size=(2, 5, 4)).astype("float32")


def tagger(num_layers):
    words = [sentence.words for sentence in sentences("train")]
    features = WordFeatures.fit(words)
    sizes = {"word_dim": 5, "affix_dim": 3, "units": 4, "num_layers": num_layers}
    return Tagger(features, ("A", "B"), **sizes, dropout=0.3), features.encode(words[:2], 6)


def translator():
    pytest.importorskip("tokenizers")
    from tests.models import test_seq2seq

    return test_seq2seq.translator(num_layers=2), test_seq2seq.batch()


@pytest.mark.parametrize(
    ("make", "times"),
    [
        (lambda: (encoder("gru", 5, num_layers=3, dropout=0.3), X), 2),
        (lambda: (encoder("gru", 5, num_layers=1, dropout=0.3), X), 0),
        (lambda: (encoder("transformer", 8, num_layers=2, dropout=0.3), X), 5),
        (lambda: (frame_model(4, 5, num_layers=2, dropout=0.3), X), 2),
        (lambda: tagger(1), 2),
        (lambda: tagger(2), 3),
        (translator, 7),
    ],
)
def test_every_place_drops_in_training_and_in_training_only(make, times, monkeypatch):
    model, given = make()
    seen, original = [], keras.layers.Dropout.call

    def call(layer, inputs, training=False):
        seen.append((layer.rate, training))
        return original(layer, inputs, training=training)

    monkeypatch.setattr(keras.layers.Dropout, "call", call)
    with forced("loop"):
        for training in (True, False):
            seen.clear()
            model(given, training=training)
            assert seen == [(0.3, training)] * times


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_the_recurrent_dropout_reaches_every_cell(cell):
    drops = {"recurrent_dropout": 0.2}
    one = encoder(cell, 5, **drops)
    both = encoder(cell, 5, bidirectional=True, **drops)
    stack = encoder(cell, 5, num_layers=2, **drops)
    framed = frame_model(4, 5, cell, **drops).get_layer("reader_0")
    for layer in (one, both.forward_layer, both.backward_layer, *stack.layers, framed):
        assert layer.recurrent_dropout == 0.2
