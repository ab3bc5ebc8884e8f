"""Asking whether an address answers costs seconds at most, whatever the network does."""

import http.server
import socket
import threading
import time
import urllib.request

import pytest

from gru_zoo.data.network import answers


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Site(http.server.BaseHTTPRequestHandler):
    pages = {"/file.gz": (200, "application/gzip"), "/portal": (200, "text/html")}

    def do_HEAD(self):
        status, kind = self.pages.get(self.path, (404, "text/plain"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def black_hole():
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_file_is_there(site):
    assert answers(f"{site}/file.gz")


def test_a_missing_file_and_a_login_portal_are_not(site):
    assert not answers(f"{site}/other")
    assert not answers(f"{site}/portal")


def test_a_silent_server_costs_no_more_than_the_deadline(black_hole):
    start = time.monotonic()
    assert not answers(f"http://{black_hole}/file.gz", seconds=0.5)
    assert time.monotonic() - start < 3


def test_nonsense_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail server ready\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        assert not answers(f"http://127.0.0.1:{listener.getsockname()[1]}/file.gz")
        thread.join()


def test_a_silent_proxy_costs_no_more_than_the_deadline(black_hole, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{black_hole}")
    start = time.monotonic()
    assert not answers("http://example.org/file.gz", seconds=0.5)
    assert time.monotonic() - start < 3


def test_a_call_that_never_returns_costs_no_more_than_the_deadline(monkeypatch):
    """Looking up a name can hang in the C library, where no timeout reaches it."""
    release = threading.Event()

    def hang(*arguments, **keywords):
        release.wait(20)
        raise OSError

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    start = time.monotonic()
    assert not answers("http://example.org/file.gz", seconds=0.3)
    assert time.monotonic() - start < 3
    release.set()


def test_a_refused_connection_and_a_malformed_address(black_hole):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    assert not answers(f"http://127.0.0.1:{closed}/file.gz")
    assert not answers("no scheme")
