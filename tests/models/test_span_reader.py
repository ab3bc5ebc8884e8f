"""The reader of spans: places of words, masks, that it learns, and the recipe on small articles."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.data import squad
from gru_zoo.data.source import Source
from gru_zoo.layers import kernels
from gru_zoo.models.keras_file import load_keras_file
from gru_zoo.models.span_reader import SpanReader, best_span
from gru_zoo.text.spans import SpanText, span_of, words_with_offsets
from gru_zoo.text.word_features import WordFeatures
from recipes import comprehension

CITIES = ("Paris", "Rome", "Oslo", "Bern", "Lima", "Cairo")
PEOPLE = ("Ada", "Bo", "Cy", "Di")


def made(**options):
    keras.utils.set_random_seed(1)
    words = [
        words_with_offsets(f"{p} lives in {c}. Where does {p} live?").words
        for p in PEOPLE
        for c in CITIES
    ]
    text = SpanText(WordFeatures.fit(words), context_length=12, question_length=6)
    return SpanReader(text, **{"embedding_dim": 8, "units": 6, "num_layers": 1, **options})


@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_padding_changes_nothing(cell):
    model = made(cell=cell, units=8)
    contexts = [
        words_with_offsets(t).words for t in ("Ada lives in Rome.", "Bo lives in Oslo. Cy, too.")
    ]
    questions = [["Where", "?"], ["Where", "does", "Cy", "live", "?"]]
    together = model(model.text.encode(contexts, questions, 12, 6), training=False)
    for row, (context, question) in enumerate(zip(contexts, questions, strict=True)):
        alone = model(model.text.encode([context], [question]), training=False)
        for name in ("start", "end"):
            given = np.asarray(together[name])[row]
            np.testing.assert_allclose(given[: len(context)], alone[name][0], atol=1e-6)
            assert given[len(context) :].max(initial=0) < 1e-6


def test_every_weight_but_one_receives_a_gradient():
    model = made()
    words = (
        words_with_offsets("Ada lives in Rome.").words,
        words_with_offsets("Where does Ada live?").words,
    )
    inputs = model.text.encode(*([part] * 2 for part in words))
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        # Softmaxes add up to 1: what one word has is told from the others.
        loss = tf.reduce_sum(outputs["start"][:, 0] + outputs["end"][:, 1])
    weights = model.trainable_weights
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    # Keras leaves out of a model what no output depends on.
    parts = {"align", "paragraph", "asked", "weight", "start_key", "end_key", "word", "shape"}
    assert parts <= {weight.path.split("/")[0] for weight in weights}
    assert all(gradient is not None for gradient in gradients)
    silent = {
        weight.path
        for weight, gradient in zip(weights, gradients, strict=True)
        if np.abs(tf.convert_to_tensor(gradient)).max() < 1e-8
    }
    assert silent == {"weight/bias"}  # What is added to every word changes no softmax.


def test_saved_and_loaded(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    loaded = load_keras_file(tmp_path / "model.keras")
    inputs = model.text.encode([["Ada", "lives"]], [["Who"]])
    for name, array in model(inputs).items():
        np.testing.assert_array_equal(loaded(inputs)[name], array)


def test_words_and_characters():
    text = "In (October) 1973, oil."
    words = words_with_offsets(text)
    spans = {"October": (2, 2), "October) 1973": (2, 4), "oil": (6, 6), "ctob": (2, 2)}
    for answer, span in spans.items():
        start = text.index(answer)
        assert span_of(words, start, start + len(answer)) == span
        assert answer in text[words.starts[span[0]] : words.ends[span[1]]]


def test_best_span_is_short_and_in_order():
    start, end = np.array([0.1, 0.6, 0.1, 0.2]), np.array([0.5, 0.1, 0.1, 0.3])
    assert best_span(start, end)[:2] == (1, 3)
    assert best_span(start, end, longest=2)[:2] in {(1, 1), (1, 2), (3, 3)}
    assert best_span(start, end)[2] == pytest.approx(0.18)


def questions(split):
    """Who lives in which of two cities, asked about one of the two."""
    rng = np.random.default_rng({"train": 0, "validation": 1, "test": 2}[split])
    for _ in range(320 if split == "train" else 40):
        (a, b), (one, two) = rng.choice(PEOPLE, 2, False), rng.choice(CITIES, 2, False)
        context = f"{a} lives in {one}. {b} lives in {two}."
        asked, city = (a, one) if rng.random() < 0.5 else (b, two)
        yield squad.Question(
            "t", context, f"Where does {asked} live?", (city,), (context.index(city),)
        )


def load(split, source="auto"):
    found = list(questions(split))
    record = {split: (len(found), f"questions of {split}")}
    return found, Source("small squad", "1", "here", "none", record, {"all": "0"}, "written here")


@pytest.mark.slow
def test_the_recipe_learns_answers_and_refuses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(squad, "load", load)
    monkeypatch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
    flags = "--dataset squad --embedding-dim 12 --units 12 --dropout 0.0 --epochs 12 --patience 12"
    flags += " --batch-size 16 --learning-rate 0.02 --name small"
    run = tmp_path / "small"
    with kernels.forced("loop"):  # at this size sooner done than compiled
        assert comprehension.main(["train", *flags.split(), "--runs", str(tmp_path)]) == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["metric"]["name"] == "f1" and metrics["metric"]["value"] > 0.8
    assert len(json.loads((run / "answers.json").read_text())) == 20
    capsys.readouterr()
    story = "Ada lives in Rome. Bo lives in Oslo."
    arguments = ["predict", story, "--run", str(run)]
    assert comprehension.main([*arguments, "--question", "Where does Bo live?"]) == 0
    assert capsys.readouterr().out.startswith("Oslo\t")
    for wrong, message in (
        (arguments, "question must be given by --question"),
        (["export", "--run", str(run)], "span readers cannot be exported yet"),
    ):
        assert comprehension.main(wrong) == 2
        assert message in capsys.readouterr().err
