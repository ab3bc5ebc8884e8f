"""A card's figures: a file's are the file's, the model's are the model's, and a fall is refused.

No file is written: what the comparison would read from one is put in its place.
"""

import types
from pathlib import Path

import numpy as np
import pytest

from gru_zoo.artifacts import frames, language_model, reader, signals, tagger, translator
from gru_zoo.export.checks import classifier_check, limits
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.text.characters import CharacterTokenizer
from gru_zoo.text.stories import StoryText

# The first label is always the true one: the model has three of four right, the file one.
MODEL = np.float32([[0.52, 0.48]] * 3 + [[0.48, 0.52]])
FILE = np.float32([[0.52, 0.48]] + [[0.48, 0.52]] * 3)
PATH, NAME = Path("model_int8.tflite"), "model_int8.tflite"


@pytest.fixture(autouse=True)
def nothing_to_inspect(monkeypatch):
    for module in (classifier_check, frames, language_model, reader, signals, tagger):
        monkeypatch.setattr(module, "inspect", lambda path: {})


def figures(record):
    return record["metric"], record["model_metric"]


def test_a_classifiers(monkeypatch):
    monkeypatch.setattr(classifier_check, "run", lambda *given, **options: FILE)
    monkeypatch.setattr(classifier_check, "latency_ms", lambda *given: 1.0)
    texts, ids = (b"a",) * 4, np.zeros((4, 2))
    reference = classifier_check.Reference(MODEL, np.zeros(4), texts=texts, ids=ids)
    assert figures(classifier_check.check(PATH, reference, "int8")) == (0.25, 0.75)


def test_a_taggers(monkeypatch):
    monkeypatch.setattr(tagger, "_open", lambda path, model: lambda words: FILE[list(words)])
    expected = limits.Expected(MODEL, np.zeros(4))
    record = tagger._compare(None, [(0, 1, 2), (3,)], expected, PATH, NAME)
    assert figures(record) == (0.25, 0.75)


def test_a_readers(monkeypatch):
    questions = [f"Who left {n}?" for n in range(4)]
    rows = dict(zip(questions, FILE, strict=True))
    ask = lambda stories, asked: np.stack([rows[question] for question in asked])  # noqa: E731
    monkeypatch.setattr(reader, "_open_tflite", lambda path, model: ask)
    text = StoryText.fit(["Eva left.", *questions], story_length=4)
    model = types.SimpleNamespace(text=text, answers=("eva", "adam"), cell="lstm")
    asked = reader.Asked([["Eva left."]] * 4, questions, ["eva"] * 4)
    record = reader.reader_parts(model, asked, MODEL)["compare"](PATH, NAME)
    assert figures(record) == (0.25, 0.75)


def test_a_model_of_frames(monkeypatch):
    half = lambda given: np.full(given.shape, 0.5, np.float32)  # noqa: E731
    monkeypatch.setattr(frames, "open_steps", lambda path: lambda given: 0.9 * half(given))
    model = types.SimpleNamespace(predict_on_batch=half)
    parts = frames.frame_parts(model, [np.ones((3, 2), np.float32)], [])
    record = parts["compare"](PATH, NAME)
    assert figures(record) == pytest.approx((-2 * np.log(0.45), -2 * np.log(0.5)))


def test_a_model_of_signals(monkeypatch):
    # A window's only channel tells its number, and the answer after its last sample counts.
    windows = np.repeat(np.arange(4, dtype=np.float32)[:, None, None], 3, axis=1)
    said = lambda rows: lambda given: np.stack([rows[[3, 3, int(g[0, 0])]] for g in given])  # noqa: E731
    model = types.SimpleNamespace(predict_on_batch=said(MODEL))
    monkeypatch.setattr(signals, "open_steps", lambda path: lambda one: said(FILE)(one[None])[0])
    parts = signals.signal_parts(model, windows, np.zeros(4, int), [], ["a", "b"])
    record = parts["compare"](PATH, NAME)
    assert figures(record) == (0.25, 0.75)
    assert record["largest_difference"] == pytest.approx(0.04)


def test_a_language_models(monkeypatch):
    class Model:
        tokenizer = CharacterTokenizer("abnrc")  # and three special tokens

        def __call__(self, ids):
            return np.zeros((*ids.shape, 8), np.float32)

    ids = np.array([[1, 3, 3]])
    given = np.full((2, 8), 0.12, np.float32)
    monkeypatch.setattr(language_model, "_open", lambda path: lambda row: given)
    record = language_model.language_model_parts(Model(), ids)["compare"](PATH, NAME)
    assert figures(record) == pytest.approx((-np.log2(0.12), 3))


def translated(of_file, of_model, sentences=4):
    """Return a translator's figures where the score is what the first translation says."""
    subwords = types.SimpleNamespace(decode=lambda ids: ids)
    model = types.SimpleNamespace(subwords=subwords)
    compared = translator._Comparison(model, translator.Task([], lambda said: said[0]))
    compared.best = [types.SimpleNamespace(ids=of_model)] * sentences
    found = [types.SimpleNamespace(ids=of_file)] * sentences
    return compared._figures(found, [1.0], "int8")


def test_a_translators():
    assert figures(translated(29.0, 30.0)) == (29.0, 30.0)
    assert translated(29.0, 30.0)["same_translations"] == 0


def test_a_translators_file_may_lose_half_a_point():
    assert figures(translated(29.55, 30.0, sentences=1000)) == (29.55, 30.0)
    with pytest.raises(Refused, match="lose at most 0.5 points; int8 falls to 29.45"):
        translated(29.45, 30.0, sentences=1000)
    assert figures(translated(29.45, 30.0, sentences=999)) == (29.45, 30.0)  # noise


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("saved_model", 1e-4), ("float32", 1e-4), ("float16", 1e-2), ("int8", 0.1), ("int16x8", 0.1)],
)
def test_frames_are_within_their_limit(kind, limit):
    frames._judge(PATH, kind, 0.99 * limit, loss=20.0, model_loss=10.0)
    with pytest.raises(Refused, match=f"must be within {limit:g} of the model's prob"):
        frames._judge(PATH, kind, 1.1 * limit, loss=20.0, model_loss=10.0)


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_beyond_it_the_loss_of_integers_may_differ_by_a_hundredth(kind):
    for loss in (9.91, 10.09):
        frames._judge(PATH, kind, 0.5, loss, model_loss=10.0)
    for loss in (9.89, 10.11):
        with pytest.raises(Refused, match="or have its 10.0000 nats per frame, within 1%"):
            frames._judge(PATH, kind, 0.5, loss, model_loss=10.0)
