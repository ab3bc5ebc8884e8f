"""Tatoeba's pairs: a raw file, a damaged one, and the splits of the real one."""

import zipfile

import pytest

from gru_zoo.data import manual, network, tatoeba
from gru_zoo.data.pairs import groups
from gru_zoo.data.split import checksum
from tests.real_data import needs_tfds, tfds_folder
from tests.small_data import small_sentences


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A small raw file where it is looked for, split into few groups."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network, "answers", lambda url: False)
    folder = tmp_path / "tfds" / "downloads" / "manual" / "tatoeba_pairs"
    monkeypatch.setattr(tatoeba, "CHECKSUM", small_sentences.write_raw(folder))
    monkeypatch.setattr(tatoeba, "TEST", 8)
    monkeypatch.setattr(tatoeba, "VALIDATION", 4)
    tatoeba._read.cache_clear()
    yield folder / tatoeba.FILE
    tatoeba._read.cache_clear()


def test_both_directions_have_the_same_splits(raw):
    seen = []
    for split, size in (("train", None), ("validation", 4), ("test", 8)):
        french, source = tatoeba.load(split)
        english, _ = tatoeba.load(split, "en-fr")
        assert english == french[::-1]
        assert size in (None, len(french.source))
        assert source.splits[split][0] == len(french.source)
        seen += zip(french.source, french.target, strict=True)
    assert source.reason == "a raw file was found"
    assert "8 groups" in source.splits["test"][1]
    # Spaces are plain: what the file has before "!" is another one.
    known = {(fr.replace("\u202f", " "), en) for en, fr in small_sentences.rows()}
    assert set(seen) < known and any(french.endswith(" !") for french, _ in seen)


def test_what_is_kept_is_nobodys_to_change(raw):
    pairs, _ = tatoeba.load("test")
    before = list(pairs.source)
    pairs.source.clear()
    assert tatoeba.load("test")[0].source == before


def test_another_file_is_refused(raw):
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(tatoeba.MEMBER, "Go.\tVa !\n")
    with pytest.raises(ValueError, match=r"fra-eng/fra.txt must have SHA-256 .*; it has"):
        tatoeba.load("train")
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(ValueError, match=r"must be a zip file with fra-eng/fra.txt"):
        tatoeba.load("train")
    raw.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"must be a zip file with fra-eng/fra.txt"):
        tatoeba.load("train")


def test_where_it_is_not_the_ways_are_named(raw):
    raw.unlink()
    with pytest.raises(FileNotFoundError, match=r"fra-eng.zip is not there .* Put it into"):
        tatoeba.load("train")


@pytest.mark.parametrize(
    ("split", "pair", "message"),
    [
        ("dev", "fr-en", "split must be one of 'train', 'validation', 'test'; got 'dev'"),
        ("test", "de-en", "pair must be one of 'en-fr', 'fr-en'; got 'de-en'"),
    ],
)
def test_unknown_names_are_refused(split, pair, message):
    with pytest.raises(ValueError, match=message):
        tatoeba.load(split, pair)


@needs_tfds
def test_the_real_splits(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    if manual.raw_file(f"tatoeba_pairs/{tatoeba.FILE}") is None:
        pytest.skip("the file is not beside the prepared data sets")
    parts = {split: tatoeba.load(split)[0] for split in tatoeba.SPLITS}
    assert {split: len(part.source) for split, part in parts.items()} == {
        "train": 158_004,
        "validation": 2_000,
        "test": 4_000,
    }
    # Other splits would test a preset on what it was trained on.
    digest = checksum(["\n".join(pair).encode() for pair in zip(*parts["test"], strict=True)])
    assert digest == "67a1780ada8a36acc0134551aee7c67b421b176e46f68ce6ba01094d85f02ba7"
    held = [*parts["validation"].source, *parts["test"].source]
    assert len(set(held)) == 6_000
    # Put together, no held-out pair hangs together with one that is trained on.
    both = zip(parts["validation"], parts["test"], parts["train"], strict=True)
    together = groups(type(parts["train"])(*([*one, *two, *three] for one, two, three in both)))
    assert not set(together[:6_000].tolist()) & set(together[6_000:].tolist())
    assert len(set(together[:6_000].tolist())) == 6_000
