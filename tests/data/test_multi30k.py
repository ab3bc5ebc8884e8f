"""Multi30k: raw files, a folder that TFDS prepared, and neither."""

import gzip

import pytest

from gru_zoo.data import multi30k, network
from tests.small_data import small_captions


@pytest.fixture
def tfds_dir(tmp_path, monkeypatch):
    """An empty TFDS folder, and no other."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network, "answers", lambda url: False)
    return tmp_path / "tfds"


@pytest.fixture
def raw(tfds_dir, monkeypatch):
    """Raw files where TFDS looks for what was put there by hand."""
    folder = tfds_dir / "downloads" / "manual" / "multi30k"
    monkeypatch.setattr(multi30k, "CHECKSUMS", small_captions.write_raw(folder))
    return folder


def test_raw_files_are_read_in_their_order(raw):
    pairs, source = multi30k.load("train", "de-en")
    assert pairs == small_captions.pairs("train")
    assert source.reason == "raw files were found"
    pairs, _ = multi30k.load("test", "en-de")
    assert pairs == small_captions.pairs("test")[::-1]
    assert multi30k.load("validation", "fr-de")[0].source[0].startswith("le A man")


def test_what_tfds_prepares_is_the_same(raw, tfds_dir):
    builder = multi30k._builder(tfds_dir)
    builder.download_and_prepare(file_format="tfrecord")
    expected, found = multi30k.load("train", "de-en")
    for file in raw.iterdir():
        file.unlink()
    pairs, source = multi30k.load("train", "de-en")
    assert source.reason == "a prepared folder was found"
    assert pairs == expected == small_captions.pairs("train")
    assert {s: info.num_examples for s, info in builder.info.splits.items()} == {
        "train": 24,
        "validation": 6,
        "test": 6,
    }


# Named: gzip writes the time of day into the bytes, and pytest would make the test's name of them.
@pytest.mark.parametrize(
    "damage", [b"no gzip", gzip.compress(b"another text\n")], ids=["no gzip", "another text"]
)
def test_another_file_is_refused(raw, damage):
    (raw / "train.en.gz").write_bytes(damage)
    with pytest.raises(ValueError, match=r"train\.en\.gz must (be a gzip|hold the text with SHA)"):
        multi30k.load("train")


def test_without_data_the_ways_are_named(tfds_dir):
    with pytest.raises(FileNotFoundError, match="neither prepared nor .* Put the files of https"):
        multi30k.load("train")


@pytest.mark.parametrize("pair", ["de-de", "de", "en_de", ""])
def test_unknown_pairs(pair):
    with pytest.raises(ValueError, match="pair must be one of 'de-en', 'de-fr', 'en-de'"):
        multi30k.load("train", pair)
    with pytest.raises(ValueError, match="split must be one of"):
        multi30k.load("dev")


def test_every_raw_file_has_a_checksum():
    names = [multi30k.raw_name(s, lang) for s in multi30k.FILES for lang in multi30k.LANGUAGES]
    assert sorted(f"{name}.gz" for name in multi30k.CHECKSUMS) == sorted(names)
