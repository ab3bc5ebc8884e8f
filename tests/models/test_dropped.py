"""Where models drop features: in training only, at every place, at the rate they were given."""

from collections import Counter

import keras
import numpy as np
import pytest

from gru_zoo.layers.encoders import encoder
from gru_zoo.layers.kernels import forced
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.frames import frame_model
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.models.reader import Reader
from gru_zoo.models.span_reader import SpanReader
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.spans import SpanText
from gru_zoo.text.stories import StoryText
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer
from gru_zoo.text.word_features import WordFeatures
from tests.small_data.small_treebank import sentences

X = np.random.default_rng(3).normal(size=(2, 5, 4)).astype("float32")
IDS = np.array([[1, 3, 4, 3], [1, 4, 0, 0]], "int32")
SIZES = {"embedding_dim": 4, "units": 5, "dropout": 0.3}


def tagger(num_layers, **options):
    words = [sentence.words for sentence in sentences("train")]
    features = WordFeatures.fit(words)
    sizes = {"word_dim": 5, "affix_dim": 3, "units": 4, "num_layers": num_layers}
    return Tagger(features, ("A", "B"), **sizes, dropout=0.3, **options), features.encode(
        words[:2], 6
    )


def classifier(**options):
    sizes = {**SIZES, **options}
    return SequenceClassifier(WordTokenizer((*SPECIAL, "a", "b"), 4), **sizes), IDS


def language_model():
    return LanguageModel(CharacterTokenizer("ab"), **SIZES), IDS


def reader():
    text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
    given = text.encode([["Eva left."]], ["Who left?"]).inputs()
    return Reader(text, ["eva", "adam"], hops=1, **SIZES), given


def span_reader():
    text = SpanText(WordFeatures.fit([("Eva", "left")] * 2), 9, 5)
    return SpanReader(text, **SIZES), text.encode([["Eva", "left"]], [["Who", "left"]])


def translator():
    pytest.importorskip("tokenizers")
    from tests.models import test_seq2seq

    return test_seq2seq.translator(num_layers=2), test_seq2seq.batch()


@pytest.mark.parametrize(
    ("make", "times", "of_all_steps"),  # `SpatialDropout1D` drops a feature at all steps at once
    [
        (lambda: (encoder("gru", 5, num_layers=3, dropout=0.3), X), 2, 0),
        (lambda: (encoder("gru", 5, num_layers=1, dropout=0.3), X), 0, 0),
        (lambda: (encoder("transformer", 8, num_layers=2, dropout=0.3), X), 5, 0),
        (lambda: (frame_model(4, 5, num_layers=2, dropout=0.3), X), 2, 0),
        (lambda: tagger(1), 2, 0),
        (lambda: tagger(2), 3, 0),
        (lambda: tagger(2, cell="transformer"), 2, 0),
        (classifier, 1, 1),
        (lambda: classifier(cell="transformer", units=8), 1, 1),
        (language_model, 0, 2),
        (reader, 2, 0),
        (span_reader, 5, 0),
        (translator, 7, 0),
    ],
)
def test_every_place_drops_in_training_and_in_training_only(make, times, of_all_steps, monkeypatch):
    model, given = make()
    kinds, seen = (keras.layers.Dropout, keras.layers.SpatialDropout1D), Counter()

    def watched(original):
        def call(layer, inputs, training=False):
            if layer.rate:  # At 0 Keras' layers hand on what they get.
                seen[type(layer), layer.rate, training] += 1
            return original(layer, inputs, training=training)

        return call

    for kind, original in [(kind, kind.call) for kind in kinds]:
        monkeypatch.setattr(kind, "call", watched(original))
    with forced("loop"):
        for training in (True, False):
            seen.clear()
            model(given, training=training)
            wanted = {(kinds[0], 0.3, training): times, (kinds[1], 0.3, training): of_all_steps}
            assert seen == Counter(wanted)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_the_recurrent_dropout_reaches_every_cell(cell):
    drops = {"recurrent_dropout": 0.2}
    one = encoder(cell, 5, **drops)
    both = encoder(cell, 5, bidirectional=True, **drops)
    stack = encoder(cell, 5, num_layers=2, **drops)
    framed = frame_model(4, 5, cell, **drops).get_layer("reader_0")
    for layer in (one, both.forward_layer, both.backward_layer, *stack.layers, framed):
        assert layer.recurrent_dropout == 0.2
