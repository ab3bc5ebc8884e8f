"""Stories in bAbI's format, written for the tests: an archive, and the questions in it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from gru_zoo.data import babi
from gru_zoo.data.source import Source

PEOPLE, PLACES = ("Anna", "Bert", "Cora"), ("kitchen", "garden", "office")
ROOT = "tasks_1-20_v1-2"


def lines(count: int, task: int) -> list[str]:
    """Return stories of five lines: two people go somewhere, one goes on, a question each time."""
    made = []
    for n in range(count):
        one, two = PEOPLE[n % 3], PEOPLE[(n + 1 + n // 3 % 2) % 3]
        first, second = PLACES[n // 2 % 3], PLACES[(n // 6 + task) % 3]
        third = PLACES[(n // 18 + 1) % 3]
        made += [
            f"1 {one} went to the {first}.",
            f"2 {two} went to the {second}.",
            f"3 Where is {one}? \t{first}\t1",
            f"4 {one} ran to the {third}.",
            f"5 Where is {one}? \t{third}\t4",
        ]
    return made


def archive(path: Path, stories: int = 30, test_stories: int = 10) -> Path:
    """Write an archive of all tasks; `en-10k` lacks the training file of the third."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for task in babi.TASKS:
            for split, count in (("train", stories), ("test", test_stories)):
                folder = "en" if (task, split) == (3, "train") else "en-10k"
                few = count // 5 if folder == "en" else count
                content = "\n".join(lines(few, task)).encode() + b"\n"
                about = tarfile.TarInfo(f"{ROOT}/{folder}/qa{task}_some-name_{split}.txt")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
    return path


def load(split: str) -> tuple[list[babi.Question], Source]:
    """Stand in for `babi.load`: two tasks, the splits by a story's number."""
    questions = []
    for task in (1, 2):
        for number, story in enumerate(babi.split_stories(lines(120, task))):
            place = "test" if number % 10 == 0 else "validation" if number % 10 == 1 else "train"
            if place == split:
                questions += babi.parse_story(task, story.splitlines())
    record = {split: (len(questions), f"questions of the {split} split")}
    checksums = {"stories": "0" * 64}
    return questions, Source("small babi", "1", "here", "none", record, checksums, "written here")
