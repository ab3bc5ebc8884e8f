"""A model of a configuration has every argument that was given, and works as it."""

import inspect

import keras
import numpy as np
import pytest

from gru_zoo.layers.stacked import StackedGRU
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.models.reader import Reader
from gru_zoo.models.span_reader import SpanReader
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.spans import SpanText
from gru_zoo.text.stories import StoryText
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.text.word_features import WordFeatures

TOKENIZER = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine", "dull"], sequence_length=9)
FEATURES = WordFeatures.fit([("Eva", "left")] * 2)
KERAS = {"name": "mine", "trainable": False, "dtype": "float64"}


def translator():
    """Return what a translator is made of; its subwords need a package."""
    pytest.importorskip("tokenizers")
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.text.subwords import Subwords

    subwords = Subwords.fit(["ein Haus", "a house"], 20, 10)
    sizes = {"dim": 5, "units": 6, "num_layers": 2, "heads": 3}
    return Seq2Seq, subwords, {**sizes, "cell": "lstm", "kind": "additive"}


# A class, its text processing, and its other arguments, none at its default.
MODELS = {
    "language_model": lambda: (
        LanguageModel,
        TOKENIZER,
        {"embedding_dim": 5, "units": 6, "kernel": "loop"},
    ),
    "classifier": lambda: (
        SequenceClassifier,
        TOKENIZER,
        {
            "labels": ["sour", "sweet", "salty"],
            "embedding_dim": 5,
            "units": 6,
            "cell": "gru",
            "bidirectional": True,
            "kernel": "loop",
        },
    ),
    "classifier_cell": lambda: (SequenceClassifier, TOKENIZER, {"cell": "rnn", "units": 6}),
    "translator": translator,
    "reader": lambda: (
        Reader,
        StoryText.fit(["Eva left.", "Who left?"], story_length=4),
        {"answers": ["Eva", "Bo"], "embedding_dim": 5, "units": 6, "hops": 2, "cell": "lstm"},
    ),
    "span_reader": lambda: (
        SpanReader,
        SpanText(FEATURES, 9, 5),
        {"embedding_dim": 5, "units": 6, "num_layers": 1, "cell": "lstm"},
    ),
    "tagger": lambda: (
        Tagger,
        FEATURES,
        {
            "tags": ["NOUN", "VERB"],
            "word_dim": 5,
            "affix_dim": 3,
            "units": 6,
            "num_layers": 1,
            "cell": "lstm",
        },
    ),
}


def parameters(kind):
    """Return the names of a constructor's arguments, without `**kwargs`."""
    found = inspect.signature(kind.__init__).parameters.values()
    return {each.name for each in found if each.kind is not each.VAR_KEYWORD} - {"self"}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_model_of_a_configuration_has_what_was_given(make):
    kind, text, options = make()
    given = {**options, "dropout": 0.35}
    model = kind(text, **given, **KERAS)
    assert parameters(kind) <= set(model.get_config())
    again = kind.from_config(model.get_config())
    for each in (model, again):
        config = each.get_config()
        for name, value in given.items():
            found = config[name]
            assert (list(found) if isinstance(value, list) else found) == value, name
        assert text.get_config() in config.values()
        assert (each.name, each.trainable) == ("mine", False)
        assert each.dtype_policy.name == "float64" and not each.trainable_weights
        drops = [
            layer for layer in each._flatten_layers() if isinstance(layer, keras.layers.Dropout)
        ]
        assert {layer.rate for layer in drops} == {0.35}
    for one, other in zip(model.weights, again.weights, strict=True):
        assert one.path == other.path and one.shape == other.shape


STACKED = {
    "units": 3,
    "num_layers": 2,
    "bidirectional": True,
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "kernel_initializer": keras.initializers.RandomNormal(0.0, 0.4, seed=1),
    "recurrent_initializer": keras.initializers.RandomNormal(0.0, 0.5, seed=1),
    "bias_initializer": keras.initializers.Constant(0.6),
    "kernel_regularizer": keras.regularizers.L2(0.01),
    "recurrent_regularizer": keras.regularizers.L2(0.02),
    "bias_regularizer": keras.regularizers.L2(0.03),
    "reset_after": False,
    "update_gate": "write",
    "zoneout": 0.3,
    "layer_norm": True,
    "kernel": "loop",
    "return_state": False,
    "seed": 7,
}
# Of every GRU in it; where an object is meant, what tells it from another.
TOLD = {
    "kernel_initializer": ("stddev", 0.4),
    "recurrent_initializer": ("stddev", 0.5),
    "bias_initializer": ("value", 0.6),
    "kernel_regularizer": ("l2", 0.01),
    "recurrent_regularizer": ("l2", 0.02),
    "bias_regularizer": ("l2", 0.03),
}
OWN = ("num_layers", "bidirectional", "dropout", "return_state", "seed")


def test_a_stack_of_a_configuration_has_what_was_given():
    assert parameters(StackedGRU) == set(STACKED)
    layer = StackedGRU(**STACKED)
    assert set(STACKED) <= set(layer.get_config())
    again = StackedGRU.from_config(layer.get_config())
    for each in (layer, again):
        for name in OWN:
            assert getattr(each, name) == STACKED[name], name
        assert [drop.rate for drop in each.dropouts] == [0.1]
        grus = [gru for row in each.grus for gru in row]
        assert len(grus) == 4
        for gru in grus:
            for name in STACKED.keys() - {*OWN, *TOLD, "activation", "recurrent_activation"}:
                assert getattr(gru, name) == STACKED[name], name
            for name, (key, value) in TOLD.items():
                config = getattr(gru.cell, name).get_config()
                assert config[key] == pytest.approx(value), name
            assert gru.cell.activation is keras.activations.relu
            assert gru.cell.recurrent_activation is keras.activations.hard_sigmoid


def test_a_stack_uses_what_it_was_given():
    options = {name: STACKED[name] for name in TOLD if name.endswith("regularizer")}
    layer = StackedGRU(3, num_layers=2, bias_initializer="ones", **options)
    layer(np.ones((2, 4, 5), "float32"))
    shares = {"kernel": 0.01, "recurrent_kernel": 0.02, "bias": 0.03}
    expected = sum(
        shares[weight.path.rsplit("/")[-1]] * float((np.asarray(weight) ** 2).sum())
        for weight in layer.weights
        if "seed" not in weight.path
    )
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    x = np.random.default_rng(0).normal(size=(1, 9, 5)).astype("float32")
    forgetful = StackedGRU(16, recurrent_dropout=0.9, seed=1, return_state=False)
    assert np.abs(forgetful(x, training=True) - forgetful(x)).max() > 0.01
