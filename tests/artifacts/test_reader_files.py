"""A reader's files: what each gives for raw stories, and what is refused."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.artifacts.file_names import variant_of
from gru_zoo.artifacts.reader import Asked, reader_files, reader_goldens, reader_parts
from gru_zoo.export.checks import inspection, limits
from gru_zoo.export.graphs.story_graph import StoryGraph
from gru_zoo.export.runners.lite_reader import LiteReader
from gru_zoo.models.reader import Reader
from gru_zoo.text.stories import StoryText
from tests.small_data import small_babi

# Every format of a model, each compared: CI does it.
pytestmark = pytest.mark.slow

STORIES = [
    ["Anna went to the garden.", "Bert ran to the office.", "Anna ran to the kitchen."],
    ["Bert ran to the office."],
    ["Bert went to the office.", "Anna ran to the garden."] * 10,
]
QUESTIONS = ["Where is Anna?", "Where is Bert?", "Where is Anna?"]
ASKED = Asked(STORIES, QUESTIONS, ["kitchen", "office", "garden"])


def made(cell="gru", units=24):
    keras.utils.set_random_seed(5)
    text = StoryText.fit([*(s for story in STORIES for s in story), *QUESTIONS], 20)
    model = Reader(text, small_babi.PLACES, embedding_dim=16, units=units, hops=2, cell=cell)
    rng = np.random.default_rng(6)
    for weight in model.weights:  # biases too; far from the small ones of an untrained model
        if weight.dtype == "float32":
            weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
    return model


def told(model):
    outputs = model(model.text.encode(STORIES, QUESTIONS).inputs(), training=False)
    return np.asarray(outputs["answer"]), np.asarray(outputs["gates"])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Model, parts and the folder with every file, each compared."""
    folder, model = tmp_path_factory.mktemp("files"), made()
    parts = reader_parts(model, ASKED, told(model)[0])
    records = {}
    for name, write in parts["files"].items():
        write(folder / name)
        records[name] = parts["compare"](folder / name, name)
    return model, parts, folder, records


def test_every_file_was_compared(written):
    _, _, _, records = written
    kinds = ("float32", "float16", "int8")
    assert list(records) == ["saved_model", *(f"model_{kind}.tflite" for kind in kinds)]
    for name, record in records.items():
        assert record["texts"] == 3 and record["latency_ms"] > 0
        limit = limits.LIMITS[variant_of(name)].difference
        assert record["largest_difference"] <= limit
    sizes = [records[name]["bytes"] for name in ("model_float32.tflite", "model_int8.tflite")]
    assert sizes[1] < 0.8 * sizes[0]


def test_tflite_answers_raw_stories_as_keras_does(written):
    model, _, folder, _ = written
    reader = LiteReader(folder / "model_float32.tflite", model.text)
    answers, gates = told(model)
    for row in (0, 2, 1, 0):  # longer and shorter ones after each other
        answer, gate = reader.read(STORIES[row], QUESTIONS[row])
        np.testing.assert_allclose(answer, answers[row], atol=1e-5)
        np.testing.assert_allclose(gate, gates[row, :, : len(STORIES[row])], atol=1e-5)
    with pytest.raises(ValueError, match="story must have a sentence; got none"):
        reader.read([], QUESTIONS[0])
    with pytest.raises(ValueError, match="story must have at most 20 sentences; got 21"):
        reader.read(STORIES[1][:1] * 21, QUESTIONS[0])
    with pytest.raises(ValueError, match="story must be a collection of texts; got one text"):
        reader.read(STORIES[1][0], QUESTIONS[0])


def test_the_file_and_its_assets_are_enough(written):
    model, parts, folder, _ = written
    (folder / "assets").mkdir()
    for name, content in parts["assets"].items():
        (folder / "assets" / name).write_bytes(content)
    reader = LiteReader(folder / "model_float32.tflite")
    for story, question, message in (
        (["Anna ran.", None], "Where is Anna?", "story must hold strings; got None"),
        (STORIES[0], None, "question must be a string; got None"),
    ):
        with pytest.raises(ValueError, match=message):
            reader.answer(story, question)
    labels = [model.answers[number] for number in told(model)[0].argmax(axis=1)]
    pairs = zip(STORIES, QUESTIONS, strict=True)
    assert [reader.answer(*pair) for pair in pairs] == labels


def test_saved_model_takes_raw_text(written):
    model, _, folder, _ = written
    loaded = tf.saved_model.load(folder / "saved_model")  # owns the variables
    read = loaded.read
    texts = ["\n".join(STORIES[0]), STORIES[1][0].upper(), " ".join(STORIES[2])]
    texts[0] = texts[0].replace(" ", "\u00a0") + "\n\u3000.\x0b"  # white space, and no sentence
    questions = [question.replace(" ", "\u00a0") for question in QUESTIONS]
    given, (answers, gates) = read(texts, questions), told(model)
    np.testing.assert_allclose(given["probabilities"], answers, atol=1e-5)
    np.testing.assert_allclose(given["gates"], gates, atol=1e-5)
    labels = [model.answers[number] for number in answers.argmax(axis=1)]
    assert [label.decode() for label in given["label"].numpy()] == labels
    for story, question, message in (
        ("Anna eats.", "Where is Anna?", "words must be ones it was trained on"),
        (" ... ", "Where is Anna?", "story must have a sentence"),
        (STORIES[1][0], " ", "a sentence must have a word"),
        (STORIES[1][0] * 21, "Where is Anna?", "story must have at most 20 sentences"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            read([story], [question])


def test_a_file_of_another_model_is_refused(written, tmp_path):
    model, _, folder, _ = written
    other = told(model)[0].copy()
    other[1] = np.roll(other[1], 1)
    compare = reader_parts(model, ASKED, other)["compare"]
    shutil.copy(folder / "model_float32.tflite", tmp_path)
    with pytest.raises(inspection.Refused, match="must be within 0.001 of the model"):
        compare(tmp_path / "model_float32.tflite", "model_float32.tflite")


def test_goldens_are_what_the_model_gives(written):
    model, _, _, _ = written
    goldens = reader_goldens(model, ASKED)
    np.testing.assert_array_equal(goldens["probabilities"], told(model)[0])
    assert goldens["stories"][1] == STORIES[1][0].encode()
    assert not any(array.dtype.hasobject for array in goldens.values())


def test_only_grus_have_tflite_files():
    model = made("lstm", units=8)
    assert list(reader_files(model)) == ["saved_model"]
    with pytest.raises(ValueError, match="cell must be 'gru' for TFLite.*got 'lstm'"):
        StoryGraph(model)
