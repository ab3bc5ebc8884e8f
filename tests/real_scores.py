"""A preset's metric on its real test split, by class: (file, the card's figure, the figure)."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator

import numpy as np
import pytest

from gru_zoo import load
from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.evaluation.robustness import probabilities

Figures = Iterator[tuple[str, float, float]]


def sentiment(about: Card) -> Figures:
    """Accuracy of the Keras model on IMDB's test half, of the int8 file on as much as its card."""
    from recipes.shared import reviews

    test, source = reviews.read("test", "tfds")
    assert about.data["sha256"] == source.sha256
    model = load(about.name)
    right = reviews.score(probabilities(model, test.texts), test.labels)
    yield "model.keras", about.value, right["accuracy"]
    (compared,) = {row["texts"] for row in about.exports if row["variant"] == "int8"}
    some = reviews.spread(test, compared)
    given = load(about.name, format="tflite", variant="int8").predict(some.texts)
    yield "int8", exported(about, "int8"), reviews.score(given, some.labels)["accuracy"]


def tagging(about: Card) -> Figures:
    """Share of the test split's words with the right tag, Keras and int8."""
    from gru_zoo.data import universal_dependencies

    treebank = about.data["name"].rpartition("/")[2].split()[0]
    sentences, source = universal_dependencies.load("test", treebank)
    assert about.data["sha256"] == source.sha256
    words = [sentence.words for sentence in sentences]
    truth = [tag for sentence in sentences for tag in sentence.tags]
    model = load(about.name)
    numbers = np.concatenate(model.probabilities(words)).argmax(axis=1)
    right = [model.tags[number] == tag for number, tag in zip(numbers, truth, strict=True)]
    yield "model.keras", about.value, float(np.mean(right))
    lite = load(about.name, format="tflite", variant="int8").tag(words)
    given = [tag for tags in lite for tag in tags]
    right = [tag == true for tag, true in zip(given, truth, strict=True)]
    yield "int8", exported(about, "int8"), float(np.mean(right))


def translation(about: Card) -> Figures:
    """SacreBLEU of the Keras model and of the int8 files on the test split."""
    import sacrebleu

    from gru_zoo.decoding.translating import translations
    from recipes.translation_flags import CORPORA

    corpus = CORPORA[about.configuration.get("corpus", "multi30k")]
    pairs, source = corpus.load("test", "-".join(about.language))
    assert about.data["sha256"] == source.sha256
    model = load(about.name)
    found = translations(model, pairs.source)
    bleu = sacrebleu.BLEU()
    yield "model.keras", about.value, bleu.corpus_score(found, [list(pairs.target)]).score
    lite = load(about.name, format="tflite", variant="int8").translate(pairs.source)
    yield "int8", exported(about, "int8"), bleu.corpus_score(lite, [list(pairs.target)]).score


def comprehension(about: Card) -> Figures:
    """Share of bAbI's test questions with the right answer, Keras and int8."""
    from gru_zoo.data import babi
    from recipes import comprehension_babi

    questions, source = babi.load("test")
    assert about.data["sha256"] == source.sha256
    model = load(about.name)
    table = comprehension_babi.table_of(model, questions)
    best = comprehension_babi.probabilities(model, table).argmax(axis=1)
    right = [model.answers[n] == q.answer for n, q in zip(best, questions, strict=True)]
    yield "model.keras", about.value, float(np.mean(right))
    lite = load(about.name, format="tflite", variant="int8")
    right = [lite.answer(q.story, q.question) == q.answer for q in questions]
    yield "int8", exported(about, "int8"), float(np.mean(right))


def writing(about: Card) -> Figures:
    """Perplexity of every 20th of IMDB's test reviews; of int8, on the card's beginnings."""
    from gru_zoo.artifacts.language_model import language_model_parts
    from gru_zoo.training.truncated import score_stream
    from gru_zoo.zoo.registry import place
    from recipes import language_model_text as text
    from recipes.language_model import Train
    from recipes.language_model_artifact import beginnings

    flags = Train(source="tfds")
    texts, source = text.read("test", flags)
    assert about.data["sha256"] == source.sha256
    model = load(about.name)
    # Each token asks all words: the whole split takes a core fifteen minutes.
    batches = text.streams(model.tokenizer, texts[::20], flags, text.READERS["imdb"])
    yield "model.keras", about.value, math.exp(score_stream(model, batches)["loss"])
    file = "model_int8.tflite"
    compare = language_model_parts(model, beginnings(model, flags))["compare"]
    yield "int8", exported(about, "int8"), compare(place(about.name) / file, file)["metric"]


def music(about: Card) -> Figures:
    """Nats a frame of the official test pieces, Keras and int8, frame by frame."""
    from gru_zoo.artifacts.frames import frame_parts
    from gru_zoo.data import polyphonic_music
    from gru_zoo.training.frame_batches import frame_figures
    from gru_zoo.zoo.registry import place

    pieces, source = polyphonic_music.load("test", about.configuration["dataset"])
    assert about.data["sha256"] == source.sha256
    model = load(about.name)
    yield "model.keras", about.value, frame_figures(model, pieces)["loss"]
    compare, file = frame_parts(model, pieces, [])["compare"], "model_int8.tflite"
    yield "int8", exported(about, "int8"), compare(place(about.name) / file, file)["metric"]


def functional(about: Card) -> Figures:
    """Plain functional models, which their metrics tell apart."""
    return music(about) if about.metric == "nll" else activity(about)


def activity(about: Card) -> Figures:
    """Accuracy on the windows of the people held out, Keras and int8, sample by sample."""
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("needs the extra sensors")
    from gru_zoo.artifacts.signals import signal_parts
    from gru_zoo.training.signal_windows import window_figures
    from gru_zoo.zoo.registry import place
    from recipes.activity_recognition_data import watch

    known = about.configuration
    test = watch().load("test", known["fold"])
    assert about.data["sha256"] == test.source.sha256
    model, (windows, labels) = load(about.name), test.windows(known["sequence_length"])
    yield "model.keras", about.value, window_figures(model, windows, labels)["accuracy"]
    compare = signal_parts(model, windows, labels, [], known["labels"])["compare"]
    file = place(about.name) / "model_int8.tflite"
    yield "int8", exported(about, "int8"), compare(file, file.name)["metric"]


def tolerance(about: Card, file: str) -> float:
    """How far the figure of a file may be from the card's."""
    if about.model["class"] == "LanguageModel":
        # The Keras model reads another sample of the reviews, a file that of the card.
        return (0.02 if file == "model.keras" else 0.002) * about.value
    if about.metric == "nll":
        return 0.005  # Nats a frame; seeds are 0.003 to 0.02 apart.
    return 0.001 if METRICS[about.metric].percent else 0.1


def exported(about: Card, variant: str) -> float:
    """The card's figure of a file."""
    return next(row["metric"] for row in about.exports if row["variant"] == variant)


SCORES = {
    "SequenceClassifier": sentiment,
    "Tagger": tagging,
    "Reader": comprehension,
    "Seq2Seq": translation,
    "LanguageModel": writing,
    "Functional": functional,
}
