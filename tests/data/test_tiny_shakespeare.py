import types

import pytest
import tensorflow as tf

from gru_zoo.data import manual, tiny_shakespeare
from tests.real_data import needs_tfds, tfds_folder

TEXTS = {"train": "First Citizen:\nBefore we", "validation": "ROMEO:\n", "test": "JULIET:\n"}


def test_each_split_is_one_text_with_its_record(monkeypatch, tmp_path):
    def as_dataset(split):
        return tf.data.Dataset.from_tensors({"text": TEXTS[split]})

    splits = {name: types.SimpleNamespace(num_examples=1) for name in TEXTS}
    info = types.SimpleNamespace(splits=splits, version="9.0")
    (tmp_path / "train.tfrecord").write_bytes(b"x")
    builder = types.SimpleNamespace(info=info, as_dataset=as_dataset, data_dir=tmp_path)
    monkeypatch.setattr(tiny_shakespeare, "_builder", lambda: (builder, "given"))
    for name, text in TEXTS.items():
        assert tiny_shakespeare.load(name)[0] == text
    source = tiny_shakespeare.load("test")[1]
    assert source.version == "9.0" and source.reason == "given"
    assert list(source.splits) == list(TEXTS) and list(source.sha256) == ["train.tfrecord"]


def test_bad_split():
    with pytest.raises(ValueError, match="split must be one of 'train', 'validation', 'test'"):
        tiny_shakespeare.load("dev")


def test_what_to_do_where_it_cannot_be_had(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class Builder:
        def is_prepared(self):
            return False

        def download_and_prepare(self):
            raise ConnectionError("no network")

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Builder())
    with pytest.raises(FileNotFoundError, match="no network.*Set TFDS_DATA_DIR"):
        tiny_shakespeare.load("train")


def test_a_folder_prepared_at_home_is_found_beside_another(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    home = tmp_path / "home"

    def builder(name, data_dir):
        return types.SimpleNamespace(data_dir=data_dir, is_prepared=lambda: data_dir == home)

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(manual, "HOME", str(home))
    monkeypatch.setattr(tfds, "builder", builder)
    found, reason = tiny_shakespeare._builder()
    assert found.data_dir == home and reason == "a prepared folder was found"


@needs_tfds
def test_the_real_text(monkeypatch):
    if not (tfds_folder() / "tiny_shakespeare").is_dir():
        pytest.skip("tiny_shakespeare is not prepared")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    texts = {name: tiny_shakespeare.load(name)[0] for name in tiny_shakespeare.SPLITS}
    assert [len(text) for text in texts.values()] == [1_003_854, 55_770, 55_770]
    assert texts["train"].startswith("First Citizen:\n")
    assert len(set(texts["train"])) == 65 and set(texts["test"]) <= set(texts["train"])
