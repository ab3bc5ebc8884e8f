import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import WordTokenizer
from gru_zoo.training.truncated import TruncatedTraining

WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "fine", "bad", "film", "a", "the", "not")
IDS = np.array([[1, 6, 3, 5, 0, 2], [1, 7, 5, 8, 4, 4], [7, 7, 1, 2, 3, 8]], np.int32)


def language_model(**options):
    keras.utils.set_random_seed(5)
    model = LanguageModel(WordTokenizer(WORDS, 8), **{"embedding_dim": 4, "units": 7, **options})
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.7, weight.shape))
    return model


def test_logits_are_those_of_the_equations():
    from tests.reference import Convention, Reference

    model = language_model(kernel="loop")
    table = model.embedding.embeddings.numpy().astype("float64")
    kernel, recurrent_kernel, bias = (np.asarray(w, "float64") for w in model.rnn.get_weights())
    case = {"x": table[IDS], "h0": np.zeros((3, 7)), "kernel": kernel, "bias": bias}
    case["recurrent_kernel"] = recurrent_kernel
    states = Reference(case, Convention(reset_after=True, update_gate="keep"), None).states
    weight, shift = (np.asarray(w, "float64") for w in model.projection.get_weights())
    wanted = (states @ weight + shift) @ table.T + model.token_bias.numpy()
    np.testing.assert_allclose(model(IDS), wanted, rtol=1e-5, atol=1e-5)


def test_token_by_token_equals_the_whole_and_streams_do_not_leak():
    model = language_model()
    wanted = tf.nn.softmax(model(IDS))  # [batch, time, tokens]
    state = model.initial_state(3)
    for step in range(IDS.shape[1]):
        state = model.step(IDS[:, step], state)
        np.testing.assert_allclose(model.output(state), wanted[:, step], atol=1e-6)


def test_pieces_with_the_state_between_them_equal_the_whole():
    model = language_model()
    whole, last = model.read(IDS)
    first, state = model.read(IDS[:, :2])
    second, end = model.read(IDS[:, 2:], state)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), whole, atol=1e-6)
    np.testing.assert_allclose(end, last, atol=1e-6)


def test_dropout_keeps_one_pattern_of_features_for_all_steps():
    model = language_model(dropout=0.5)
    model.projection.set_weights([np.zeros((7, 4)), np.ones(4)])
    projected = model.read(IDS, training=True)[0].numpy()
    assert {0.0, 2.0} == set(projected.ravel())
    np.testing.assert_array_equal(projected, projected[:, :1] + np.zeros((1, 6, 1)))


def test_saved_and_loaded(tmp_path):
    model = language_model(dropout=0.3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(IDS), model(IDS))


def test_lora_of_the_table_is_in_the_logits_and_is_trained():
    model, plain = language_model(), language_model()
    model.embedding.enable_lora(2)
    low = model.embedding.lora_embeddings_b
    low.assign(np.random.default_rng(3).normal(size=low.shape))
    plain.embedding.set_weights([np.asarray(model.embedding.embeddings)])
    np.testing.assert_allclose(model(IDS), plain(IDS), rtol=1e-5, atol=1e-5)
    trainer = TruncatedTraining(model, streams=3, sampled=4)
    projected, targets = model.read(IDS)[0], tf.constant(IDS)
    trained = TruncatedTraining(plain, streams=3, sampled=4)
    losses = [each._cross_entropy(projected, targets) for each in (trainer, trained)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_table_that_a_model_around_it_quantized_is_refused():
    inputs = keras.Input((None,), dtype="int32")
    model = language_model()
    around = keras.Model(inputs, model(inputs))
    around.quantize("int8", filters="embedding")
    with pytest.raises(ValueError, match="layer 'embedding' must not be quantized"):
        model(IDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units must be .*; got 0"),
        ({"embedding_dim": 1.5}, "embedding_dim must be .*; got 1.5"),
        ({"dropout": 1.0}, "dropout must be .*; got 1.0"),
        ({"kernel": "quick"}, "kernel must be .*; got 'quick'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(WordTokenizer(WORDS, 8), **options)
