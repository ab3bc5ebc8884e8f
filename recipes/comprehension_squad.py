"""SQuAD for recipes.comprehension: batches, training, exact match and F1."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.data import squad
from gru_zoo.data.squad import Question
from gru_zoo.files import write_json
from recipes.shared import models

if TYPE_CHECKING:
    import tensorflow as tf

    from gru_zoo.data.source import Source
    from gru_zoo.models.span_reader import SpanReader
    from gru_zoo.training.runs import RunFolder
    from recipes.comprehension import Train

# Words that a paragraph may have in a batch; the last is the longest that the model takes.
LENGTHS = (64, 96, 128, 160, 192, 256, 384, 800)
QUESTION = 60  # words


def read(split: str, config: Train) -> tuple[list[Question], Source]:
    """Return the questions of a split, the first `limit` of them if that is not 0."""
    questions, source = squad.load(split)
    return questions[: config.limit or None], source


def make_model(config: Train, training: Sequence[Question]) -> SpanReader:
    """Return a new reader with the training paragraphs' and questions' words."""
    from gru_zoo.models.budget import units_for
    from gru_zoo.models.span_reader import SpanReader
    from gru_zoo.text.spans import SpanText, words_with_offsets
    from gru_zoo.text.word_features import WordFeatures

    texts = {question.context for question in training}
    words = [words_with_offsets(text).words for text in sorted(texts)]
    words += [words_with_offsets(question.question).words for question in training]
    text = SpanText(WordFeatures.fit(words), LENGTHS[-1], QUESTION)

    def build(units: int) -> SpanReader:
        return SpanReader(
            text,
            embedding_dim=config.embedding_dim,
            units=units,
            cell=config.cell,
            dropout=config.dropout,
        )

    return build(units_for(build, config.parameters) if config.parameters else config.units)


def train(config: Train, run: RunFolder) -> None:
    """Train a reader and save it."""
    import keras

    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.fitting import fit

    given, source = read("train", config)
    run.pin_data(source.as_dict())
    print(f"data: {source.splits['train'][0]:,} {source.splits['train'][1]}")
    validation, _ = read("validation", config)
    # What would end a training midway or after it is reported before.
    _require_fitting("validation", validation)
    _require_fitting("test", read("test", config)[0])
    training = [question for question in given if not _unfit(question)]
    if left := len(given) - len(training):
        print(
            f"note: {left:,} of {len(given):,} training questions are dropped: the limits are 1 to "
            f"{LENGTHS[-1]} words per paragraph and 1 to {QUESTION} per question."
        )
    model = make_model(config, training)
    print(f"model: {model.count_params():,} parameters")
    batches = _Batches(model, training, config)
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * len(batches)
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss=dict.fromkeys(("start", "end"), "sparse_categorical_crossentropy"),
    )
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: _score(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
        monitor="f1",
    )
    save_keras_file(model, run.path / "model.keras")


def _unfit(question: Question) -> str:
    """Return what of a question no reader takes; "" where it takes all of it."""
    for part, text, most in (
        ("paragraph", question.context, LENGTHS[-1]),
        ("question", question.question, QUESTION),
    ):
        if not 1 <= (size := _size(text)) <= most:
            which = f"{text[:60]!r} of {question.title!r}"
            return f"{part} must have 1 to {most} words; {which} has {size}"
    return ""


@functools.lru_cache(maxsize=256)  # The questions about a paragraph follow each other.
def _size(text: str) -> int:
    from gru_zoo.text.spans import words_with_offsets

    return len(words_with_offsets(text).words)


def _require_fitting(split: str, questions: Sequence[Question]) -> None:
    """Raise ValueError for a question that no reader takes: what scores a model is not left out."""
    for question in questions:
        if unfit := _unfit(question):
            raise ValueError(f"{split} split: {unfit}.")


class _Batches:
    """Training batches of paragraphs of similar length; answers are the first ones given."""

    def __init__(self, model: SpanReader, questions: Sequence[Question], config: Train) -> None:
        from gru_zoo.text.spans import span_of, words_with_offsets
        from gru_zoo.training.batching import BucketedBatches

        self.text = model.text
        contexts = [words_with_offsets(question.context) for question in questions]
        self.contexts = [words.words for words in contexts]
        self.questions = [words_with_offsets(question.question).words for question in questions]
        spans = [
            span_of(words, q.starts[0], q.starts[0] + len(q.answers[0]))
            for words, q in zip(contexts, questions, strict=True)
        ]
        self.spans = np.array(spans, np.int32)
        sizes = np.array([len(words) for words in self.contexts])
        # Only the number of words counts for the order.
        ids = (np.arange(LENGTHS[-1]) < sizes[:, None]).astype(np.int8)
        rows = np.arange(len(questions), dtype=np.int32)
        self.batches = BucketedBatches(ids, rows, config.batch_size, LENGTHS, config.seed)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Yield inputs and targets by name."""
        for ids, rows in self.batches.epoch(epoch):
            contexts = [self.contexts[row] for row in rows]
            questions = [self.questions[row] for row in rows]
            inputs = self.text.encode(contexts, questions, ids.shape[1], QUESTION)
            yield inputs, {"start": self.spans[rows, 0], "end": self.spans[rows, 1]}

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        from gru_zoo.training.batching import epochs_dataset

        size = self.batches.batch_size
        ids = tf.TensorSpec([size, None], tf.int32)
        names = [
            f"{part}_{n}" for part in ("context", "question") for n in self.text.features.sizes
        ]
        inputs = {**dict.fromkeys(names, ids), "same": tf.TensorSpec([size, None, 2], tf.float32)}
        targets = dict.fromkeys(("start", "end"), tf.TensorSpec([size], tf.int32))
        signature = (inputs, targets)
        return epochs_dataset(self.epoch, signature, first_epoch, epochs)


def answers(
    model: SpanReader, contexts: Sequence[str], questions: Sequence[str], size: int = 32
) -> list[tuple[str, float]]:
    """Return the answer to each question about its paragraph, and its probability.

    Raises:
        ValueError: a paragraph or question without a word, or too long.
    """
    from gru_zoo.models.span_reader import best_span
    from gru_zoo.text.spans import words_with_offsets
    from gru_zoo.training.batching import fitting_length

    split = [words_with_offsets(context) for context in contexts]
    asked = [words_with_offsets(question).words for question in questions]
    order = np.argsort([len(words.words) for words in split], kind="stable")
    found: dict[int, tuple[str, float]] = {}
    for begin in range(0, len(order), size):
        rows = order[begin : begin + size]
        filled = np.resize(rows, size)  # one number of rows: kernels are compiled once
        words = [split[row].words for row in filled]
        time = fitting_length(min(max(map(len, words)), LENGTHS[-1]), LENGTHS)
        inputs = model.text.encode(words, [asked[row] for row in filled], time, QUESTION)
        outputs = model.predict_on_batch(inputs)
        for row, start, end in zip(rows, outputs["start"], outputs["end"], strict=False):
            first, last, share = best_span(start, end)
            place = slice(split[row].starts[first], split[row].ends[last])
            found[row] = contexts[row][place], share
    return [found[row] for row in range(len(contexts))]


def _score(model: SpanReader, questions: Sequence[Question]) -> dict[str, float]:
    """Return exact match and F1, each a share."""
    contexts, asked = [q.context for q in questions], [q.question for q in questions]
    given = [answer for answer, _ in answers(model, contexts, asked)]
    pairs = list(zip(given, questions, strict=True))
    return {
        "exact_match": statistics.fmean(squad.exact_match(g, q.answers) for g, q in pairs),
        "f1": statistics.fmean(squad.f1(g, q.answers) for g, q in pairs),
    }


def evaluate(config: Train, run: RunFolder) -> None:
    """Read the test split, write `metrics.json`, and print exact match and F1."""
    model = load(run)
    test, source = read("test", config)
    run.pin_data(source.as_dict())
    score = _score(model, test)
    best = max(run.history, key=lambda row: row["val_f1"])
    seconds = [row["seconds"] for row in run.history]
    metrics = {
        "metric": {"name": "f1", "value": score["f1"], "split": "test"},
        "exact_match": score["exact_match"],
        "scored_on": f"{len(test):,} {source.splits['test'][1]}",
        "validation_f1": best["val_f1"],
        "parameters": model.count_params(),
        "epochs": len(seconds),
        "train_seconds": sum(seconds),
        "seconds_per_epoch": statistics.median(seconds),
        "data": source.as_dict(),
    }
    run.write_metrics(metrics)
    shown = [
        {"question": q.question, "answers": sorted(set(q.answers)), "given": given}
        for q, (given, _) in zip(
            test[:20],
            answers(model, [q.context for q in test[:20]], [q.question for q in test[:20]]),
            strict=True,
        )
    ]
    write_json(run.path / "answers.json", shown)
    print(
        f"{metrics['scored_on']}: exact match {100 * score['exact_match']:.2f} %, F1 "
        f"{100 * score['f1']:.2f} %; {metrics['parameters']:,} parameters, {len(seconds)} epochs, "
        f"{metrics['train_seconds']:.0f} s training time; files in {run.path}"
    )


def answer(model: SpanReader, text: str, question: str) -> dict[str, Any]:
    """Return the answer to a question about a paragraph, and its probability.

    Raises:
        ValueError: no question, or a paragraph or question without a word or too long.
    """
    if not question.strip():
        raise ValueError("question must be given by --question; got none.")
    ((found, share),) = answers(model, [text], [question], size=1)
    return {"answer": found, "score": share}


def load(run: RunFolder) -> SpanReader:
    """Return a run's trained reader."""
    from gru_zoo.models.span_reader import SpanReader

    return models.of_run(run, SpanReader)


def export(config: Train, run: RunFolder) -> None:
    """Raise ValueError: this model cannot be exported yet."""
    raise ValueError(
        "run must be trained on bAbI: span readers cannot be exported yet; "
        f"{run.path} was trained on {config.dataset}."
    )


def export_files(config: Train, run: RunFolder, out: Path, overwrite: bool) -> None:
    """Raise ValueError, as `export` does."""
    export(config, run)
