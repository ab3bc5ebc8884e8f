import hashlib
import types

import pytest
import tensorflow as tf

from gru_zoo.data import manual, universal_dependencies
from tests.real_data import needs_tfds, tfds_folder

TAGS = ["ADP", "VERB", "_", "NOUN", "DET"]
# A range, "du" over "de" and "le", has the tag "_"; an empty node, a word left out, has its own.
ROWS = [
    {"idx": b"b-2", "tokens": [b"Viens", b"voir"], "upos": [1, 1], "head": [b"0", b"None"]},
    {
        "idx": b"b-1",
        "tokens": [b"du", b"de", b"le", b"th\xc3\xa9"],
        "upos": [2, 0, 4, 3],
        "head": [b"None", b"3", b"3", b"0"],
    },
]


@pytest.fixture
def treebank(monkeypatch, tmp_path):
    """Stand in for TFDS' builder, with two sentences in every split."""

    def as_dataset(split, decoders):
        assert split in ("train", "dev", "test")
        signature = {
            "idx": tf.TensorSpec([], tf.string),
            "tokens": tf.TensorSpec([None], tf.string),
            "head": tf.TensorSpec([None], tf.string),
        }
        signature["upos"] = tf.TensorSpec([None], tf.int64)
        return tf.data.Dataset.from_generator(lambda: iter(ROWS), output_signature=signature)

    splits = {name: types.SimpleNamespace(num_examples=2) for name in ("train", "dev", "test")}
    tags = types.SimpleNamespace(names=TAGS)
    info = types.SimpleNamespace(
        splits=splits, features={"upos": types.SimpleNamespace(feature=tags)}, version="9.0"
    )
    builder = types.SimpleNamespace(info=info, as_dataset=as_dataset, data_dir=tmp_path)
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds, "builder_from_directory", lambda folder: builder)
    monkeypatch.setattr(universal_dependencies, "_builder", lambda name: (builder, "given"))
    return builder


def test_words_and_tags_without_ranges_in_the_order_of_their_names(treebank):
    sentences, source = universal_dependencies.load("validation", "fr_sequoia")
    assert [sentence.words for sentence in sentences] == [("de", "le", "thé"), ("Viens",)]
    assert [sentence.tags for sentence in sentences] == [("ADP", "DET", "NOUN"), ("VERB",)]
    assert source.name == "universal_dependencies/fr_sequoia (TFDS)"
    assert source.splits["validation"] == (2, "the official validation split")
    assert source.licence == "LGPL-LR"
    lines = ["de\tADP\nle\tDET\nthé\tNOUN", "Viens\tVERB"]
    both = b"".join(hashlib.sha256(line.encode()).digest() for line in lines)
    every = ("train sentences", "validation sentences", "test sentences")
    assert source.sha256 == dict.fromkeys(every, hashlib.sha256(both).hexdigest())


def test_a_treebank_without_a_split_says_which_it_has(treebank):
    del treebank.info.splits["dev"]
    needed = r"\(a training needs train, validation, test\); gl_treegal has train and test alone"
    with pytest.raises(ValueError, match=f"treebank must have a validation split {needed}"):
        universal_dependencies.load("validation", "gl_treegal")
    _, source = universal_dependencies.load("test", "gl_treegal")
    assert list(source.splits) == ["train", "test"]


def test_bad_input():
    with pytest.raises(ValueError, match="split must be one of 'train', 'validation', 'test'"):
        universal_dependencies.load("dev")
    with pytest.raises(ValueError, match="treebank must be one of .*; got 'en_ewtt'"):
        universal_dependencies.load("train", "en_ewtt")


def test_a_treebank_that_cannot_be_had_says_what_to_do(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class Builder:
        def is_prepared(self):
            return False

        def download_and_prepare(self):
            raise ConnectionError("no route")

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Builder())
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded \(ConnectionError: no"):
        universal_dependencies.load("train")


def test_a_treebank_prepared_at_home_is_found_beside_another(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    home = tmp_path / "home"

    def builder(name, data_dir):
        return types.SimpleNamespace(data_dir=data_dir, is_prepared=lambda: data_dir == home)

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(manual, "HOME", str(home))
    monkeypatch.setattr(tfds, "builder", builder)
    found, reason = universal_dependencies._builder("en_ewt")
    assert found.data_dir == home and reason == "a prepared folder was found"


@pytest.mark.slow
@needs_tfds
@pytest.mark.parametrize(
    ("treebank", "sizes", "words"),
    [("en_ewt", (12_543, 2_001, 2_077), 25_094), ("fr_sequoia", (2_231, 412, 456), 10_044)],
)
def test_the_official_splits(treebank, sizes, words, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    sentences, source = universal_dependencies.load("test", treebank)
    # Two of en_ewt's tokens that have a tag are empty nodes.
    assert sum(len(sentence.words) for sentence in sentences) == words
    splits = ("train", "validation", "test")
    assert tuple(source.splits[split][0] for split in splits) == sizes
