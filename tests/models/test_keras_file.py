import zipfile

import keras
import numpy as np
import pytest

from gru_zoo.models.keras_file import load_keras_file, round_to_half, save_keras_file
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import WordTokenizer


def model():
    keras.utils.set_random_seed(3)
    words = [f"word{number}" for number in range(400)]
    return LanguageModel(WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", *words], 8), 32, 40)


def check_same(first, second):
    assert first.get_config() == second.get_config()
    for a, b in zip(first.weights, second.weights, strict=True):
        assert (a.path, a.dtype) == (b.path, b.dtype)
        np.testing.assert_array_equal(a, b)


def test_what_is_no_half_number_stays_what_it_is(tmp_path):
    written = model()
    written.token_bias.assign(np.linspace(1e5, 2e5, written.tokens))  # beyond float16
    save_keras_file(written, tmp_path / "model.keras")
    check_same(load_keras_file(tmp_path / "model.keras"), written)


def test_what_training_alone_needs_is_left_out(tmp_path):
    def loss(truth, given):  # Keras' loader would look in vain for it.
        return keras.ops.mean(truth - given, axis=-1)

    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(40)])
    save_keras_file(model, tmp_path / "untrained.keras")
    model.compile("adam", loss)
    model.fit(np.ones((4, 30)), np.ones((4, 40)), verbose=0)
    save_keras_file(model, tmp_path / "trained.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("untrained", "trained")]
    assert sizes[1] < 1.1 * sizes[0]
    again = keras.saving.load_model(tmp_path / "trained.keras")
    assert not again.compiled
    for weight, own in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, own)


def test_what_is_whole_but_not_known_is_not_called_corrupt(tmp_path):
    class Mine(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    path = tmp_path / "model.keras"
    for layer in (keras.layers.Lambda(lambda x: x), Mine()):
        keras.Sequential([keras.Input((3,)), layer]).save(path)
        with pytest.raises(ValueError, match="model.keras could not be read: ") as found:
            load_keras_file(path)
        assert "corrupt" not in str(found.value)


def test_any_other_error_is_one_line_with_the_callers_name_for_the_path(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise AttributeError("no such attribute\nand a long story")

    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    monkeypatch.setattr(keras.saving, "load_model", fails)
    with pytest.raises(ValueError) as found:
        load_keras_file(path, "model")
    message = f"model must be a whole .keras file; {path} could not be read: no such attribute"
    assert str(found.value) == message


def test_a_missing_package_is_told_as_such(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ImportError("it needs tokenizers")

    (tmp_path / "model.keras").touch()
    monkeypatch.setattr(keras.saving, "load_model", fails)
    with pytest.raises(ImportError, match="it needs tokenizers"):
        load_keras_file(tmp_path / "model.keras")


def test_a_folder_with_a_model_inside_is_told_apart(tmp_path):
    with pytest.raises(ValueError, match=r"path must be a .keras file; .* is a folder\.$"):
        load_keras_file(tmp_path)
    (tmp_path / "model.keras").touch()
    with pytest.raises(ValueError, match=r"is a folder\. Did you mean .*model\.keras\?$"):
        load_keras_file(tmp_path)


def test_half_numbers_take_half_the_room(tmp_path):
    written = model()
    save_keras_file(written, tmp_path / "whole.keras")
    exact = written.get_weights()
    round_to_half(written)
    save_keras_file(written, tmp_path / "half.keras")
    check_same(load_keras_file(tmp_path / "half.keras"), written)
    check_same(keras.saving.load_model(tmp_path / "half.keras"), written)
    for rounded, weight in zip(written.get_weights(), exact, strict=True):
        np.testing.assert_allclose(rounded, weight, rtol=2**-11, atol=1e-7)
    sizes = {}
    for name in ("whole", "half"):
        with zipfile.ZipFile(tmp_path / f"{name}.keras") as archive:
            sizes[name] = archive.getinfo("model.weights.h5").file_size
    numbers = written.count_params()
    assert sizes["whole"] - sizes["half"] == pytest.approx(2 * numbers, rel=0.03)


@pytest.mark.parametrize("value", [70_000.0, np.nan])
def test_what_float16_cannot_hold_is_not_rounded(value):
    large = model()
    last = large.weights[-1]
    last.assign(np.full(last.shape, value))
    before = large.get_weights()
    with pytest.raises(ValueError, match=f"at most 65504; {last.path} has {value:g}"):
        round_to_half(large)
    for weight, own in zip(large.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, own)
