"""Files fetched once: resumed after a break, compared, whole or absent."""

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from gru_zoo.zoo import cache
from tests.zoo.served import serving

CONTENT = np.random.default_rng(0).bytes(700_001)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "zoo" / "some_gru" / "sub").mkdir(parents=True)
    (tmp_path / "zoo" / "some_gru" / "sub" / "model.bin").write_bytes(CONTENT)
    with serving(tmp_path / "zoo") as server:
        yield server


def fetch(server, path):
    cache.fetch(f"{server.url}/some_gru/sub/model.bin", path, DIGEST, len(CONTENT))


def test_a_file_comes_whole(server, tmp_path):
    fetch(server, tmp_path / "a" / "model.bin")
    assert (tmp_path / "a" / "model.bin").read_bytes() == CONTENT
    assert not (tmp_path / "a" / "model.bin.part").exists()
    fetch(server, tmp_path / "a" / "model.bin")
    assert len(server.asked) == 1  # What is there is not fetched again.


def test_of_several_at_once_one_fetches(server, tmp_path):
    server.hold = threading.Event()
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(fetch, server, tmp_path / "model.bin") for _ in range(3)]
        wait(calls, timeout=0.5)
        server.hold.set()
        for call in calls:
            call.result()
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_connection_that_breaks_is_gone_on_with(server, tmp_path):
    server.break_off, server.after = 2, 300_000
    fetch(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_later_call_goes_on_with_what_an_interrupted_one_has_left(server, tmp_path):
    server.break_off, server.after = 3, 100_000
    with pytest.raises(OSError, match="300,000 of 700,001"):
        fetch(server, tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()
    fetch(server, tmp_path / "model.bin")
    assert server.asked[-1][1] == "bytes=300000-"
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    server.ranges, server.break_off, server.after = False, 1, 5
    fetch(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("other", [CONTENT[:-1], CONTENT[:-1] + b"?", CONTENT + b"?"])
def test_other_bytes_are_not_kept(server, tmp_path, other):
    (server.folder / "some_gru" / "sub" / "model.bin").write_bytes(other)
    with pytest.raises((ValueError, OSError), match="must give 700,001 bytes|416"):
        fetch(server, tmp_path / "model.bin")
    assert [path.name for path in tmp_path.glob("model.bin*")] == ["model.bin.lock"]


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 9])
def test_what_was_left_of_another_file_is_no_obstacle(server, tmp_path, size):
    (tmp_path / "model.bin.part").write_bytes(b"?" * size)
    fetch(server, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert server.asked[-1][1] is None  # from its beginning


def test_what_was_left_and_a_shorter_file_there(server, tmp_path):
    (server.folder / "some_gru" / "sub" / "model.bin").write_bytes(CONTENT[:500])
    (tmp_path / "model.bin.part").write_bytes(b"?" * 1000)
    with pytest.raises(OSError, match="416"):
        fetch(server, tmp_path / "model.bin")
    # Once more from its beginning, and not for ever.
    assert [wanted for _, wanted in server.asked] == ["bytes=1000-", None, "bytes=500-"]
    assert not (tmp_path / "model.bin.part").exists()


def test_only_addresses_of_the_web_and_of_files(tmp_path):
    with pytest.raises(ValueError, match="url must begin with https://.*got 'ftp://a/b'"):
        cache.fetch("ftp://a/b", tmp_path / "b", DIGEST, 1)


@pytest.mark.parametrize("address", ["ftp://x", "example.org/x", "http://[bad"])
def test_an_address_that_is_none_is_the_variables(address, tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("GRU_ZOO_URL", address)
    with pytest.raises(ValueError, match="GRU_ZOO_URL must begin with https://.*; got"):
        cache.fetch_all("some_gru", {"model.bin": {"sha256": DIGEST, "bytes": 1}})


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRU_ZOO_URL", raising=False)
    return {"sub/model.bin": {"sha256": DIGEST, "bytes": len(CONTENT)}}


def test_the_cache_is_asked_first(server, files, tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_URL", server.url + "/")
    folder = cache.fetch_all("some_gru", files)
    assert (folder / "sub" / "model.bin").read_bytes() == CONTENT
    assert tmp_path / "cache" in folder.parents
    monkeypatch.delenv("GRU_ZOO_URL")
    assert cache.fetch_all("some_gru", files) == folder
    assert len(server.asked) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(server, files, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_URL", server.url)
    path = cache.fetch_all("some_gru", files) / "sub" / "model.bin"
    path.write_bytes(CONTENT[:-1] + b"?")
    cache.fetch_all("some_gru", files)
    assert path.read_bytes() == CONTENT


def test_without_an_address_the_ways_are_named(files):
    with pytest.raises(ConnectionError, match="sub/model.bin is neither .* GRU_ZOO_URL names no"):
        cache.fetch_all("some_gru", files)


def test_what_a_package_carries_is_copied_and_what_lacks_is_counted(files, tmp_path):
    package, more = tmp_path / "package", {"sha256": "00", "bytes": 2_000_000}
    (package / "sub").mkdir(parents=True)
    (package / "sub" / "model.bin").write_bytes(CONTENT)
    lacking = {"a.bin": more, "b.bin": more}
    wanted = r"some_gru: a.bin, and 1 files more, are neither .* \(4.0 MB\)"
    with pytest.raises(ConnectionError, match=wanted):
        cache.fetch_all("some_gru", files | lacking, package)
    folder = cache.fetch_all("some_gru", files, package)
    assert (folder / "sub" / "model.bin").read_bytes() == CONTENT
    (folder / "sub" / "model.bin").unlink()
    (package / "sub" / "model.bin").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ConnectionError, match="sub/model.bin is neither"):
        cache.fetch_all("some_gru", files, package)


def test_without_an_address_nothing_is_written(files, tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "sub").mkdir(parents=True)
    (package / "sub" / "model.bin").write_bytes(CONTENT)
    wanted = files | {"a.bin": {"sha256": "00", "bytes": 2_000_000}}
    with pytest.raises(ConnectionError, match="some_gru: a.bin is neither"):
        cache.fetch_all("some_gru", wanted, package)
    assert not (tmp_path / "cache").exists()
    (tmp_path / "file").write_text("no folder")  # Root may write in every folder.
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ConnectionError, match="some_gru: a.bin is neither"):
        cache.fetch_all("some_gru", wanted, package)


def test_without_a_network_the_ways_are_named(server, files, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_URL", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="cannot be fetched .*GRU_ZOO_MODELS"):
        cache.fetch_all("some_gru", files)
    monkeypatch.setenv("GRU_ZOO_URL", server.url + "/elsewhere")
    with pytest.raises(ConnectionError, match="cannot be fetched .*404"):
        cache.fetch_all("some_gru", files)
    assert len(server.asked) == 1  # A file that is not there is not asked for again.


def test_a_cache_that_cannot_be_written_is_named(server, files, tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_URL", server.url)
    (tmp_path / "file").write_text("no folder")  # Root may write in every folder.
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="GRU_ZOO_CACHE must be .*/file/cache.*Not a dir") as caught:
        cache.fetch_all("some_gru", files)
    assert server.url not in str(caught.value)
    assert not server.asked


def test_a_full_disk_is_named_and_no_address(server, files, tmp_path, monkeypatch):
    monkeypatch.setenv("GRU_ZOO_URL", server.url)
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "cache"))
    usage = type("Usage", (), {"free": 3})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    size = next(iter(files.values()))["bytes"]
    with pytest.raises(OSError, match=f"with room for {size:,} bytes; .*cache.* has 3") as caught:
        cache.fetch_all("some_gru", files)
    assert not isinstance(caught.value, ConnectionError) and not server.asked


def test_what_has_no_end_is_not_read_to_its_end(server, tmp_path):
    longer = CONTENT + bytes(5_000_000)
    (server.folder / "some_gru" / "sub" / "model.bin").write_bytes(longer)
    with pytest.raises(ValueError, match="what came has") as raised:
        fetch(server, tmp_path / "model.bin")
    (came,) = re.findall("what came has ([0-9,]+) bytes", str(raised.value))
    assert int(came.replace(",", "")) < 2_000_000
