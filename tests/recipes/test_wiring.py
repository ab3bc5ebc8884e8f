"""What every recipe hands to `fit`: its optimizer, model, batches, seeds and validation split."""

import math

import keras
import numpy as np
import pytest

from gru_zoo.training.signal_windows import windows
from recipes import comprehension_babi, comprehension_squad
from tests.recipes.wiring import DATA, SEED, questions, small_reviews_of, start
from tests.small_data import small_babi, small_captions, small_music, small_treebank, small_watch

# Recipes whose gradients are clipped weight by weight; the others' are clipped as a whole.
BY_WEIGHT = ("sentiment", "semi_supervised")
# Batches of an epoch (in the language model of a part), by hand: rows // batch size.
STEPS = {
    "sentiment": 320 // 10,
    "semi_supervised": 320 // 10,
    "pos_tagging": 60 // 8,
    "translation": 24 // 4,
    "comprehension": 384 // 16,
    "comprehension_squad": 24 // 8,
}
MONITOR = {
    "translation": "bleu",
    "polyphonic_music": "loss",
    "activity_recognition": "loss",
    "comprehension_squad": "f1",
    "language_model": "loss",
}


@pytest.fixture(scope="module", params=DATA)
def begun(request, tmp_path_factory):
    """A recipe's name and what it has made when its training begins."""
    with pytest.MonkeyPatch.context() as patch:
        yield request.param, start(request.param, tmp_path_factory.mktemp("runs"), patch)


def test_the_learning_rate_decays_over_all_epochs_and_gradients_are_clipped(begun):
    name, given = begun
    optimizer = given.model.optimizer
    assert type(optimizer) is keras.optimizers.Adam
    # Of the language model, a part is what is called an epoch: three epochs of two parts.
    epochs = 6 if name == "language_model" else 3
    total = epochs * given.steps_per_epoch
    for step in (0, total // 3, total // 2, total - 1, total):
        optimizer.iterations.assign(step)
        expected = 0.02 * (1 + math.cos(math.pi * step / total)) / 2
        assert float(optimizer.learning_rate) == pytest.approx(expected, abs=1e-8), step
    clipping = optimizer.clipnorm, optimizer.global_clipnorm
    assert clipping == ((1.0, None) if name in BY_WEIGHT else (None, 1.0))
    assert not optimizer.use_ema


def test_epochs_patience_and_what_is_watched(begun):
    name, given = begun
    epochs = 6 if name == "language_model" else 3
    assert given.epochs == epochs
    # Two recipes train through all epochs.
    assert given.patience == (epochs if name in ("semi_supervised", "language_model") else 2)
    assert given.monitor == MONITOR.get(name, "accuracy")
    assert given.steps_per_epoch == STEPS.get(name, given.steps_per_epoch)
    assert len(list(given.train(0, 1))) == given.steps_per_epoch


def dropouts(model):
    """Return the rates of all layers that drop features."""
    kinds = keras.layers.Dropout
    return {layer.rate for layer in model._flatten_layers() if isinstance(layer, kinds)}


def test_the_model_has_the_dropout_and_the_loss_asked_for(begun):
    name, given = begun
    assert dropouts(given.model) == {0.35}
    if name in ("polyphonic_music", "activity_recognition"):
        assert given.model.get_layer("reader_0").recurrent_dropout == 0.15
    elif name == "translation":
        assert given.model.smoothing == 0.05
    elif name == "comprehension":
        assert given.model.get_compile_config()["loss_weights"] == {"answer": 1.0, "gates": 0.6}
    elif name == "language_model":
        assert given.model.sampled == 8


def test_weights_and_order_come_from_the_seed(begun, tmp_path, monkeypatch):
    name, given = begun
    assert set(given.seeds) == {SEED}
    batches = [given.first_batch()]
    # Of equal weights and texts, in another order.
    for seed in (SEED, SEED + 1):
        batches.append(start(name, tmp_path / str(seed), monkeypatch, seed=seed).first_batch())
    first, same, other = batches
    for one, two in zip(first, same, strict=True):
        np.testing.assert_array_equal(one, two)
    pairs = zip(first, other, strict=True)
    assert not all(a.shape == b.shape and (a == b).all() for a, b in pairs)


def test_the_test_split_is_not_read_before_training(begun):
    name, given = begun
    # Some look for what no model of theirs can take, before time is spent on it.
    checked = name in ("pos_tagging", "comprehension_squad")
    assert ("test" in given.read) == checked
    assert {"train", "validation"} <= set(given.read)


def scored(name, given, monkeypatch):
    """Call `validate`; return what the scorer was given, without the model."""
    seen = []

    def spy(result):
        return lambda model, *others, **options: seen.append(others) or result(*others)

    def uniform(rows, columns=2):
        return np.full((len(rows), columns), 1 / columns, np.float32)

    figures = {"loss": 1.0, "accuracy": 0.5}
    if name == "sentiment":
        monkeypatch.setattr("gru_zoo.evaluation.robustness.probabilities", spy(uniform))
    elif name == "pos_tagging":
        monkeypatch.setattr("gru_zoo.training.tagged_batches.score", spy(lambda _: figures))
    elif name == "polyphonic_music":
        frames = "gru_zoo.training.frame_batches.frame_figures"
        monkeypatch.setattr(frames, spy(lambda _: figures))
    elif name == "activity_recognition":
        windows = "gru_zoo.training.signal_windows.window_figures"
        monkeypatch.setattr(windows, spy(lambda *_: figures))
    elif name == "comprehension":
        answers = len(given.model.answers)
        monkeypatch.setattr(
            comprehension_babi, "probabilities", spy(lambda table: uniform(table.story, answers))
        )
    elif name == "comprehension_squad":
        monkeypatch.setattr(
            comprehension_squad, "answers", spy(lambda texts, _: [("Rome", 1.0)] * len(texts))
        )
    figures = given.validate()
    return seen[0], figures


@pytest.mark.parametrize(
    "begun",
    [
        "sentiment",
        "pos_tagging",
        "polyphonic_music",
        "activity_recognition",
        "comprehension",
        "comprehension_squad",
    ],
    indirect=True,
)
def test_what_chooses_the_model_is_the_validation_split(begun, monkeypatch):
    name, given = begun
    seen, figures = scored(name, given, monkeypatch)
    if name == "sentiment":
        assert list(seen[0]) == list(small_reviews_of("validation").texts)
        assert figures["accuracy"] == 0.5  # the small validation split has as many of each
    elif name == "pos_tagging":
        assert seen[0] == small_treebank.sentences("validation")
    elif name == "polyphonic_music":
        for piece, expected in zip(seen[0], small_music.pieces("validdata"), strict=True):
            np.testing.assert_array_equal(piece, expected)
        assert figures["nll"] == figures["loss"]
    elif name == "activity_recognition":
        held_out = small_watch.load("validation", fold=3)[0]
        assert {each.subject for each in held_out} == {9, 10}
        expected = windows([each.signal for each in held_out], [each[1] for each in held_out], 20)
        for array, wanted in zip(seen, expected, strict=True):
            np.testing.assert_array_equal(array, wanted)
    elif name == "comprehension":
        held_out = small_babi.load("validation")[0]
        expected = comprehension_babi.table_of(given.model, held_out)
        np.testing.assert_array_equal(seen[0].story, expected.story)
        # A uniform answer is the first one.
        first = given.model.answers[0]
        right = [[q.answer == first for q in held_out if q.task == task] for task in (1, 2)]
        assert figures["accuracy"] == pytest.approx(np.mean([np.mean(task) for task in right]))
    else:
        held_out = questions("validation")
        assert list(seen) == [[q.context for q in held_out], [q.question for q in held_out]]
        assert figures["exact_match"] == pytest.approx(2 / 6)


def test_a_translator_is_chosen_by_validation_pairs(tmp_path, monkeypatch):
    validate = start("translation", tmp_path, monkeypatch).validate
    pairs = small_captions.pairs("validation")
    assert validate.pairs == pairs
    # BLEU of translations that are right is 100; of others it is not.
    assert validate.score(pairs.target, pairs.target) == pytest.approx(100)
    assert validate.score(pairs.target[::-1], pairs.target) < 100


def from_the_end(tokenizer, text):
    """Return a text's ids after <START>, the last word first."""
    return [1, *tokenizer.words([text]).to_list()[0][::-1]]


def test_a_language_model_is_chosen_by_validation_texts(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "gru_zoo.training.truncated.score_stream",
        lambda model, batches: seen.append((model, batches)) or {"loss": 2.0, "accuracy": 0.5},
    )
    given = start("language_model", tmp_path, monkeypatch)
    assert given.validate()["perplexity"] == pytest.approx(math.e**2)
    ((model, batches),) = seen
    held_out = small_reviews_of("validation").texts
    expected = [number for text in held_out for number in from_the_end(model.tokenizer, text)]
    assert batches.tokens.tolist() == expected
    # What is learnt is read from its end too: the unlabelled reviews as the labelled ones.
    learnt = [text for part in ("train", "unsupervised") for text in small_reviews_of(part).texts]
    learnt = [from_the_end(model.tokenizer, text) for text in learnt]
    # Two parts of an epoch, of four streams and six steps.
    assert given.steps_per_epoch == (sum(map(len, learnt)) - 1) // (4 * 6) // 2
    streams = np.concatenate([ids for ids, *_ in given.train(0, 2).as_numpy_iterator()], axis=1)
    texts = [text for row in streams for text in np.split(row, np.flatnonzero(row == 1))[1:-1]]
    assert len(texts) > 300 and all(text.tolist() in learnt for text in texts)


def test_a_classifier_read_from_the_end_is_chosen_by_validation_texts(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "gru_zoo.training.batching.predict_by_length",
        lambda model, ids: seen.append(ids) or np.tile([[0.25, 0.75]], (len(ids), 1)),
    )
    given = start("semi_supervised", tmp_path, monkeypatch)
    held_out = small_reviews_of("validation")
    assert given.validate()["accuracy"] == held_out.labels.mean()
    tokenizer = given.model.tokenizer
    rows = [row[row > 0].tolist() for row in seen[0]]
    assert rows == [from_the_end(tokenizer, text) for text in held_out.texts]
    learnt = small_reviews_of("train")
    texts = {
        tuple(from_the_end(tokenizer, text)): label
        for text, label in zip(learnt.texts, learnt.labels, strict=True)
    }
    for ids, targets in given.train(0, 1).as_numpy_iterator():
        for row, target in zip(ids, targets, strict=True):
            assert target.tolist() == np.eye(2)[texts[tuple(row[row > 0].tolist())]].tolist()
