"""What the artifact of a reader of stories holds, for `folder.publish`."""

from __future__ import annotations

import functools
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gru_zoo.artifacts.file_names import file_of, variant_of
from gru_zoo.export.checks import limits
from gru_zoo.export.checks.inspection import inspect
from gru_zoo.export.checks.saved_signature import open_signature
from gru_zoo.export.flatbuffer.checksum_archive import sealed
from gru_zoo.export.flatbuffer.packing import slim
from gru_zoo.export.graphs.story_graph import StoryGraph, StoryServer
from gru_zoo.export.names import WHOLE
from gru_zoo.export.runners.lite_reader import ANSWERS, TEXT, LiteReader
from gru_zoo.export.signatures import convert, named
from gru_zoo.export.variants import BASIC
from gru_zoo.models.reader import Reader

# A story has up to 228 sentences and is read three times: what two programs round differently has
# grown to 6e-5 in the worst of 20,000 answers, and float16's rounding can turn a close one.
EXACT = limits.Limit(1e-3, same_label=True)
LIMITS = {
    **limits.LIMITS,
    "saved_model": EXACT,
    "float32": EXACT,
    "float16": limits.Limit(1e-2, on_goldens_only=True, same_label=True, points=0.001),
}
# Sentences that the interpreter prepares for where nobody resizes the input.
SENTENCES = 10


# Stories and questions to probabilities [questions, answers].
Ask = Callable[[Sequence[Sequence[str]], Sequence[str]], np.ndarray]


class Asked(NamedTuple):
    """Stories with one question each, and the true answers."""

    stories: Sequence[Sequence[str]]
    questions: Sequence[str]
    answers: Sequence[str]


def write_tflite(model: Reader, path: Path, variant: str) -> None:
    """Write a reader as a TFLite file of builtin operators.

    Args:
        model: a built reader of GRUs.
        path: the file.
        variant: "float32", "float16" or "int8" (dynamic-range quantization).

    Raises:
        ValueError: the reader has another cell than "gru".
    """
    graph = StoryGraph(model)
    function = graph.read.get_concrete_function(**graph.inputs)
    content = convert({WHOLE: function}, graph, variant)
    path.write_bytes(sealed(slim(named(content, SENTENCES))))


def write_saved_model(model: Reader, path: Path) -> None:
    """Write a reader as a SavedModel folder that takes raw texts."""
    server = StoryServer(model)
    tf.saved_model.save(server, os.fspath(path), signatures=server.signature())


def reader_files(model: Reader) -> dict[str, Callable[[Path], None]]:
    """Return what writes each file: name -> function of the path.

    A reader of another cell than "gru" has no TFLite files: their loop is written for GRUs.

    Example:
        >>> from gru_zoo.text.stories import StoryText
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> list(reader_files(Reader(text, ["eva", "adam"], units=5)))[:2]
        ['saved_model', 'model_float32.tflite']
    """
    files = {"saved_model": functools.partial(write_saved_model, model)}
    for name in BASIC if model.cell == "gru" else ():
        files[file_of(name)] = functools.partial(write_tflite, model, variant=name)
    return files


def reader_parts(model: Reader, asked: Asked, probabilities: np.ndarray) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    Args:
        model: a built reader.
        asked: what the files are compared and scored on, usually the whole test split.
        probabilities: `[questions, answers]`, the model's own for `asked`.

    Example:
        >>> from gru_zoo.text.stories import StoryText
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> model = Reader(text, ["eva", "adam"], units=5)
        >>> asked = Asked([["Eva left."]], ["Who left?"], ["eva"])
        >>> sorted(reader_parts(model, asked, np.ones((1, 2))))
        ['assets', 'compare', 'files']
    """
    numbers = {answer: number for number, answer in enumerate(model.answers)}
    truth = np.array([numbers.get(answer, -1) for answer in asked.answers])
    expected = limits.Expected(probabilities, truth)

    def compare(path: Path, name: str) -> dict[str, Any]:
        ask = _open_saved_model(path) if path.is_dir() else _open_tflite(path, model)
        given = _all_of_them(ask, asked, 64 if path.is_dir() else 1)
        return {
            **inspect(path),
            "texts": len(asked.stories),
            "largest_difference": limits.judge(path, given, expected, variant_of(name), LIMITS),
            "latency_ms": _latency_ms(ask, asked),
            "metric": expected.accuracy(given),
            "model_metric": expected.accuracy(probabilities),
        }

    assets = {
        TEXT: json.dumps(model.text.get_config()).encode(),
        ANSWERS: "".join(f"{answer}\n" for answer in model.answers).encode(),
    }
    return {"files": reader_files(model), "compare": compare, "assets": assets}


def _all_of_them(ask: Ask, asked: Asked, size: int) -> np.ndarray:
    """Return probabilities [questions, answers]; stories of a length after each other."""
    order = np.argsort([len(story) for story in asked.stories], kind="stable")
    parts = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        parts.append(ask([asked.stories[i] for i in rows], [asked.questions[i] for i in rows]))
    return np.concatenate(parts)[np.argsort(order)]


def _latency_ms(ask: Ask, asked: Asked) -> float:
    """Return the median time for one question, over a hundred spread evenly, on one thread."""
    times = []
    for row in np.linspace(0, len(asked.stories) - 1, 100).astype(int):
        one = [asked.stories[row]], [asked.questions[row]]
        ask(*one)  # of a new length it would take longer
        start = time.perf_counter()
        ask(*one)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def _open_tflite(path: Path, model: Reader) -> Ask:
    reader = LiteReader(path, model.text)

    def ask(stories: Sequence[Sequence[str]], questions: Sequence[str]) -> np.ndarray:
        return np.stack([reader.read(*pair)[0] for pair in zip(stories, questions, strict=True)])

    return ask


def _open_saved_model(path: Path) -> Ask:
    run = open_signature(path)

    def ask(stories: Sequence[Sequence[str]], questions: Sequence[str]) -> np.ndarray:
        texts = [" ".join(story) for story in stories]
        given = run(story=tf.constant(texts), question=tf.constant(list(questions)))
        return given["probabilities"].numpy()

    return ask


def reader_goldens(model: Reader, asked: Asked) -> dict[str, np.ndarray]:
    """Return stories, questions, their ids and what the model gives for them.

    Example:
        >>> from gru_zoo.text.stories import StoryText
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> asked = Asked([["Eva left."]], ["Who left?"], ["eva"])
        >>> sorted(reader_goldens(Reader(text, ["eva", "adam"], units=5), asked))
        ['gates', 'probabilities', 'question_ids', 'questions', 'sentences', 'stories', 'story_ids']
    """
    arrays = model.text.encode(asked.stories, asked.questions)
    outputs = model(arrays.inputs(), training=False)
    return {
        "stories": np.array([" ".join(story).encode() for story in asked.stories]),
        "questions": np.array([question.encode() for question in asked.questions]),
        "sentences": arrays.sentences,
        "story_ids": arrays.story,
        "question_ids": arrays.question,
        "probabilities": np.asarray(outputs["answer"]),
        "gates": np.asarray(outputs["gates"]),
    }
