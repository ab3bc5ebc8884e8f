"""The page in headless Chromium: typed into, read back, compared with Keras and LiteRT."""

import functools
import http.server
import json
import re
import time

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import demo, load
from gru_zoo.export.runners.lite_classifier import LiteClassifier
from gru_zoo.gates import layer_gates
from gru_zoo.zoo import models_folder
from tests.demo import screenshots
from tests.demo.conftest import running
from tests.demo.hands import choose, enter, settle, shown
from tests.demo.small_zoo import BOTH_WAYS, FORWARDS
from tests.export.conftest import LABELS, REVIEWS, random_reviews

pytestmark = pytest.mark.slow

TEXTS = [*REVIEWS[1:], *random_reviews(8, seed=9)]
LIMITS = {"float32": 1e-5, "int8": 1e-1}


def gates_of(model, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return z and r [steps, units] of a text, from Keras."""
    ids = model.tokenizer.encode([text])
    ids = ids[:, : np.count_nonzero(ids)]
    gates = layer_gates(model.rnn, model.embedding(tf.constant(ids)))
    return gates.z[0], gates.r[0]


@pytest.mark.parametrize("name", [FORWARDS, BOTH_WAYS])
@pytest.mark.parametrize("variant", LIMITS)
def test_the_answers_are_the_models(page, zoo, name, variant):
    choose(page, name, variant)
    compare(page, zoo, name, variant)


def compare(page, zoo, name: str, variant: str) -> None:
    """Compare the answers to `TEXTS` with those of Keras and LiteRT."""
    lite = LiteClassifier(models_folder() / name / f"{variant}.tflite")
    for text, keras, here in zip(
        TEXTS, zoo[name].predict(TEXTS, verbose=0), lite.predict(TEXTS), strict=True
    ):
        enter(page, text)
        given = shown(page)
        np.testing.assert_allclose(given, keras, rtol=0, atol=LIMITS[variant])
        np.testing.assert_allclose(given, here, rtol=0, atol=LIMITS[variant] / 10)


def test_a_browser_without_relaxed_simd_has_the_same_answers(chromium, zoo, server):
    """It loads another build of the runtime."""
    chromium.problems.clear()
    chromium.requests.clear()
    # Whether there is relaxed SIMD is told by whether a module of a few bytes can be made.
    script = chromium.send(
        "Page.addScriptToEvaluateOnNewDocument",
        source="""(() => {
            const { instantiate } = WebAssembly;
            WebAssembly.instantiate = (module, ...rest) => module.byteLength < 200
                ? Promise.reject(new WebAssembly.CompileError("no relaxed SIMD"))
                : instantiate(module, ...rest);
        })()""",
    )
    try:
        chromium.open(server.address)
        choose(chromium, FORWARDS, "float32")
        compare(chromium, zoo, FORWARDS, "float32")
    finally:
        chromium.send("Page.removeScriptToEvaluateOnNewDocument", **script)
    builds = {url.rpartition("/")[2] for url in chromium.requests if url.endswith(".wasm")}
    assert builds == {"litert_wasm_compat_internal.wasm"}
    assert chromium.problems == []


@pytest.mark.parametrize("variant", LIMITS)
def test_the_gates_are_the_models(page, zoo, variant):
    """Every gate of every word as the step signature computes it in the browser."""
    steps = page.evaluate(f"""(async () => {{
        const {{ Classifier }} = await import("./src/classifier.js");
        const presets = await (await fetch("models/presets.json")).json();
        const {{ files }} = presets.find(({{ name }}) => name === "{FORWARDS}");
        const file = files.find(({{ variant }}) => variant === "{variant}");
        const model = await Classifier.open(file, new URL("models/", location.href));
        const read = async (text) => {{
            const {{ ids, tokens }} = model.tokenizer.encode(text);
            const steps = await model.stream.read(ids.slice(0, tokens.length), () => true);
            return steps.map(({{ gates, probabilities }}) => {{
                const [{{ z, r }}] = Object.values(gates);
                return {{ z: [...z], r: [...r], probabilities: [...probabilities] }};
            }});
        }};
        const all = [];
        for (const text of {json.dumps(TEXTS)}) all.push(await read(text));
        return all;
    }})()""")
    limit = {"float32": 1e-5, "int8": 5e-2}[variant]
    for text, given in zip(TEXTS, steps, strict=True):
        z, r = gates_of(zoo[FORWARDS], text)
        np.testing.assert_allclose([step["z"] for step in given], z, rtol=0, atol=limit)
        np.testing.assert_allclose([step["r"] for step in given], r, rtol=0, atol=limit)
        last = zoo[FORWARDS].predict(text, verbose=0)[0]
        np.testing.assert_allclose(given[-1]["probabilities"], last, rtol=0, atol=LIMITS[variant])


def test_the_heat_map_and_the_table_show_them(page, zoo):
    enter(page, "good, not dull")
    z, r = gates_of(zoo[FORWARDS], "good, not dull")
    page.evaluate("document.querySelector('#numbers summary').click()")
    page.wait("document.querySelectorAll('#rows tr').length === 4")
    rows = page.evaluate("""[...document.querySelectorAll("#rows tr")]
        .map((row) => [...row.cells].map((cell) => cell.innerText))""")
    assert [row[0] for row in rows] == ["start", "good", "not", "dull"]
    numbers = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(numbers[:, 0], z.mean(axis=1), atol=6e-4)
    np.testing.assert_allclose(numbers[:, 1], r.mean(axis=1), atol=6e-4)
    np.testing.assert_allclose(numbers[-1, 2:], shown(page), atol=6e-4)
    head = page.evaluate("[...document.querySelectorAll('#head th')].map((cell) => cell.innerText)")
    assert head == ["word", "z", "r", *LABELS]
    # One pixel a unit; its opacity is the gate.
    pixels = page.evaluate("""[...document.querySelectorAll("#map span")].map((word) =>
        [...word.querySelectorAll("canvas")].map((canvas) => [...canvas.getContext("2d")
            .getImageData(0, 0, 1, canvas.height).data].filter((_, place) => place % 4 === 3)))""")
    np.testing.assert_allclose(np.array(pixels)[:, 0] / 255, z, atol=1 / 255)
    np.testing.assert_allclose(np.array(pixels)[:, 1] / 255, r, atol=1 / 255)
    words = page.evaluate("document.getElementById('gates-summary').textContent")
    assert f"keeps {100 * z[1:].mean():.0f} % of the state" in words
    least = ["good", "not", "dull"][z[1:].mean(axis=1).argmin()]
    assert f"at \u2068\u201c{least}\u201d\u2069 (" in words


def test_an_edit_gives_what_the_whole_text_gives(page):
    """The stream resumes where the text has changed; nothing of the old text stays."""
    enter(page, "good film")
    page.type(" but never again")
    for _ in range(5):
        page.press("Backspace", 8)
    page.type("dull")
    settle(page)
    text = page.evaluate("document.getElementById('text').value")
    assert text == "good film but never dull"
    page.evaluate("document.getElementById('numbers').open = true")
    tabulated = "[...document.querySelectorAll('#rows td')].map((cell) => cell.innerText)"
    resumed = page.wait(f"{tabulated}.length === 6 * 5 && {tabulated}")
    enter(page, "worst")
    enter(page, text)
    assert page.evaluate(tabulated) == resumed


def test_the_answer_comes_while_typing(page):
    enter(page, "")
    seen = []
    for letter in "good film":
        page.type(letter)
        settle(page)
        seen.append(tuple(shown(page)))
    assert len(set(seen)) > 2
    assert re.fullmatch(
        r"\d+\.\d ms( \(median of \d+\))?",
        page.evaluate("document.getElementById('latency').textContent"),
    )
    assert page.evaluate("document.getElementById('note').textContent") == "2 words"


def test_a_screen_reader_hears_the_answer_after_a_pause_not_each_letter(page):
    enter(page, "good")
    page.wait("document.getElementById('spoken').textContent !== ''")
    page.evaluate("""(() => {
        const spoken = document.getElementById("spoken");
        globalThis.heard = [];
        new MutationObserver(() => heard.push(spoken.textContent))
            .observe(spoken, { childList: true });
    })()""")
    for letter in " bad dull":
        page.type(letter)
        settle(page)
    probabilities = shown(page)
    page.wait("heard.length > 0")
    time.sleep(1)
    best = int(np.argmax(probabilities))
    percent = round(100 * probabilities[best])
    heard = page.evaluate("heard")
    assert heard[-1] == f"{LABELS[best]}, {percent} percent"
    assert len(heard) <= 3  # one, where the machine types faster than the pause


def test_a_long_paste(page, zoo):
    words = "good dull " * 3000
    enter(page, words)
    note = page.evaluate("document.getElementById('note').textContent")
    assert note == "19 words; 5981 more at the end are not read"
    np.testing.assert_allclose(
        shown(page), zoo[FORWARDS].predict(words, verbose=0)[0], rtol=0, atol=1e-5
    )


def test_no_text_has_no_answer(page):
    enter(page, "")
    cells = page.evaluate("[...document.querySelectorAll('#answer dd')].map((c) => c.innerText)")
    assert [cell for cell in cells if cell] == ["\u2013"] * 3
    page.wait("document.getElementById('spoken').textContent === 'No text'")
    enter(page, "\U0001f600 \U0001f389")
    cells = page.evaluate("[...document.querySelectorAll('#answer dd')].map((c) => c.innerText)")
    assert [cell for cell in cells if cell] == ["\u2013"] * 3
    said = "No word that the model reads"
    assert page.evaluate("document.getElementById('note').textContent") == said
    page.wait(f"document.getElementById('spoken').textContent === '{said}'")


def test_clear_can_be_undone(page):
    value = "document.getElementById('text').value"
    enter(page, "good film")
    answer = shown(page)
    page.evaluate("document.getElementById('clear').click()")
    settle(page)
    assert page.evaluate(value) == ""
    assert page.evaluate("document.getElementById('note').textContent") == "No text"
    page.evaluate("document.execCommand('undo')")
    settle(page)
    assert page.evaluate(value) == "good film"
    assert shown(page) == answer


def test_a_page_begins_with_the_smallest_file(chromium, server):
    chromium.open(server.address)
    chromium.wait("document.getElementById('size').textContent.endsWith('int8')")


def test_any_static_server_will_do(chromium, zoo, tmp_path):
    demo.write(tmp_path / "site")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with running(plain):
        chromium.problems.clear()
        chromium.open(f"http://localhost:{plain.server_port}/site/")  # not at the root
        choose(chromium, FORWARDS, "float32")
        enter(chromium, "good")
        expected = zoo[FORWARDS].predict("good", verbose=0)[0]
        np.testing.assert_allclose(shown(chromium), expected, rtol=0, atol=1e-5)
        assert chromium.problems == []


@pytest.mark.parametrize("name", screenshots.PICTURES)
def test_the_screenshots_show_an_answer(chromium, tmp_path, monkeypatch, name):
    """What README shows, on a shipped model, whose numbers are those of its file here too."""
    if name == "translation":
        pytest.importorskip("tokenizers", reason="the extra `translation`")
    monkeypatch.delenv("GRU_ZOO_MODELS", raising=False)
    picture = screenshots.PICTURES[name]
    path = tmp_path / f"{name}.png"
    with running(demo.Server(0)) as shipped:
        chromium.problems.clear()
        screenshots.take(chromium, shipped.address, picture, path)
        given = chromium.evaluate("document.getElementById('translation')?.textContent")
        given = given or shown(chromium)
        hidden = chromium.evaluate("document.getElementById('gates')?.hidden ?? null")
    data = path.read_bytes()
    width, height = (int.from_bytes(data[place : place + 4]) for place in (16, 20))
    assert width == pytest.approx(picture.size[0] * picture.scale, abs=16)  # less a scroll bar
    assert height >= picture.size[1] * picture.scale
    assert len(data) < 500_000
    lite = load(picture.model, format="tflite", variant="int8")
    if name == "translation":
        first, _, second = picture.text.partition("? ")
        sentences = [f"{first}?", second]
        assert given == " ".join(lite.translate(sentences))
    else:
        np.testing.assert_allclose(given, lite.predict(picture.text)[0], rtol=0, atol=2e-3)
        assert hidden == ("step" not in lite.interpreter.get_signature_list())
    assert chromium.problems == []
