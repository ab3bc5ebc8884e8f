"""SQuAD v1.1: questions about paragraphs of Wikipedia, answered by a span (Rajpurkar et al. 2016).

                source "tfds"                            source "dev" (the dev file, put by hand)
    train       95 % of the training articles            two thirds of the dev set's articles
    validation  5 % of them                              a twelfth of them
    test        the official dev set                     the other quarter

Articles are held out by a fixed hash of their titles: no paragraph is on both sides. The two tests
are different tests, and what is trained on the dev file has seen an eleventh of what the official
training set holds: a number needs its source beside it.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import json
import re
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gru_zoo.arguments import one_of
from gru_zoo.data import network
from gru_zoo.data.manual import data_dirs, looked_in, raw_file, writable_data_dir
from gru_zoo.data.source import Source
from gru_zoo.files import sha256

SPLITS = ("train", "validation", "test")
SOURCES = ("auto", "tfds", "dev")
ORIGIN = "https://rajpurkar.github.io/SQuAD-explorer/"
ARCHIVE = ORIGIN + "dataset/train-v1.1.json"
RAW = "squad_dev/dev-v1.1.rebuilt.json"
LICENCE = "CC BY-SA 4.0"
# Of 12 parts of the articles: validation is the first, test in "dev" the next three.
PARTS = 12


class Question(NamedTuple):
    """A question about a paragraph and the answers that count as right."""

    title: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]  # of each answer, in characters of the context


def load(split: str, source: str = "auto") -> tuple[list[Question], Source]:
    """Load one split.

    Args:
        split: "train", "validation" or "test".
        source: "tfds" (a prepared folder, else a download), "dev" (the dev file where files are
            put by hand), or "auto": the first of prepared folder, download and dev file.

    Returns:
        The questions, article by article, and the record of where they came from.

    Raises:
        ValueError: an unknown split or source, or a file that is not SQuAD's.
        FileNotFoundError: the data are nowhere to be had; the message names the ways.

    Example:
        >>> questions, source = load("test", "dev")  # doctest: +SKIP
        >>> questions[0].answers  # doctest: +SKIP
        ('Saint Bernadette Soubirous',)
    """
    one_of("split", split, SPLITS)
    one_of("source", source, SOURCES)
    kind, place, reason = _choose(source)
    return _of_dev(place, split, reason) if kind == "dev" else _of_tfds(place, split, reason)


def _choose(source: str) -> tuple[str, Path, str]:
    """Return "tfds" or "dev", the data folder or file to read, and why this one."""
    dev = raw_file(RAW)
    if source == "dev":
        if dev is None:
            raise FileNotFoundError(f"source='dev' needs {RAW} in a folder for files put by hand.")
        return "dev", dev, "asked for"
    for folder in data_dirs():
        if list(folder.glob("squad/v1.1/*/dataset_info.json")):
            return "tfds", folder, "a prepared folder was found"
    if network.answers(ARCHIVE):
        return "tfds", writable_data_dir(), "downloaded"
    if source == "auto" and dev is not None:
        return "dev", dev, f"no prepared folder was found, and {ARCHIVE} does not answer"
    raise FileNotFoundError(
        f"source={source!r} found no prepared squad/v1.1 in {looked_in()}, and {ARCHIVE} does not "
        f"answer; with {RAW} in a folder for files put by hand, source='dev' reads that."
    )


def parse(text: str, name: str = "text") -> Iterator[Question]:
    """Yield the questions of a file in SQuAD's format.

    Raises:
        ValueError: it is not JSON of that form; or an answer is not where it is said to be.

    Example:
        >>> qa = {"question": "Who?", "answers": [{"text": "Eva", "answer_start": 0}]}
        >>> article = {"title": "E", "paragraphs": [{"context": "Eva left.", "qas": [qa]}]}
        >>> next(parse(json.dumps({"data": [article]}))).answers
        ('Eva',)
    """
    try:
        for article in json.loads(text)["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    context, answers = paragraph["context"], asked["answers"]
                    question = Question(
                        article["title"],
                        context,
                        asked["question"].strip(),
                        tuple(answer["text"] for answer in answers),
                        tuple(answer["answer_start"] for answer in answers),
                    )
                    _check(question, name)
                    yield question
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{name} must be a file in SQuAD's format: {error!r}.") from error


def _check(question: Question, name: str) -> None:
    for answer, start in zip(question.answers, question.starts, strict=True):
        if question.context[start : start + len(answer)] != answer:
            raise ValueError(
                f"{name}: answer {answer!r} of {question.question!r} must stand at {start} of its "
                f"paragraph; there is {question.context[start : start + len(answer)]!r}."
            )


@functools.lru_cache(maxsize=1)
def _read_dev(path: Path) -> list[Question]:
    return list(parse(path.read_text(encoding="utf-8"), path.name))


def _ordered(titles: set[str]) -> list[str]:
    """Return titles in the order of their SHA-256."""
    return sorted(titles, key=lambda title: hashlib.sha256(title.encode()).digest())


def _of_dev(path: Path, split: str, reason: str) -> tuple[list[Question], Source]:
    questions = _read_dev(path)
    titles = _ordered({question.title for question in questions})
    cuts = {"validation": (0, 1), "test": (1, 4), "train": (4, PARTS)}
    first, last = (len(titles) * part // PARTS for part in cuts[split])
    chosen = set(titles[first:last])
    found = [question for question in questions if question.title in chosen]
    what = (
        f"questions of {len(chosen)} of the {len(titles)} articles of the dev file, by a fixed "
        "hash of the title: not an official split"
    )
    name = "squad v1.1, articles of the dev file"
    files = {path.name: sha256(path)}
    splits = {split: (len(found), what)}
    return found, Source(name, "1.1", ORIGIN, LICENCE, splits, files, reason)


def _of_tfds(data_dir: Path, split: str, reason: str) -> tuple[list[Question], Source]:
    import tensorflow_datasets as tfds

    builder = tfds.builder("squad/v1.1", data_dir=data_dir)
    with network.downloading(
        "squad/v1.1",
        "Set TFDS_DATA_DIR to a folder in which TFDS has prepared it, or have a network; with "
        f"{RAW} in a folder for files put by hand, source='dev' reads that.",
    ):
        builder.download_and_prepare()
    rows = tfds.as_numpy(builder.as_dataset(split="validation" if split == "test" else "train"))
    questions = [
        Question(
            row["title"].decode(),
            row["context"].decode(),
            row["question"].decode().strip(),
            tuple(answer.decode() for answer in row["answers"]["text"]),
            tuple(int(start) for start in row["answers"]["answer_start"]),
        )
        for row in rows
    ]
    what = "questions of the official dev set"
    if split != "test":
        titles = _ordered({question.title for question in questions})
        cut = len(titles) // 20
        chosen = set(titles[:cut] if split == "validation" else titles[cut:])
        questions = [question for question in questions if question.title in chosen]
        what = f"questions of {len(chosen)} of the {len(titles)} training articles"
    questions.sort()
    # Of what was downloaded: TFDS' own files differ from one preparation to the next.
    known = [file for file in builder.url_infos.values() if "v1.1" in file.filename]
    checksums = {file.filename: file.checksum for file in known}
    splits = {split: (len(questions), what)}
    version = str(builder.version)
    return questions, Source(
        "squad/v1.1 (TFDS)", version, ORIGIN, LICENCE, splits, checksums, reason
    )


def normalized(answer: str) -> str:
    """Return an answer as SQuAD's evaluation compares it: no case, punctuation, articles.

    Example:
        >>> normalized("The  U.S. dollar!")
        'us dollar'
    """
    kept = "".join(sign for sign in answer.lower() if sign not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def exact_match(given: str, answers: Sequence[str]) -> float:
    """Return 1.0 if an answer is one of the right ones, else 0.0.

    Example:
        >>> exact_match("the Rhine", ["Rhine.", "a river"])
        1.0
    """
    return float(any(normalized(given) == normalized(answer) for answer in answers))


def f1(given: str, answers: Sequence[str]) -> float:
    """Return the best harmonic mean of precision and recall over words with a right answer.

    Example:
        >>> f1("the river Rhine", ["Rhine"])
        0.6666666666666666
    """
    return max(
        (_f1(normalized(given).split(), normalized(a).split()) for a in answers), default=0.0
    )


def _f1(given: list[str], right: list[str]) -> float:
    common = sum((collections.Counter(given) & collections.Counter(right)).values())
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(right)
    return 2 * precision * recall / (precision + recall)
