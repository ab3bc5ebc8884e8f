import os
import resource
import signal
import subprocess
import sys

import pytest

from gru_zoo.files import sha256, write_beside, write_json


def test_a_file_appears_whole(tmp_path):
    with write_beside(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("new")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path / "deep") == ["a.txt"]


def test_a_folder_replaces_a_full_folder(tmp_path):
    for text in ("old", "new"):
        with write_beside(tmp_path / "folder") as partial:
            partial.mkdir()
            (partial / text).write_text(text)
    assert os.listdir(tmp_path / "folder") == ["new"]
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(tmp_path, error):
    write_json(tmp_path / "a.json", {"old": True})
    before = sha256(tmp_path / "a.json")
    with pytest.raises(type(error)), write_beside(tmp_path / "a.json") as partial:
        partial.write_text("half")
        raise error
    assert sha256(tmp_path / "a.json") == before
    assert os.listdir(tmp_path) == ["a.json"]


def test_writing_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing was written"):
        with write_beside(tmp_path / "a.txt"):
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
