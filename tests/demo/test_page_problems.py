"""What the page does about what goes wrong: files that do not come, scripts that do not run."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from gru_zoo import demo
from gru_zoo.zoo import models_folder
from tests.demo.conftest import running
from tests.demo.hands import choose, enter, settle, shown
from tests.demo.small_zoo import FORWARDS
from tests.export.conftest import LABELS

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def stalling(part: str) -> Iterator[demo.Server]:
    """Run a server that keeps to itself what has `part` in its path, until the block ends."""
    released = threading.Event()

    class Stalling(demo.Handler):
        def _answer(self, with_body):
            if part in self.path:
                released.wait(60)
            super()._answer(with_body)

    with running(demo.Server(0)) as server:
        server.RequestHandlerClass = Stalling
        try:
            yield server
        finally:
            released.set()


@pytest.mark.parametrize("content", [None, b"", b"TFL3 nonsense"])
def test_a_file_that_is_gone_or_changed_is_not_opened(chromium, server, content):
    path = models_folder() / FORWARDS / "int8.tflite"
    kept = path.read_bytes()
    try:
        chromium.open(server.address)
        choose(chromium, FORWARDS, "float32")
        path.unlink() if content is None else path.write_bytes(content)
        chromium.evaluate("document.querySelector('input[value=int8]').click()")
        problem = "document.getElementById('problem')"
        chromium.wait(f"!{problem}.hidden")
        said = chromium.evaluate(f"{problem}.textContent")
        reason = "the server answered 404" if content is None else "is not the file that the list"
        assert said.startswith("This does not work: ") and reason in said
        # What the model before it said is no answer of the one that is chosen.
        for name in ("answer", "size", "accuracy", "latency", "gates-summary"):
            assert chromium.evaluate(f"document.getElementById('{name}').textContent") == "", name
        chromium.evaluate("document.querySelector('input[value=float32]').click()")
        # Another choice answers again.
        chromium.wait(f"{problem}.hidden")
        chromium.wait("document.getElementById('answer').textContent !== ''")
        assert "float32" in chromium.evaluate("document.getElementById('size').textContent")
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("blocked", ["int8.tflite", ".wasm"])
def test_what_failed_is_fetched_again_when_asked_not_at_each_key(chromium, server, blocked):
    """A model's file, and LiteRT.js itself."""
    hidden = [f"document.getElementById('{name}').hidden" for name in ("problem", "again")]

    def fetched() -> int:
        return sum(address.endswith(blocked) for address in chromium.requests)

    chromium.requests.clear()
    chromium.send("Network.setBlockedURLs", urls=[f"*{blocked}"])
    try:
        chromium.open(server.address)
        for part in hidden:
            chromium.wait(f"!{part}")
        failed = fetched()
        assert failed > 0
        for letter in "good":
            enter(chromium, letter)
        assert fetched() == failed
    finally:
        chromium.send("Network.setBlockedURLs", urls=[])
    chromium.evaluate("window.old = true; document.getElementById('again').click()")
    settle(chromium)
    assert chromium.evaluate("window.old")
    assert [chromium.evaluate(part) for part in hidden] == [True, True]
    assert fetched() == failed + 1
    assert len(shown(chromium)) == len(LABELS)
    assert chromium.evaluate("document.activeElement.id") == "text"


def test_a_stalled_download_gives_way_to_another_choice(chromium, zoo):
    """And what is being loaded is told, until the answer is."""
    spoken = "document.getElementById('spoken').textContent"
    with stalling("int8") as server:
        chromium.open(server.address)
        choose(chromium, FORWARDS, "float32")
        enter(chromium, "good")
        answer = shown(chromium)
        chromium.requests.clear()
        chromium.evaluate("document.querySelector('input[value=int8]').click()")
        chromium.wait(f"{spoken} === 'Loading the model'")
        assert shown(chromium) == []
        chromium.evaluate("document.querySelector('input[value=float32]').click()")
        settle(chromium)
        assert shown(chromium) == answer
        assert chromium.evaluate("document.getElementById('problem').hidden")
        chromium.wait(f"{spoken}.endsWith('percent')")
    choosing = [url for url in chromium.requests if url.endswith("int8.tflite")]
    assert choosing  # It had been asked for.


def test_what_failed_before_is_not_told_while_another_model_is_loaded(chromium, zoo):
    """Nor offered again, which would throw away what has come of the other."""
    hidden = [f"document.getElementById('{name}').hidden" for name in ("problem", "again")]
    with stalling("float32") as server:
        chromium.send("Network.setBlockedURLs", urls=["*int8.tflite"])
        try:
            chromium.open(server.address)
            for part in hidden:
                chromium.wait(f"!{part}")
        finally:
            chromium.send("Network.setBlockedURLs", urls=[])
        chromium.evaluate("document.querySelector('input[value=float32]').click()")
        chromium.wait("document.getElementById('note').textContent === 'Loading the model \u2026'")
        assert [chromium.evaluate(part) for part in hidden] == [True, True]


@pytest.mark.parametrize("dies", ["Classifier.open", "Classifier.prototype.classify"])
def test_after_a_runtime_that_died_the_page_can_be_loaded_anew(chromium, server, dies):
    """While a model is opened, or an open one answers; it cannot be freed either."""
    again = "document.getElementById('again')"
    chromium.open(server.address)
    choose(chromium, FORWARDS, "float32")
    chromium.evaluate(f"""(async () => {{
        const {{ Classifier }} = await import("./src/classifier.js");
        const die = async () => {{
            throw new WebAssembly.RuntimeError("Aborted(OOM)");
        }};
        {dies} = die;
        Classifier.prototype.delete = () => {{
            throw new WebAssembly.RuntimeError("unreachable");
        }};
        window.old = true;
    }})()""")
    if dies == "Classifier.open":
        chromium.evaluate("document.querySelector('input[value=int8]').click()")
    else:
        enter(chromium, "good")
    chromium.wait(f"!{again}.hidden")
    told = chromium.evaluate("document.getElementById('problem').textContent")
    assert told == "This does not work: Aborted(OOM)."
    chromium.evaluate(f"{again}.click()")
    chromium.wait("!window.old && document.querySelectorAll('#answer div').length > 0", 20)
    settle(chromium)
    assert len(shown(chromium)) == len(LABELS)


def test_a_list_that_did_not_come_can_be_asked_for_again(chromium, server):
    again = "document.getElementById('again')"
    chromium.send("Network.setBlockedURLs", urls=["*presets.json"])
    try:
        chromium.open(server.address)
        chromium.wait(f"!{again}.hidden")
    finally:
        chromium.send("Network.setBlockedURLs", urls=[])
    chromium.evaluate(f"{again}.click()")
    chromium.wait("document.querySelectorAll('#answer div').length > 0")
    settle(chromium)
    assert len(shown(chromium)) == len(LABELS)


def test_a_script_of_the_runtime_that_does_not_load_is_named(chromium, server):
    chromium.send("Network.setBlockedURLs", urls=["*_internal.js"])
    try:
        chromium.open(server.address)
        chromium.wait("!document.getElementById('problem').hidden")
    finally:
        chromium.send("Network.setBlockedURLs", urls=[])
    problem = chromium.evaluate("document.getElementById('problem').textContent")
    assert "a script of LiteRT.js could not be loaded" in problem
    chromium.evaluate("document.getElementById('again').click()")
    chromium.wait("document.querySelectorAll('#answer div').length > 0")


@pytest.mark.parametrize("blocked", ["src/app.js", "src/page.js"])
def test_a_script_that_does_not_load_is_no_endless_wait(chromium, server, blocked):
    problem = "document.getElementById('problem')"
    chromium.send("Network.setBlockedURLs", urls=[f"*{blocked}"])
    try:
        chromium.open(server.address)
        chromium.wait(f"!{problem}.hidden")
    finally:
        chromium.send("Network.setBlockedURLs", urls=[])
    assert "a script could not be loaded" in chromium.evaluate(f"{problem}.textContent")
    chromium.evaluate("document.getElementById('again').click()")
    chromium.wait("document.querySelectorAll('#answer div').length > 0")
    settle(chromium)
    assert len(shown(chromium)) == len(LABELS)


def test_a_script_that_the_browser_cannot_parse_is_no_endless_wait(chromium, zoo):
    """As in a browser that is too old for it."""
    problem = "document.getElementById('problem')"
    with running(demo.Server(0)) as server:
        whole, server.site["src/gates.js"] = server.site["src/gates.js"], b"let 1;"
        chromium.open(server.address)
        chromium.wait(f"!{problem}.hidden", 20)
        said = chromium.evaluate(f"{problem}.textContent")
        assert said.startswith("This does not work: a script could not be run: ")
        assert "SyntaxError" in said
        assert chromium.evaluate("document.getElementById('note').textContent") == ""
        server.site["src/gates.js"] = whole
        chromium.evaluate("document.getElementById('again').click()")
        chromium.wait("document.querySelectorAll('#answer div').length > 0")
        settle(chromium)


def test_a_script_that_fails_when_asked_for_again_has_the_page_load_anew(chromium, server):
    """Some browsers do not ask for a failed module again."""
    hidden = "document.getElementById('again').hidden"
    again = "document.getElementById('again').click()"
    chromium.send("Network.setBlockedURLs", urls=["*src/classifier.js"])
    try:
        chromium.open(server.address)
        chromium.wait(f"!{hidden}")
        chromium.evaluate(f"window.old = true; {again}")
        chromium.wait(f"!{hidden}")
    finally:
        chromium.send("Network.setBlockedURLs", urls=[])
    assert chromium.evaluate("window.old")
    chromium.evaluate(again)
    chromium.wait("!window.old && document.querySelectorAll('#answer div').length > 0", 20)
    settle(chromium)
    assert len(shown(chromium)) == len(LABELS)


def test_a_file_that_is_not_as_listed_when_asked_for_again_has_the_page_load_anew(chromium, server):
    """The list of models may be the one that is old."""
    hidden = "document.getElementById('again').hidden"
    again = "document.getElementById('again').click()"
    path = models_folder() / FORWARDS / "int8.tflite"
    kept = path.read_bytes()
    try:
        chromium.open(server.address)
        choose(chromium, FORWARDS, "float32")
        path.write_bytes(b"TFL3 newer")
        chromium.evaluate("document.querySelector('input[value=int8]').click()")
        chromium.wait(f"!{hidden}")
        chromium.evaluate(f"window.old = true; {again}")
        chromium.wait(f"!{hidden}")
    finally:
        path.write_bytes(kept)
    assert chromium.evaluate("window.old")
    chromium.evaluate(again)
    chromium.wait("!window.old && document.querySelectorAll('#answer div').length > 0", 20)
    settle(chromium)
    assert len(shown(chromium)) == len(LABELS)


def test_a_page_without_a_server_says_what_it_needs(chromium, zoo, tmp_path):
    demo.write(tmp_path / "site")
    problem = "document.getElementById('problem')"
    chromium.open((tmp_path / "site" / "index.html").as_uri())
    chromium.wait(f"!{problem}.hidden")
    assert "the page needs a web server" in chromium.evaluate(f"{problem}.textContent")
    assert chromium.evaluate("document.getElementById('again').hidden")
    chromium.problems.clear()
