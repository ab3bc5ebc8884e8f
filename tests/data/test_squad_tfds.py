"""SQuAD as TFDS prepares it: which articles each split has."""

import contextlib
import hashlib
import sys
import types

import pytest

from gru_zoo.data import network, squad

TRAIN, DEV = [f"Town {n}" for n in range(40)], ["Lake", "Hill", "Wood"]


def rows(titles):
    """Return what TFDS gives: two questions about each article, bytes, and arrays of answers."""
    for title in titles:
        context = f"{title} was built in 1889."
        start = context.index("1889")
        for asked in ("When? ", "What year?"):
            yield {
                "title": title.encode(),
                "context": context.encode(),
                "question": asked.encode(),
                "answers": {"text": [b"1889", b"in 1889"], "answer_start": [start, start - 3]},
            }


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch):
    """A folder that TFDS has prepared, read by a builder of our own; no package is needed."""
    (tmp_path / "squad" / "v1.1" / "3.0.0").mkdir(parents=True)
    (tmp_path / "squad" / "v1.1" / "3.0.0" / "dataset_info.json").write_text("{}")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    file = types.SimpleNamespace
    builder = types.SimpleNamespace(
        version="3.0.0",
        download_and_prepare=lambda: None,
        as_dataset=lambda split: rows({"train": TRAIN, "validation": DEV}[split]),
        url_infos={
            "one": file(filename="train-v1.1.json", checksum="a" * 64),
            "two": file(filename="train-v2.0.json", checksum="b" * 64),
        },
    )
    monkeypatch.setattr(network, "downloading", lambda *_: contextlib.nullcontext())
    builders = {("squad/v1.1", tmp_path): builder}
    module = types.SimpleNamespace(
        builder=lambda name, data_dir: builders[name, data_dir], as_numpy=list
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)


def test_a_twentieth_of_the_training_articles_is_validation_and_the_dev_set_the_test():
    ordered = sorted(TRAIN, key=lambda title: hashlib.sha256(title.encode()).digest())
    expected = {"validation": ordered[:2], "train": ordered[2:], "test": DEV}
    for split, titles in expected.items():
        questions, source = squad.load(split)
        assert [question.title for question in questions] == sorted(2 * titles), split
        count, what = source.splits[split]
        assert count == 2 * len(titles)
        assert what == (
            "questions of the official dev set"
            if split == "test"
            else f"questions of {len(titles)} of the 40 training articles"
        )
        assert source.sha256 == {"train-v1.1.json": "a" * 64}
        assert source.name == "squad/v1.1 (TFDS)" and source.version == "3.0.0"


def test_a_question_has_the_text_and_place_of_every_answer():
    question = squad.load("test", "tfds")[0][0]
    assert question.title == "Hill" and question.question == "What year?"
    assert question.answers == ("1889", "in 1889")
    for answer, start in zip(question.answers, question.starts, strict=True):
        assert question.context[start:].startswith(answer)
