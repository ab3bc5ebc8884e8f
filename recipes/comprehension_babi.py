"""bAbI for recipes.comprehension: batches, training, the table of tasks, the figure."""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.data import babi
from gru_zoo.data.babi import Question
from gru_zoo.files import write_json
from recipes.shared import models

if TYPE_CHECKING:
    import tensorflow as tf

    from gru_zoo.data.source import Source
    from gru_zoo.models.reader import Reader
    from gru_zoo.training.runs import RunFolder
    from gru_zoo.training.story_batches import StoryTable
    from recipes.comprehension import Train

# Numbers of sentences that a batch may have; the last is the longest story the model takes.
LENGTHS = (*range(1, 17), 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 232)
FAILED = 0.95  # a task below it counts as failed (Weston et al. 2015)


def read(split: str, config: Train) -> tuple[list[Question], Source]:
    """Return the questions of a split, `limit` of each task if that is not 0."""
    questions, source = babi.load(split)
    return _limited(questions, config.limit), source


def _limited(questions: list[Question], limit: int) -> list[Question]:
    """Return the first `limit` questions of each task, all of them if that is 0."""
    if not limit:
        return questions
    seen = dict.fromkeys(babi.TASKS, 0)
    kept = []
    for question in questions:
        seen[question.task] += 1
        kept += [question] if seen[question.task] <= limit else []
    return kept


def make_model(config: Train, training: Sequence[Question]) -> Reader:
    """Return a new reader with the training questions' words and answers."""
    from gru_zoo.models.budget import units_for
    from gru_zoo.models.reader import Reader
    from gru_zoo.text.stories import StoryText

    sentences = {s for question in training for s in (*question.story, question.question)}
    text = StoryText.fit(sentences, LENGTHS[-1])
    answers = sorted({question.answer for question in training})

    def build(units: int) -> Reader:
        return Reader(
            text,
            answers,
            embedding_dim=config.embedding_dim,
            units=units,
            hops=config.hops,
            cell=config.cell,
            dropout=config.dropout,
        )

    return build(units_for(build, config.parameters) if config.parameters else config.units)


def train(config: Train, run: RunFolder) -> Reader:
    """Train a reader and save it."""
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.fitting import fit

    whole, source = babi.load("train")
    training = _limited(whole, config.limit)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})")
    validation, _ = read("validation", config)
    # A few questions lack words that those of other splits have.
    model = make_model(config, whole)
    print(f"model: {model.count_params():,} parameters, {model.units} units")
    batches = _Batches(model, training, config)
    _compile(model, config, len(batches))
    table = table_of(model, validation)
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: _validation(model, validation, table),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
    )
    save_keras_file(model, run.path / "model.keras")
    return model


class _Batches:
    """Training batches of stories of similar length, questions of some tasks repeated."""

    def __init__(self, model: Reader, questions: Sequence[Question], config: Train) -> None:
        from gru_zoo.training.batching import BucketedBatches

        sizes = np.bincount([question.task for question in questions])
        often = {task for task, size in enumerate(sizes) if size < sizes.max() // 2}
        often.update(config.hard)
        repeated = [q for q in questions for _ in range(config.repeat if q.task in often else 1)]
        self.table = table_of(model, repeated)
        self.answers, self.supports = _targets(model, repeated)
        story = np.zeros((len(repeated), LENGTHS[-1]), np.int32)
        story[:, : self.table.story.shape[1]] = self.table.story
        rows = np.arange(len(repeated), dtype=np.int32)
        self.batches = BucketedBatches(story, rows, config.batch_size, LENGTHS, config.seed)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Yield inputs and targets by name."""
        for _, rows in self.batches.epoch(epoch):
            batch = self.table.batch(rows)
            supports = self.supports[rows, :, : batch.story.shape[1]]
            yield batch.inputs(), {"answer": self.answers[rows], "gates": supports}

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        from gru_zoo.training.batching import epochs_dataset

        size = self.batches.batch_size
        ids = {"sentences": [None, None], "story": [size, None], "question": [size]}
        inputs = {name: tf.TensorSpec(shape, tf.int32) for name, shape in ids.items()}
        targets = {
            "answer": tf.TensorSpec([size], tf.int32),
            "gates": tf.TensorSpec([size, None, None], tf.int8),
        }
        signature = (inputs, targets)
        return epochs_dataset(self.epoch, signature, first_epoch, epochs, prefetch=8)


def table_of(model: Reader, questions: Sequence[Question]) -> StoryTable:
    """Return the questions as numbers, to be cut into batches of similar length."""
    from gru_zoo.training.story_batches import StoryTable

    stories, asked = [q.story for q in questions], [q.question for q in questions]
    return StoryTable(model.text, stories, asked, LENGTHS)


def _targets(model: Reader, questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray]:
    """Return answers, int32 [questions], and supports, int8 [questions, hops, facts].

    An unknown answer is -1. Each hop has the next step of the reasoning: its fact is 1, the others
    0, and -1 stands after a story's end. A hop after the last step attends to nothing; where there
    are more steps than hops, each has them all.
    """
    numbers = {answer: number for number, answer in enumerate(model.answers)}
    answers = np.array([numbers.get(question.answer, -1) for question in questions], np.int32)
    supports = np.full((len(questions), model.hops, LENGTHS[-1]), -1, np.int8)
    for row, question in zip(supports, questions, strict=True):
        row[:, : len(question.story)] = 0
        if len(question.supports) > model.hops:
            row[:, list(question.supports)] = 1
        for hop, fact in enumerate(question.supports[: model.hops]):
            row[hop, fact] = 1
    return answers, supports


def _compile(model: Reader, config: Train, steps_per_epoch: int) -> None:
    import keras

    from gru_zoo.models.reader import SupportLoss

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss={"answer": "sparse_categorical_crossentropy", "gates": SupportLoss()},
        loss_weights={"answer": 1.0, "gates": config.supports},
        metrics={"answer": "accuracy"},
    )


def probabilities(model: Reader, table: StoryTable, size: int = 256) -> np.ndarray:
    """Return probabilities [questions, answers] of every question of a table."""
    results = np.zeros((len(table.story), len(model.answers)), np.float32)
    order = np.argsort(table.sizes, kind="stable")
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        # One number of rows, so that the kernels are compiled once: the last batch is filled up.
        filled = np.resize(rows, size)
        answers = model.predict_on_batch(table.batch(filled).inputs())["answer"]
        results[rows] = answers[: len(rows)]
    return results


def by_task(questions: Sequence[Question], right: np.ndarray) -> dict[int, float]:
    """Return each task's accuracy."""
    tasks = np.array([question.task for question in questions])
    return {int(task): float(right[tasks == task].mean()) for task in np.unique(tasks)}


def _validation(
    model: Reader, questions: Sequence[Question], table: StoryTable
) -> dict[str, float]:
    """Return cross entropy, and the mean over tasks of the accuracy."""
    given, (truth, _) = probabilities(model, table), _targets(model, questions)
    of_truth = np.where(truth < 0, 0.0, given[np.arange(len(truth)), truth])
    tasks = by_task(questions, given.argmax(axis=1) == truth)
    weak = {task: f"{100 * share:.1f}" for task, share in tasks.items() if share < FAILED}
    print(f"validation accuracy (%) of tasks below {FAILED:.0%}: {weak}")
    return {
        "loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
        "accuracy": statistics.fmean(tasks.values()),
    }


def evaluate(config: Train, run: RunFolder) -> None:
    """Read the test split, write `metrics.json`, `tasks.json`, `attention.png`; print a table."""
    model = load(run)
    test, source = read("test", config)
    run.pin_data(source.as_dict())
    given, (truth, _) = probabilities(model, table_of(model, test)), _targets(model, test)
    tasks = by_task(test, given.argmax(axis=1) == truth)
    best = max(run.history, key=lambda row: row["val_accuracy"])
    seconds = [row["seconds"] for row in run.history]
    mean, failed = statistics.fmean(tasks.values()), sum(s < FAILED for s in tasks.values())
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": mean, "split": "test"},
            "tasks_failed": failed,
            "scored_on": f"{len(test):,} {source.splits['test'][1]}: the mean of the tasks",
            "validation_accuracy": best["val_accuracy"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "cpu_seconds": sum(row.get("cpu_seconds", 0.0) for row in run.history),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )
    named = {f"qa{task}": {"task": babi.TASKS[task], "accuracy": s} for task, s in tasks.items()}
    write_json(run.path / "tasks.json", named)
    _draw(model, test, run)
    _print_tasks(run, tasks)


def load(run: RunFolder) -> Reader:
    """Return a run's trained reader."""
    from gru_zoo.models.reader import Reader

    return models.of_run(run, Reader)


def _draw(model: Reader, questions: Sequence[Question], run: RunFolder) -> None:
    """Draw the first short story of some tasks that need several facts."""
    from recipes.shared import story_figure

    shown = []
    for task in (2, 3, 16, 19):
        short = (q for q in questions if q.task == task and len(q.story) <= 14)
        shown += [question for question in itertools.islice(short, 1)]
    table = table_of(model, shown)
    outputs = model(table.batch(np.arange(len(shown))).inputs(), training=False)
    gates = [np.asarray(g)[:, : len(q.story)] for g, q in zip(outputs["gates"], shown, strict=True)]
    answers = [model.answers[number] for number in np.asarray(outputs["answer"]).argmax(axis=1)]
    story_figure.draw(shown, gates, answers, run.path / "attention.png")


def _print_tasks(run: RunFolder, tasks: dict[int, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    metrics = run.metrics()
    table = Table(title=f"comprehension: {metrics['scored_on']}", title_justify="left")
    for heading in ("task", "name", "accuracy"):
        table.add_column(heading, justify="right" if heading == "accuracy" else "left")
    for task, share in tasks.items():
        mark = " (failed)" if share < FAILED else ""
        table.add_row(f"qa{task}", babi.TASKS[task], f"{100 * share:.1f} %{mark}")
    table.caption = (
        f"mean accuracy {100 * metrics['metric']['value']:.2f} %, "
        f"{metrics['tasks_failed']} tasks failed (below {FAILED:.0%}); "
        f"validation {100 * metrics['validation_accuracy']:.2f} %; "
        f"{metrics['parameters']:,} parameters; {metrics['epochs']} epochs, "
        f"{metrics['train_seconds']:.0f} s training time; files in {run.path}"
    )
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def answer(model: Reader, text: str, question: str) -> dict[str, Any]:
    """Return the answer to a question about a raw text, its probability and the gates.

    Raises:
        ValueError: a story without a sentence, no question, or words the reader does not know.
    """
    from gru_zoo.text.stories import split_sentences

    story = split_sentences(text)
    if not question and story and story[-1].endswith("?"):
        question = story.pop()
    if not story:
        raise ValueError(f"story must have a sentence; got {text!r}.")
    if not question:
        raise ValueError(
            f"question must be given by --question, or end the story; got neither in {text!r}."
        )
    outputs = model(model.text.encode([story], [question]).inputs(), training=False)
    shares = np.asarray(outputs["answer"])[0]
    best = int(shares.argmax())
    gates = np.asarray(outputs["gates"])[0].T
    return {
        "answer": model.answers[best],
        "score": float(shares[best]),
        "sentences": [
            {"sentence": sentence, "gates": [round(float(g), 4) for g in row]}
            for sentence, row in zip(story, gates, strict=True)
        ],
    }


def export(config: Train, run: RunFolder) -> None:
    """Write the run's artifact: every format, compared on the test split, with its card."""
    from recipes import comprehension_artifact
    from recipes.shared import publishing, report

    model, test, given = _tested(config, run)
    training, _ = read("train", config)
    command = publishing.command("comprehension", run, type(config)())
    card = comprehension_artifact.write_artifact(run, model, training, test, given, config, command)
    report.print_run("comprehension", run, card)


def export_files(config: Train, run: RunFolder, out: Path, overwrite: bool) -> None:
    """Write the device's files into a folder, each compared on the test split."""
    from recipes import comprehension_artifact

    model, test, given = _tested(config, run)
    comprehension_artifact.write_files(model, out, test, given, overwrite)


def _tested(config: Train, run: RunFolder) -> tuple[Reader, list[Question], np.ndarray]:
    """Return the model, the test split, and the model's probabilities for it."""
    model = load(run)
    test, source = read("test", config)
    run.pin_data(source.as_dict())
    return model, test, probabilities(model, table_of(model, test))
