"""SQuAD's file, splits by article, and the official measure."""

import hashlib
import json
from pathlib import Path

import pytest

from gru_zoo.data import manual, network, squad


def article(title, count):
    context = f"{title} was built in 1889. It stands in Paris, the capital of France."
    answer = {"text": "1889", "answer_start": context.index("1889")}
    qas = [{"question": f"When? {n} ", "answers": [answer, answer]} for n in range(count)]
    return {"title": title, "paragraphs": [{"context": context, "qas": qas}]}


@pytest.fixture
def dev(tmp_path, monkeypatch):
    """A file of 24 articles where files are put by hand."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network, "answers", lambda url: False)
    path = tmp_path / "manual" / squad.RAW
    path.parent.mkdir(parents=True)
    data = [article(f"Tower {n}", 1 + n % 3) for n in range(24)]
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    squad._read_dev.cache_clear()
    return path


def test_articles_are_on_one_side(dev):
    loaded = {split: squad.load(split) for split in squad.SPLITS}
    titles = {split: {q.title for q in questions} for split, (questions, _) in loaded.items()}
    sizes = {split: len(found) for split, found in titles.items()}
    assert sizes == {"train": 16, "validation": 2, "test": 6}
    assert len(set.union(*titles.values())) == 24
    assert sum(len(questions) for questions, _ in loaded.values()) == 48
    source = loaded["test"][1]
    assert "6 of the 24 articles of the dev file" in source.splits["test"][1]
    assert source.name != "squad/v1.1 (TFDS)" and list(source.sha256) == [dev.name]


def test_without_data(dev):
    with pytest.raises(FileNotFoundError, match="source='tfds' found no prepared squad/v1.1"):
        squad.load("train", "tfds")
    dev.unlink()
    with pytest.raises(FileNotFoundError, match="source='dev' needs squad_dev"):
        squad.load("train", "dev")
    with pytest.raises(ValueError, match="source must be one of 'auto'"):
        squad.load("train", "internet")


def test_a_folder_prepared_at_home_is_found_beside_another(dev):
    home = Path(manual.HOME)
    (home / "squad/v1.1/3.0.0").mkdir(parents=True)
    (home / "squad/v1.1/3.0.0/dataset_info.json").touch()
    assert squad._choose("auto") == ("tfds", home, "a prepared folder was found")


def test_a_download_that_breaks_off_is_said_with_the_ways(dev, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    class Builder:
        def download_and_prepare(self):
            raise EOFError("cut short")

    monkeypatch.setattr(network, "answers", lambda url: True)
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Builder())
    message = r"squad/v1.1 could not be downloaded \(EOFError: cut short\). .*source='dev' reads"
    with pytest.raises(FileNotFoundError, match=message):
        squad.load("train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "dev.json must be a file in SQuAD's format: JSONDecodeError"),
        ('{"data": [{"title": "a"}]}', "dev.json must be a file in SQuAD's format: KeyError"),
        (
            json.dumps({"data": [article("A", 1)]}).replace("1889. It", "1890. It"),
            "answer '1889' of 'When. 0' must stand at 15 of its paragraph; there is '1890'",
        ),
    ],
)
def test_broken_files(text, message):
    with pytest.raises(ValueError, match=message):
        list(squad.parse(text, "dev.json"))


# Given, right ones, exact match, F1; by the rules of SQuAD's evaluate-v1.1.py.
MEASURED = [
    ("The Rhine", ["rhine."], 1, 1),
    ("in 1889", ["1889", "the year 1889"], 0, 2 / 3),
    ("a big red apple", ["an apple", "red apples"], 0, 1 / 2),
    ("Paris Paris", ["Paris"], 0, 2 / 3),
    ("Rome", ["Paris"], 0, 0),
    ("", ["Paris"], 0, 0),
]


@pytest.mark.parametrize(("given", "answers", "exact", "f1"), MEASURED)
def test_the_official_measure(given, answers, exact, f1):
    assert squad.exact_match(given, answers) == exact
    assert squad.f1(given, answers) == pytest.approx(f1)


def test_articles_are_parted_by_their_titles_digests(dev):
    titles = [f"Tower {n}" for n in range(24)]
    titles.sort(key=lambda title: hashlib.sha256(title.encode()).digest())
    wanted = {"validation": titles[:2], "test": titles[2:8], "train": titles[8:]}
    for split, chosen in wanted.items():
        assert {question.title for question in squad.load(split)[0]} == set(chosen)
