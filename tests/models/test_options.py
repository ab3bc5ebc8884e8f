"""What models keep of Keras' own options: the policy, whether they are trainable, and no other."""

import contextlib

import keras
import numpy as np
import pytest

from gru_zoo.layers.kernels import forced
from gru_zoo.models.policy import dtype_policy_scope
from tests.models import test_classifier, test_language_model, test_reader, test_span_reader
from tests.models.test_tagger import SENTENCES, tagger

PLAIN = {"cell": "rnn"}  # the soonest made, and as much of Keras' as of ours


def translator(**options):
    pytest.importorskip("tokenizers")
    from tests.models import test_seq2seq

    return test_seq2seq.translator(**options, **PLAIN), test_seq2seq.batch()


def classifier(**options):
    model = test_classifier.classifier(**options)
    return model, model.tokenizer.encode(test_classifier.TEXTS)


def reader(**options):
    model = test_reader.made(**options, **PLAIN)
    return model, model.text.encode(test_reader.STORIES, test_reader.QUESTIONS).inputs()


def span_reader(**options):
    model = test_span_reader.made(**options, **PLAIN)
    return model, model.text.encode([["Ada", "lives"]], [["Who"]])


def words(**options):
    model = tagger(**options, **PLAIN)
    return model, model.features.encode(SENTENCES[:2], 6)


def language_model(**options):
    return test_language_model.language_model(**options), test_language_model.IDS


FUNCTIONAL = (words, reader, span_reader)
MODELS = (classifier, language_model, translator, *FUNCTIONAL)


@pytest.mark.parametrize("make", MODELS)
def test_a_model_keeps_its_policy_wherever_it_is_made_and_loaded(make):
    with forced("loop"):
        model, given = make(dtype="mixed_bfloat16")
        with dtype_policy_scope("mixed_float16"):
            again = type(model).from_config(model.get_config())
        again.set_weights(model.get_weights())
        for each in (model, again):
            layers = [layer for layer in each._flatten_layers() if "input" not in layer.name]
            assert {layer.dtype_policy.name for layer in layers} == {"mixed_bfloat16"}
        pairs = zip(*(keras.tree.flatten(each(given)) for each in (model, again)), strict=True)
        for one, other in pairs:
            assert one.dtype == "bfloat16"
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [classifier, language_model])
def test_streams_are_as_wide_as_the_weights(make):
    with forced("loop"):
        model, ids = make(dtype="float64")
        whole, state = np.asarray(model(ids[:, :1])), model.initial_state(len(ids))
        said = np.asarray(model.output(model.step(ids[:, 0], state)))
    if make is language_model:
        whole = np.exp(whole[:, 0]) / np.exp(whole[:, 0]).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(said, whole, rtol=1e-12)


def test_a_tagger_in_half_precision_says_its_probabilities_in_float32():
    (found,) = words(dtype="mixed_float16", num_layers=1)[0].probabilities(SENTENCES[:1])
    assert found.dtype == np.float32


@pytest.mark.parametrize("make", FUNCTIONAL)
def test_an_option_that_there_is_not_is_refused(make):
    with pytest.raises(TypeError, match="unexpected keyword argument 'unit'"):
        make(unit=256)


@pytest.mark.parametrize("make", MODELS)
def test_no_variable_of_a_frozen_model_is_trainable(make):
    model, _ = make(trainable=False, name="fixed")
    again = type(model).from_config(model.get_config())
    assert again.name == "fixed"
    for each in (model, again):
        # A model around it trains each variable by that variable's own flag.
        assert not each.trainable and not any(weight.trainable for weight in each.weights)


@pytest.mark.parametrize("make", MODELS)
def test_frozen_parts_of_a_model_stay_frozen_in_its_file(make, tmp_path):
    model, _ = make()
    assert "trainable_parts" not in model.get_config()
    part = next(part for part in model.layers if part.weights)
    part.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted = [weight.trainable for weight in model.weights]
    assert [weight.trainable for weight in loaded.weights] == wanted
    assert any(wanted) and not all(wanted)


@pytest.mark.parametrize("make", MODELS)
def test_no_model_is_quantized_in_place(make):
    model, _ = make()
    with pytest.raises(ValueError, match=r"cannot be quantized .* variant='int8'"):
        model.quantize("int8")
    assert not any(weight.dtype == "int8" for weight in model.weights)


def test_the_policy_of_the_process_comes_back_after_an_error():
    with contextlib.suppress(RuntimeError), dtype_policy_scope("float64"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="float7"), dtype_policy_scope("float7"):
        pass
