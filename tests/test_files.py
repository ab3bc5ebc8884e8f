import errno
import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from gru_zoo import files
from gru_zoo.files import atomic_write, sha256, write_json


def test_a_file_appears_whole(tmp_path):
    with atomic_write(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("new")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path / "deep") == ["a.txt"]


def write_folder(path, text, **how):
    with atomic_write(path, **how) as partial:
        partial.mkdir()
        (partial / text).write_text(text)


@pytest.mark.parametrize("mark", ["saved_model.pb", "card.json", "mine"])
def test_a_folder_replaces_a_folder_of_its_kind(tmp_path, mark):
    how = {"marks": ("mine",)} if mark == "mine" else {}
    (tmp_path / "folder").mkdir()  # An empty one holds nothing to lose.
    write_folder(tmp_path / "folder", mark, **how)
    write_folder(tmp_path / "folder", "new", **how)
    assert os.listdir(tmp_path / "folder") == ["new"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_folder_behind_a_link_is_replaced_there(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_folder(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and os.listdir(tmp_path / "real") == ["new"]


@pytest.mark.parametrize("inside", ["thesis.txt", "saved_model.pb", None])
def test_a_file_never_replaces_a_folder(tmp_path, inside):
    (tmp_path / "folder").mkdir()
    if inside:
        (tmp_path / "folder" / inside).write_text("years of work")
    with pytest.raises(IsADirectoryError, match="path must be .*folder"):
        write_json(tmp_path / "folder", {})
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == [inside] * bool(inside)


def test_anyones_folder_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.txt").write_text("years of work")
    allowed = "an empty folder, or one that holds saved_model.pb or card.json; .*'thesis.txt'"
    with pytest.raises(IsADirectoryError, match=allowed):
        with atomic_write(tmp_path / "project"):
            raise AssertionError("it began")
    assert os.listdir(tmp_path / "project") == ["thesis.txt"]


def test_a_folder_that_is_filled_meanwhile_stays(tmp_path):
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path / "folder") as partial:
        partial.mkdir()
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    assert os.listdir(tmp_path / "folder") == ["thesis.txt"]


@pytest.mark.parametrize("name", ["..", ".", "../here", "../../mine"])
def test_a_folder_that_is_worked_in_stays(tmp_path, monkeypatch, name):
    here = tmp_path / "mine" / "here"
    here.mkdir(parents=True)
    for folder in (here, here.parent):
        (folder / "saved_model.pb").write_text("old")
    monkeypatch.chdir(here)
    with pytest.raises(IsADirectoryError, match="no folder that this process works in"):
        write_folder(name, "saved_model.pb")
    assert os.listdir(here) == ["saved_model.pb"]
    assert (here / "saved_model.pb").read_text() == "old"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(tmp_path, error):
    write_json(tmp_path / "a.json", {"old": True})
    before = sha256(tmp_path / "a.json")
    with pytest.raises(type(error)), atomic_write(tmp_path / "a.json") as partial:
        partial.write_text("half")
        raise error
    assert sha256(tmp_path / "a.json") == before
    assert os.listdir(tmp_path) == ["a.json"]


def test_writing_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing was written"):
        with atomic_write(tmp_path / "a.txt"):
            pass


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """The operating system itself refuses to let the file grow beyond 1,000 bytes."""
    code = (
        "from gru_zoo.files import write_json\n"
        f"write_json({str(tmp_path / 'big.json')!r}, ['x' * 100_000])\n"
    )

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code], preexec_fn=limit, capture_output=True, text=True
    )
    assert done.returncode != 0 and "OSError" in done.stderr
    assert os.listdir(tmp_path) == []


def test_sha256_is_that_of_the_standard(tmp_path):
    # FIPS 180-2, appendix B.1.
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_an_old_folder_comes_back_where_the_new_one_cannot_be_put(tmp_path, monkeypatch):
    write_folder(tmp_path / "folder", "card.json")

    def refuse(*_):
        raise OSError("no")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        write_folder(tmp_path / "folder", "new")
    assert os.listdir(tmp_path / "folder") == ["card.json"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_path_that_is_not_utf_8_is_written_and_read_again(tmp_path):
    value = {"csv": os.fsdecode(b"r\xe9views.csv"), "summary": "caf\u00e9"}
    write_json(tmp_path / "config.json", value)
    content = (tmp_path / "config.json").read_text(encoding="utf-8")
    assert json.loads(content) == value and "caf\u00e9" in content


def refuse(*_):
    """As the FAT of a memory stick does."""
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_the_second_of_two_writers_of_a_file_fails(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(files.os, "link", refuse)
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError, match="path must be new; .*a.txt' was written meanwhile"):
        with atomic_write(path, overwrite=False) as second:
            second.write_text("second")
            with atomic_write(path, overwrite=False) as first:
                first.write_text("first")
    assert path.read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_later_by_an_instant_fails_too(tmp_path, monkeypatch, kind, links):
    """What stands there came after the last look."""
    if not links:
        monkeypatch.setattr(files.os, "link", refuse)
    path, look = tmp_path / "a", os.path.lexists
    seen = iter([False])
    monkeypatch.setattr(files.os.path, "lexists", lambda path: next(seen, None) or look(path))
    with pytest.raises(FileExistsError, match="path must be new; .*a' was written meanwhile"):
        with atomic_write(path, overwrite=False) as partial:
            if kind == "folder":
                partial.mkdir()
                path.mkdir()
                (path / "card.json").write_text("first")
            else:
                partial.write_text("second")
                path.write_text("first")
    there = path / "card.json" if kind == "folder" else path
    assert there.read_text() == "first" and os.listdir(tmp_path) == ["a"]


def test_the_second_of_two_writers_of_a_folder_fails(tmp_path):
    with pytest.raises(FileExistsError, match="path must be new; .*folder' was written meanwhile"):
        with atomic_write(tmp_path / "folder", overwrite=False) as second:
            second.mkdir()
            write_folder(tmp_path / "folder", "card.json", overwrite=False)
    assert os.listdir(tmp_path / "folder") == ["card.json"] and os.listdir(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_renamed_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(files.Path, "rename", refuse)
    with pytest.raises(OSError, match="Operation not permitted"):
        write_folder(tmp_path / "folder", "card.json", overwrite=False)
    assert os.listdir(tmp_path) == []
