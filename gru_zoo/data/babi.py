"""bAbI: twenty tasks of reading a short story and answering a question (Weston et al. 2015).

Version 1.2 in English, 10,000 questions to train on for each task where the archive has them
(`en-10k`), else 1,000 (`en`). A story is read in pieces: each question sees the sentences before
it. bAbI names the sentences that support each answer.

    train        90 % of each task's training stories
    validation   the other 10 %, by a fixed hash of a whole story with its questions, none in both
    test         the official test files, 1,000 questions a task

Some tasks have few worlds, and a story comes again with another question, or with the same: of the
test files' questions, 65.6 % of task 4, 19.8 % of 20 and 13.5 % of 17 stand in `train` word for
word, and of validation's, whose stories may begin as others do, 20 % of task 20, 14 % of 17 and 4 %
of 11. The benchmark is kept as published.
"""

from __future__ import annotations

import collections
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data import network
from gru_zoo.data.manual import looked_in, prepared_builder, raw_file
from gru_zoo.data.source import Source
from gru_zoo.data.split import by_digest, digests, held_out

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

SPLITS = ("train", "validation", "test")
ORIGIN = "https://research.fb.com/downloads/babi/"
ARCHIVE = "http://www.thespermwhale.com/jaseweston/babi/tasks_1-20_v1-2.tar.gz"
RAW = "babi/tasks_1-20_v1-2.tar.gz"
LICENCE = "CC BY 3.0"
TASKS = {
    1: "single supporting fact",
    2: "two supporting facts",
    3: "three supporting facts",
    4: "two argument relations",
    5: "three argument relations",
    6: "yes/no questions",
    7: "counting",
    8: "lists and sets",
    9: "simple negation",
    10: "indefinite knowledge",
    11: "basic coreference",
    12: "conjunction",
    13: "compound coreference",
    14: "time reasoning",
    15: "basic deduction",
    16: "basic induction",
    17: "positional reasoning",
    18: "size reasoning",
    19: "path finding",
    20: "agent's motivations",
}


class Question(NamedTuple):
    """A question about a story, with its answer and what supports it."""

    task: int
    story: tuple[str, ...]  # sentences, in order
    question: str
    answer: str  # several things are joined by a comma, "apple,milk"
    supports: tuple[int, ...]  # indices into `story`, in the order of the reasoning


def load(split: str) -> tuple[list[Question], Source]:
    """Load one split of all tasks, preparing it through TFDS where that is not done yet.

    Args:
        split: "train", "validation" or "test".

    Returns:
        The questions, task by task in a fixed mixed order, a story's after each other; and the
        record of where they came from.

    Raises:
        ValueError: an unknown split, a broken line (the message has file and line), or a damaged
            archive.
        FileNotFoundError: the archive is nowhere to be had; the message names the ways.

    Example:
        >>> questions, source = load("train")  # doctest: +SKIP
        >>> questions[0].answer  # doctest: +SKIP
        'hallway'
    """
    one_of("split", split, SPLITS)
    builder, reason = _builder()
    official = {name: _stories(builder.data_dir, name) for name in ("train", "test")}
    chosen, sizes = [], collections.Counter()
    for task, stories in official["test" if split == "test" else "train"].items():
        cut = held_out(stories, len(stories) // 10)
        parts = {"train": stories[cut:], "validation": stories[:cut], "test": stories}
        for story in parts[split]:
            questions = list(parse_story(task, story.decode().splitlines()))
            sizes[task] += len(questions)
            chosen += questions
    checksums = {f"{name} stories": _checksum(found) for name, found in official.items()}
    what, version = _describe(split, sizes), str(builder.version)
    name = "babi (TFDS builder of gru_zoo)"
    return chosen, Source(name, version, ORIGIN, LICENCE, {split: what}, checksums, reason)


def split_stories(lines: Sequence[str], name: str = "lines") -> Iterator[str]:
    """Yield each story's lines, joined; a story begins where the numbers begin again at 1.

    Args:
        lines: of a file in bAbI's format.
        name: of the file, for errors.

    Raises:
        ValueError: a line is broken; the message has its number.

    Example:
        >>> list(split_stories(["1 Eva left.", "2 Who left?\\tEva\\t1", "1 It rained."]))
        ['1 Eva left.\\n2 Who left?\\tEva\\t1', '1 It rained.']
    """
    story: list[str] = []
    for number, line in enumerate(lines, 1):
        place, _, text = line.partition(" ")
        if place == "1" and story:
            yield "\n".join(story)
            story = []
        _check_line(f"{name}, line {number}", place, text, story)
        story.append(line)
    if story:
        yield "\n".join(story)


def _check_line(where: str, place: str, text: str, before: Sequence[str]) -> None:
    expected = len(before) + 1
    if place != str(expected) or not text.strip():
        raise ValueError(f"{where}: must be '{expected} ' and a text; got {place!r} {text!r}.")
    fields = text.split("\t")
    if len(fields) == 1:
        return
    supports = fields[2].split() if len(fields) == 3 else []
    if not supports or not fields[1] or not all(s.isdecimal() for s in supports):
        raise ValueError(
            f"{where}: a question must have an answer and numbers of lines, tabs between; "
            f"got {text!r}."
        )
    if any(not 0 < int(support) < expected for support in supports):
        raise ValueError(f"{where}: supports must be lines before it; got {fields[2]!r}.")
    if any("\t" in before[int(support) - 1] for support in supports):
        raise ValueError(f"{where}: supports must be no questions' lines; got {fields[2]!r}.")


def parse_story(task: int, lines: Sequence[str]) -> Iterator[Question]:
    """Yield the questions of one story's lines, each with the sentences before it.

    Example:
        >>> lines = ["1 Eva left.", "2 It rained.", "3 Who left?\\tEva\\t1"]
        >>> list(parse_story(1, lines))[0].supports
        (0,)
    """
    sentences: list[str] = []
    indices: dict[int, int] = {}  # number of a line -> index of its sentence
    for number, line in enumerate(lines, 1):
        text, *rest = line.partition(" ")[2].split("\t")
        if not rest:
            indices[number] = len(sentences)
            sentences.append(text.strip())
            continue
        answer, supports = rest
        places = dict.fromkeys(indices[int(support)] for support in supports.split())
        yield Question(task, tuple(sentences), text.strip(), answer, tuple(places))


def _builder() -> tuple[tfds.core.DatasetBuilder, str]:
    """Return a prepared builder, and why it could be had."""
    from gru_zoo.data.babi_builder import Babi

    builder = prepared_builder(lambda folder: Babi(data_dir=folder))
    if builder.is_prepared():
        return builder, "a prepared folder was found"
    if raw_file(RAW) is not None:
        builder.download_and_prepare()
        return builder, "prepared from a file put by hand"
    if not network.answers(ARCHIVE):
        raise FileNotFoundError(
            f"bAbI is not prepared in {looked_in()}; {RAW} is in no folder for files put by "
            f"hand (downloads/manual in TFDS_DATA_DIR); and {ARCHIVE} does not answer."
        )
    ways = f"Put {RAW} into downloads/manual in TFDS_DATA_DIR, or have a network."
    with network.downloading("bAbI", ways):
        builder.download_and_prepare()
    return builder, "downloaded"


@functools.lru_cache(maxsize=2)
def _stories(folder: str | Path, split: str) -> dict[int, np.ndarray]:
    """Return each task's stories, bytes, in the order of their digests."""
    import tensorflow_datasets as tfds

    dataset = tfds.builder_from_directory(folder).as_dataset(split=split, batch_size=1000)
    found = collections.defaultdict(list)
    for batch in tfds.as_numpy(dataset):
        for task, story in zip(batch["task"], batch["story"], strict=True):
            found[int(task)].append(story)
    ordered = {}
    for task, stories in sorted(found.items()):
        texts = np.empty(len(stories), object)
        texts[:] = stories
        ordered[task], _ = by_digest(texts, np.zeros(len(texts), np.int64))
    return ordered


def _checksum(stories: dict[int, np.ndarray]) -> str:
    """Return the SHA-256 of all stories; TFDS' files differ from one preparation to the next."""
    digest = hashlib.sha256()
    for task, texts in stories.items():
        digest.update(f"{task}:".encode() + b"".join(digests(texts)))
    return digest.hexdigest()


def _describe(split: str, sizes: dict[int, int]) -> tuple[int, str]:
    """Return a split's number of questions and what they are."""
    few = [f"qa{task}" for task, size in sizes.items() if size < max(sizes.values()) // 2]
    what = {
        "train": "questions of 90 % of the training stories",
        "validation": "questions of 10 % of the training stories, by a fixed hash of the story",
        "test": "questions of the official test files",
    }[split]
    less = f" ({', '.join(few)}: {sizes[int(few[0][2:])]:,} only)" if few else ""
    return sum(sizes.values()), f"{what}, 20 tasks{less}"
