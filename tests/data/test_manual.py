"""Where raw files are looked for, and where prepared data are written."""

import types
from pathlib import Path

import pytest

from gru_zoo.data import manual


def test_the_folder_in_tfds_data_dir_comes_first(tmp_path, monkeypatch):
    given = tmp_path / "tfds"
    monkeypatch.setenv("TFDS_DATA_DIR", str(given))
    assert manual.raw_file("a/b.txt") is None
    for folder in (tmp_path / "manual", given / "downloads/manual"):
        (folder / "a").mkdir(parents=True)
        (folder / "a/b.txt").write_text("here")
        assert manual.raw_file("a/b.txt") == folder / "a/b.txt"


def test_prepared_data_are_looked_for_in_both_folders(tmp_path, monkeypatch):
    home, given = tmp_path / "home", tmp_path / "tfds"
    monkeypatch.setattr(manual, "HOME", str(home))
    prepared = []

    def builder(folder):
        return types.SimpleNamespace(folder=folder, is_prepared=lambda: folder in prepared)

    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    assert manual.data_dirs() == [home] and manual.prepared_builder(builder).folder == home
    for same in (str(home), ""):
        monkeypatch.setenv("TFDS_DATA_DIR", same)
        assert manual.data_dirs() == [home]
    monkeypatch.setenv("TFDS_DATA_DIR", str(given))
    assert manual.data_dirs() == [given, home]
    assert manual.looked_in() == f"{given} or {home}"
    assert manual.prepared_builder(builder).folder == given
    for folder in (home, given):
        prepared.append(folder)
        assert manual.prepared_builder(builder).folder == folder


def test_an_address_is_no_path(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    home = tmp_path / "home"
    monkeypatch.setattr(manual, "HOME", str(home))
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket/data")
    assert [str(folder) for folder in manual.data_dirs()] == ["gs://bucket/data", str(home)]
    assert manual.writable_data_dir() == home
    monkeypatch.chdir(tmp_path)
    raw = home / "downloads/manual/a.txt"
    for path in (Path("gs:/bucket/data/downloads/manual/a.txt"), raw):
        path.parent.mkdir(parents=True)
        path.touch()
    assert manual.raw_file("a.txt") == raw


def test_a_folder_that_nobody_may_write_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "given/deep"))
    assert manual.writable_data_dir() == tmp_path / "given/deep"
    (tmp_path / "given").mkdir()
    (tmp_path / "given").chmod(0o555)
    assert manual.writable_data_dir() == tmp_path / "home"
