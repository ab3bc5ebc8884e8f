"""Where raw files are looked for, and where prepared data are written."""

from gru_zoo.data import manual


def test_the_folder_in_tfds_data_dir_comes_first(tmp_path, monkeypatch):
    given = tmp_path / "tfds"
    monkeypatch.setenv("TFDS_DATA_DIR", str(given))
    assert manual.raw_file("a/b.txt") is None
    for folder in (tmp_path / "manual", given / "downloads/manual"):
        (folder / "a").mkdir(parents=True)
        (folder / "a/b.txt").write_text("here")
        assert manual.raw_file("a/b.txt") == folder / "a/b.txt"


def test_a_folder_that_nobody_may_write_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "given/deep"))
    assert manual.writable_data_dir() == tmp_path / "given/deep"
    (tmp_path / "given").mkdir()
    (tmp_path / "given").chmod(0o555)
    assert manual.writable_data_dir() == tmp_path / "home"
