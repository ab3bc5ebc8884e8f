"""Chromium with a page open; tests that ask for it are skipped where a part is missing."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from gru_zoo import demo
from tests.demo.chromium import Chromium, executable


def why_not() -> str | None:
    """Return why no page can be opened here, or None."""
    if executable() is None:
        return "needs Chromium (Debian: apt-get install chromium)"
    if not (demo.PAGE / "node_modules").is_dir():
        return "needs LiteRT.js (npm install --ignore-scripts --prefix demo)"
    return None


@contextlib.contextmanager
def running(server: HTTPServer) -> Iterator[HTTPServer]:
    """Let a server answer while the block runs."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Return a browser with an empty page."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(chromium):
    """Return the address of a server of the zoo's models."""
    with running(demo.Server(0)) as server:
        yield server.address
