"""Piano rolls: a raw file, a fetched one, and neither."""

import shutil

import numpy as np
import pytest

from gru_zoo.data import manual, network, polyphonic_music
from tests.real_data import needs_tfds, tfds_folder
from tests.small_data import small_music

pytest.importorskip("scipy", reason="piano rolls are in .mat files: the extra `music`")


@pytest.fixture
def tfds_dir(tmp_path, monkeypatch):
    """An empty TFDS folder, and no other."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network, "answers", lambda url: False)
    polyphonic_music._read.cache_clear()
    return tmp_path / "tfds"


@pytest.fixture
def raw(tfds_dir, monkeypatch):
    folder = tfds_dir / "downloads" / "manual" / "polyphonic_music"
    checksum = small_music.write_raw(folder)
    monkeypatch.setitem(polyphonic_music.CHECKSUMS, "JSB_Chorales.mat", checksum)
    return folder / "JSB_Chorales.mat"


@pytest.mark.parametrize("split", polyphonic_music.SPLITS)
def test_pieces_are_those_of_the_file_in_its_order(raw, split):
    pieces, source = polyphonic_music.load(split)
    wanted = small_music.pieces(polyphonic_music.SPLITS[split])
    assert len(pieces) == len(wanted) and pieces[0].dtype == np.uint8
    for piece, roll in zip(pieces, wanted, strict=True):
        np.testing.assert_array_equal(piece, roll)
    assert source.reason == "a raw file was found"
    frames = sum(map(len, wanted))
    assert source.splits[split] == (len(wanted), f"{len(wanted)} pieces, {frames} frames: official")


def test_what_is_kept_is_nobodys_to_change(raw):
    pieces, _ = polyphonic_music.load("train")
    pieces[0][:] = 7
    pieces.clear()
    again, _ = polyphonic_music.load("train")
    np.testing.assert_array_equal(again[0], small_music.pieces("traindata")[0])


def test_a_changed_file_is_refused(raw):
    raw.write_bytes(raw.read_bytes() + b"x")
    with pytest.raises(ValueError, match="JSB_Chorales.mat must have SHA-256 .*; it has"):
        polyphonic_music.load("train")


def test_where_it_is_not_the_ways_are_named(tfds_dir):
    ways = "Nottingham.mat is not there .* gave no answer .* Put it into .*polyphonic_music"
    with pytest.raises(FileNotFoundError, match=ways):
        polyphonic_music.load("train", "nottingham")


def test_it_is_fetched_to_where_it_is_looked_for(raw, tfds_dir, monkeypatch):
    elsewhere = tfds_dir.parent / "server"
    elsewhere.mkdir()
    raw.rename(elsewhere / raw.name)
    shutil.rmtree(tfds_dir / "downloads")  # As on a fresh machine.
    monkeypatch.setattr(network, "answers", lambda url: True)
    monkeypatch.setattr(polyphonic_music, "ADDRESS", f"{elsewhere.as_uri()}/")
    assert polyphonic_music.load("test")[1].reason == "downloaded"
    assert raw.is_file()
    assert polyphonic_music.load("test")[1].reason == "a raw file was found"


def test_a_download_that_breaks_off_is_said_with_the_ways(tfds_dir, monkeypatch):
    monkeypatch.setattr(network, "answers", lambda url: True)
    monkeypatch.setattr(polyphonic_music, "ADDRESS", f"{(tfds_dir / 'nowhere').as_uri()}/")
    message = r"JSB_Chorales.mat could not be downloaded \(Exception: URL fetch .* Put it into"
    with pytest.raises(FileNotFoundError, match=message):
        polyphonic_music.load("train")
    assert not list(tfds_dir.rglob("*.mat*"))


@pytest.mark.parametrize(
    ("split", "dataset", "message"),
    [
        ("dev", "nottingham", "split must be one of 'train', 'validation', 'test'; got 'dev'"),
        ("train", "notingham", "dataset must be one of .*Did you mean 'nottingham'"),
    ],
)
def test_unknown_names_are_refused(split, dataset, message):
    with pytest.raises(ValueError, match=message):
        polyphonic_music.load(split, dataset)


def use_the_real_files(dataset, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    if manual.raw_file(f"polyphonic_music/{polyphonic_music.FILES[dataset]}") is None:
        pytest.skip("the files are not beside the prepared data sets")


@needs_tfds
@pytest.mark.parametrize(("dataset", "again"), [("jsb_chorales", 0), ("nottingham", 1)])
def test_pieces_that_are_training_pieces_too(dataset, again, monkeypatch):
    use_the_real_files(dataset, monkeypatch)
    known = {piece.tobytes() for piece in polyphonic_music.load("train", dataset)[0]}
    for split in ("validation", "test"):
        pieces = polyphonic_music.load(split, dataset)[0]
        # As docs/polyphonic_music.md says.
        assert sum(piece.tobytes() in known for piece in pieces) == again


@needs_tfds
@pytest.mark.parametrize(
    ("dataset", "sizes"),
    [
        ("jsb_chorales", (229, 76, 77)),
        ("nottingham", (694, 173, 170)),
        ("musedata", (524, 135, 124)),
        ("piano_midi", (87, 12, 25)),
    ],
)
def test_the_real_sizes(dataset, sizes, monkeypatch):
    use_the_real_files(dataset, monkeypatch)
    found = [len(polyphonic_music.load(split, dataset)[0]) for split in polyphonic_music.SPLITS]
    assert tuple(found) == sizes
