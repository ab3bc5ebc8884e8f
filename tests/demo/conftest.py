"""Chromium with a page open; tests that ask for it are skipped where a part is missing."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from gru_zoo import demo
from tests.demo import small_zoo
from tests.demo.chromium import DESKTOP, Chromium, executable
from tests.demo.hands import choose


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


@pytest.fixture(scope="session")
def possible():
    """Skip what opens a page where that cannot be done."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium(possible, tmp_path_factory):
    """Return a browser with an empty page."""
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(chromium):
    """Return the address of a server of the zoo's models."""
    with running(demo.Server(0)) as server:
        yield server.address


@pytest.fixture(scope="session")
def small_models(possible, tmp_path_factory):
    """Return the folder of a zoo of two small models, made once in a process, and the models."""
    folder = tmp_path_factory.mktemp("zoo")
    return folder, small_zoo.make(folder)


@pytest.fixture(scope="module")
def zoo(small_models):
    """Put that zoo in the place of the shipped one; return its models."""
    folder, models = small_models
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRU_ZOO_MODELS", str(folder))
        yield models


@pytest.fixture(scope="module")
def server(zoo):
    with running(demo.Server(0)) as server:
        yield server


@pytest.fixture
def page(chromium, server):
    """Open the page on the model that reads word by word; afterwards, look for problems."""
    chromium.requests.clear()
    chromium.problems.clear()
    chromium.resize(DESKTOP)
    chromium.prefer(prefers_color_scheme="light")
    chromium.open(server.address)
    choose(chromium, small_zoo.FORWARDS, "float32")
    yield chromium
    assert chromium.problems == []
    assert {address.partition("/models")[0][:17] for address in chromium.requests} == {
        "http://localhost:"
    }
