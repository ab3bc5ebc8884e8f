"""WordTokenizer against the real thing: the tokenizer inside MediaPipe's own runtime."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.export.flatbuffer.metadata import TextMetadata, attach
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer, delimiter_split
from tests.nasty_texts import NASTY, known_characters, random_texts

TextClassifier = pytest.importorskip("mediapipe.tasks.python.text").TextClassifier

LENGTH = 24


class Raw:
    """Bytes that MediaPipe's Python wrapper takes for a text: it only calls `encode`."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def encode(self, encoding: str) -> bytes:
        return self.text


def revealing_model(tokenizer: WordTokenizer) -> bytes:
    """Return a TFLite file whose score at class i is the id at place i."""

    length = tokenizer.sequence_length

    @tf.function(input_signature=[tf.TensorSpec([1, length], tf.int32)])
    def reveal(ids):
        return tf.cast(ids, tf.float32)

    module = tf.Module()
    with warnings.catch_warnings():
        # TensorFlow announces that the converter will move to another package.
        warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite.*")
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [reveal.get_concrete_function()], module
        )
        model = converter.convert()
    labels = tuple(f"place{place}" for place in range(length))
    return attach(
        model,
        TextMetadata(tokenizer.vocabulary_bytes(), labels, tokenizer.delimiter_pattern),
    )


def device_ids(classifier, text: bytes, length: int) -> list[int]:
    """Return the ids that MediaPipe fed into the model for `text`."""
    ids = np.full(length, -1)
    for category in classifier.classify(Raw(text)).classifications[0].categories:
        ids[category.index] = round(category.score)
    return ids.tolist()


@pytest.mark.parametrize("fold_case", [False, True])
def test_ids_equal_those_of_mediapipe(fold_case, tmp_path):
    texts = NASTY + random_texts(400)
    every_other_word = sorted(
        {
            word.decode()
            for words in delimiter_split(tf.constant(texts)).to_list()
            for word in words
            if word.decode(errors="ignore").encode() == word
        }
    )[::2]
    if fold_case:
        every_other_word = sorted({word.lower() for word in every_other_word})
    tokenizer = WordTokenizer([*SPECIAL, *every_other_word], LENGTH, fold_case)
    path = tmp_path / "reveal.tflite"
    path.write_bytes(revealing_model(tokenizer))
    ours = tokenizer(tf.constant(texts)).numpy().tolist()
    assert len({tuple(ids) for ids in ours}) > 100
    with TextClassifier.create_from_model_path(str(path)) as classifier:
        for text, ids in zip(texts, ours, strict=True):
            assert device_ids(classifier, text, LENGTH) == ids, text


def test_every_character_is_the_same_part_of_a_text_for_mediapipe(tmp_path):
    characters = known_characters()
    assert len(characters) > 30_000
    tokenizer = WordTokenizer([*SPECIAL, "a"], 4100)
    path = tmp_path / "reveal.tflite"
    path.write_bytes(revealing_model(tokenizer))
    with TextClassifier.create_from_model_path(str(path)) as classifier:
        for start in range(0, len(characters), 2000):
            # One unknown word where the character belongs to it, two known ones where it parts.
            text = " ".join(f"a{character}a" for character in characters[start : start + 2000])
            ids = tokenizer(tf.constant([text]))[0].numpy().tolist()
            assert device_ids(classifier, text.encode(), 4100) == ids, f"near {characters[start]!r}"
