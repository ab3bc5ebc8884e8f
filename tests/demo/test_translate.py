"""The page of translators in headless Chromium: its translations are the files' in Python."""

import json

import pytest

pytest.importorskip("tokenizers")

from gru_zoo import demo, list_models  # noqa: E402
from gru_zoo.export import LiteTranslator  # noqa: E402
from gru_zoo.text.subwords import Subwords  # noqa: E402
from gru_zoo.zoo import card, models_folder  # noqa: E402
from tests.demo import small_zoo  # noqa: E402
from tests.demo.chromium import DESKTOP, PHONE  # noqa: E402
from tests.demo.conftest import running  # noqa: E402
from tests.demo.hands import choose, enter, settle, told  # noqa: E402
from tests.demo.small_zoo import BACK, THERE  # noqa: E402
from tests.nasty_texts import NASTY, known_characters, random_texts  # noqa: E402
from tests.small_data import small_captions  # noqa: E402

pytestmark = pytest.mark.slow

TRANSLATORS = [name for name in list_models() if card(name).task == "translation"]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Put a zoo of two translators in the place of the shipped one; return its folder."""
    folder = tmp_path_factory.mktemp("zoo")
    small_zoo.make_translators(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRU_ZOO_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def page(chromium, zoo):
    """Open the page once; at the end, look for problems."""
    with running(demo.Server(0)) as server:
        chromium.resize(DESKTOP)
        chromium.requests.clear()
        chromium.open(f"{server.address}translate.html")
        yield chromium
        assert chromium.problems == []
        assert all(address.startswith(server.address) for address in chromium.requests)


def shown(page, place: str = "translation") -> str:
    return page.evaluate(f"document.getElementById('{place}').textContent")


def others(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('#others li')].map((e) => e.textContent)")


def expected(folder, name: str, variant: str, text: str) -> list[str]:
    """Return the translations that Python finds with the same files, the best first."""
    paths = [folder / name / f"{part}_{variant}.tflite" for part in ("encoder", "decoder")]
    lite = LiteTranslator(*paths)
    found = [lite.subwords.decode(one.ids) for one in lite.search(text, beams=3, alpha=0.5)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("name", [THERE, BACK])
def test_translations_are_pythons(page, zoo, name, variant):
    choose(page, name, variant)
    # One of a length, and of another: each has its own sizes of every input.
    texts = [*small_captions.pairs("test").source, "Hund.", "die Katze", "ein ein ein ein ein Ball"]
    seen = set()
    for text in texts:
        enter(page, text)
        first, *more = expected(zoo, name, variant, text)
        assert shown(page) == first and others(page) == more, text
        seen.add(first)
    assert len(seen) > 3
    assert shown(page, "score") == "2.50 on nothing"
    assert "a sentence (median of" in shown(page, "latency")


def test_a_text_is_translated_a_sentence_at_a_time(page, zoo):
    choose(page, THERE, "float32")
    sentences = ["Ein Hund jagt die Katze.", "Ein Mann malt!", "Eine Frau sieht ein Haus."]
    first, second, third = (expected(zoo, THERE, "float32", one)[0] for one in sentences)
    enter(page, f"{sentences[0]} {sentences[1]}\n\n{sentences[2]}\n")
    assert shown(page) == f"{first} {second}\n\n{third}\n"
    assert shown(page, "note") == "3 sentences"
    assert others(page) == expected(zoo, THERE, "float32", sentences[2])[1:]
    # What has not changed is not asked for again.
    page.evaluate("""(async () => {
        const { Translator } = await import("./src/translator.js");
        const translate = Translator.prototype.translate;
        globalThis.asked = [];
        Translator.prototype.translate = function (text, wanted) {
            asked.push(text);
            return translate.call(this, text, wanted);
        };
    })()""")
    enter(page, f"{sentences[0]} {sentences[2]} Ein Ball.")
    assert page.evaluate("asked") == ["Ein Ball."]


def test_what_cannot_be_translated_stays_and_is_said(page, zoo):
    choose(page, THERE, "float32")
    enter(page, "Ein Hund. \u65e5\u672c\u8a9e\u3002")
    translated = expected(zoo, THERE, "float32", "Ein Hund.")[0]
    assert shown(page) == f"{translated} \u65e5\u672c\u8a9e\u3002"
    lack = "1 without a character that the model knows, left as it is"
    assert shown(page, "note") == f"2 sentences; {lack}"
    page.wait(f"document.getElementById('spoken').textContent.endsWith({lack!r})")
    enter(page, "Haus " * 400)
    assert shown(page, "note") == "1 sentence; 1 too long: the end is not read"
    # Of what is read, twenty subwords, it is the translation.
    whole = " ".join(["Haus"] * 20)
    enter(page, whole)
    read = expected(zoo, THERE, "float32", whole)[0]
    assert shown(page) == read and shown(page, "note") == "1 sentence"
    enter(page, f"{whole} Haus")
    assert shown(page) == read
    enter(page, "x" * 100_000)
    assert shown(page, "note").endswith("too long: the end is not read")
    enter(page, "")
    assert (shown(page), shown(page, "note")) == ("", "No text")
    assert page.evaluate("document.getElementById('more').hidden")


def test_another_models_translation_takes_the_place_of_the_last(page, zoo):
    text = "Ein Hund jagt die Katze."
    choose(page, THERE, "float32")
    enter(page, text)
    first = expected(zoo, THERE, "float32", text)
    second = expected(zoo, BACK, "float32", text)
    assert shown(page) == first[0] != second[0]
    choose(page, BACK, "float32")
    assert shown(page) == second[0] and others(page) == second[1:]
    assert "median" not in shown(page, "latency")  # of one sentence


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("Mr. White is here. So am I. Go.", ["Mr. White is here.", "So am I.", "Go."]),
        ("M. Dupont et Mme. Curie sont l\u00e0.", ["M. Dupont et Mme. Curie sont l\u00e0."]),
        ("It is J. S. Bach.\nDr. No is not.", ["It is J. S. Bach.", "Dr. No is not."]),
        ("No. Yes. Stop!", ["No.", "Yes.", "Stop!"]),
        ("Here lives Dr.\nWho is it?", ["Here lives Dr.", "Who is it?"]),
    ],
)
def test_an_abbreviation_ends_no_sentence(page, typed, wanted):
    choose(page, BACK, "int8")
    given = page.evaluate(f"""import("./src/translate.js").then(({{ sentences }}) =>
        sentences({json.dumps(typed)}))""")
    assert [part["sentence"] for part in given] == wanted
    assert "".join(p["before"] + p["sentence"] + p["after"] for p in given) == typed


def test_white_space_stays_where_it_is(page):
    choose(page, THERE, "float32")
    enter(page, "    Ein Hund.\n\n    Ein Mann.\n")
    parts = shown(page).split("\n")
    assert parts[0].startswith("    ") and parts[1] == "" and parts[2].startswith("    ")
    assert parts[3:] == [""]


def test_what_is_cleared_stays_empty(page):
    page.open(page.evaluate("location.href"))
    choose(page, THERE, "float32")
    enter(page, "")
    choose(page, THERE, "int8")
    assert page.evaluate("document.getElementById('text').value") == ""


def test_nothing_stays_behind_in_the_runtime(page, zoo):
    """What a translation makes of tensors and models it deletes, whatever the steps it takes."""
    choose(page, THERE, "float32")
    page.evaluate("""(async () => {
        const { compile, Tensor } = await import("./src/runtime.js");
        const path = "models/captions_there/encoder_int8.tflite";
        const model = await compile(new Uint8Array(await (await fetch(path)).arrayBuffer()));
        model.delete();
        globalThis.deleted = 0;
        for (const kind of [Tensor, model.constructor]) {
            const remove = kind.prototype.delete;
            kind.prototype.delete = function (...given) {
                deleted += 1;
                return remove.apply(this, given);
            };
        }
    })()""")
    per_text = []
    for text in ("Ein Hund.", "Ein Mann malt ein Haus."):
        page.evaluate("globalThis.deleted = 0")
        enter(page, text)
        per_text.append(page.evaluate("deleted"))
    # Two models, the source, keys and values; and for each step ids and logits, two states twice.
    steps = [(count - 2 - 1 - 2) / 6 for count in per_text]
    assert all(step == int(step) >= 1 for step in steps), per_text


@pytest.mark.parametrize("blocked", ["encoder_float32.tflite", "decoder_float32.tflite", ".wasm"])
def test_what_does_not_come_is_told_and_fetched_again(page, zoo, blocked):
    page.send("Network.setBlockedURLs", urls=[f"*{blocked}"])
    page.send("Network.setCacheDisabled", cacheDisabled=True)
    try:
        page.open(page.evaluate("location.href"))
        page.wait("!document.getElementById('problem').hidden")
        assert page.evaluate("document.getElementById('more').hidden")
        assert shown(page) == shown(page, "score") == ""
        assert shown(page, "from") == "Text"
    finally:
        page.send("Network.setBlockedURLs", urls=[])
    page.evaluate("document.getElementById('again').click()")
    page.wait("document.getElementById('translation').textContent.length > 0")
    assert page.evaluate("document.getElementById('problem').hidden")
    page.problems.clear()


def test_languages_are_named_and_the_example_is_the_models(page):
    page.open(page.evaluate("location.href"))
    choose(page, THERE, "int8")
    assert (
        shown(page, "from") == "Text in German" and shown(page, "to") == "Translation into English"
    )
    value = "document.getElementById('text').value"
    assert page.evaluate(value) == "Zwei Hunde spielen im Schnee."
    choose(page, BACK, "int8")
    assert (
        shown(page, "from") == "Text in English" and shown(page, "to") == "Translation into German"
    )
    assert page.evaluate(value).startswith("Where is the nearest station?")
    languages = "['text', 'translation', 'others'].map((id) => document.getElementById(id).lang)"
    assert page.evaluate(languages) == ["en", "de", "de"]
    enter(page, "My own.")
    choose(page, THERE, "int8")
    assert page.evaluate(value) == "My own."


def test_swapped_languages_translate_back(page, zoo):
    choose(page, THERE, "float32")
    text = "Ein Hund jagt die Katze."
    enter(page, text)
    there = expected(zoo, THERE, "float32", text)[0]
    page.evaluate("document.getElementById('swap').click()")
    page.wait("document.getElementById('size').textContent.length > 0")
    settle(page)
    value = "document.getElementById('text').value"
    assert page.evaluate(value) == there.strip()
    assert shown(page, "from") == "Text in English"
    assert shown(page) == expected(zoo, BACK, "float32", there.strip())[0]
    # What was typed is not lost: the browser can undo.
    page.evaluate("document.execCommand('undo')")
    assert page.evaluate(value) == text
    settle(page)
    # There is nothing to put in the place of a text that has no translation.
    enter(page, "")
    page.evaluate("document.getElementById('swap').click()")
    settle(page)
    assert shown(page, "from") == "Text in German" and shown(page, "note") == "No text"


def test_without_a_model_back_languages_are_not_swapped(page, zoo, tmp_path):
    hidden = "document.getElementById('swap').hidden"
    choose(page, THERE, "int8")
    assert not page.evaluate(hidden)
    (zoo / BACK).rename(tmp_path / BACK)
    try:
        page.open(page.evaluate("location.href"))
        choose(page, THERE, "int8")
        assert page.evaluate(hidden)
    finally:
        (tmp_path / BACK).rename(zoo / BACK)
    page.open(page.evaluate("location.href"))


def test_what_assistive_technology_is_told(page, zoo):
    choose(page, THERE, "float32")
    enter(page, "Ein Hund.")
    heard = json.dumps(expected(zoo, THERE, "float32", "Ein Hund.")[0].strip())
    page.wait(f"document.getElementById('spoken').textContent === {heard}")
    assert page.evaluate("document.querySelector('#spoken span').lang") == "en"
    heard_of = told(page)
    assert {
        ("heading", "Translation"),
        ("combobox", "Model"),
        ("textbox", "Text in German"),
        ("region", "Translation into English"),
    } <= heard_of
    assert any(role == "status" for role, _ in heard_of)


def test_it_fits_a_narrow_screen(page):
    page.resize(PHONE, scale=2)
    enter(page, "Haus" * 100)
    page.evaluate("document.getElementById('more').open = true")
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    page.resize(DESKTOP)


@pytest.fixture
def ids_on_the_page(page):
    """Return a function (definition, texts) -> (ids, text again) of each, in JavaScript."""

    def encode(definition: str, texts: list[str]) -> list[tuple[list[int], str]]:
        return page.evaluate(f"""(async () => {{
            const {{ Subwords }} = await import("./src/subwords.js");
            const subwords = new Subwords({json.dumps(definition)});
            const ids = {json.dumps(texts)}.map((text) => subwords.encode(text));
            return ids.map((row) => [row, subwords.decode(row)]);
        }})()""")

    return encode


@pytest.fixture(scope="module")
def definitions(zoo):
    """The subwords of every shipped translator and of a small one, as many as a text may have."""
    small = LiteTranslator(zoo / THERE / "encoder_int8.tflite", zoo / THERE / "decoder_int8.tflite")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GRU_ZOO_MODELS")
        folders = [models_folder() / name / "assets" for name in TRANSLATORS]
    texts = [(folder / "subwords.json").read_text(encoding="utf-8") for folder in folders]
    found = [json.loads(text)["definition"] for text in texts] + [small.subwords.definition]
    return [Subwords(definition, 10**6) for definition in found]


def test_ids_equal_pythons(ids_on_the_page, definitions):
    raw = [text for text in NASTY + random_texts(300) if len(text) < 4_000]
    texts = [text.decode(errors="replace") for text in raw]
    characters = known_characters()
    texts += [
        " ".join(f"a{character}b" for character in characters[start : start + 200])
        for start in range(0, len(characters), 200)
    ]
    texts += ["\ud83d half", "l\u2019eau\u202f!", "<s>a</s> <pad>", "\u2581a \u2581", "a  b   c "]
    for subwords in definitions:
        compared = 0
        for text, (ids, again) in zip(
            texts, ids_on_the_page(subwords.definition, texts), strict=True
        ):
            try:
                [wanted] = subwords.encode([text])
            except ValueError:  # nothing that it knows
                assert set(ids) <= {3, *subwords.encode(["a "])[0][:1]} or not again.strip()
                continue
            assert ids == wanted, text[:50]
            assert again == subwords.decode(wanted)
            compared += 1
        assert compared > 400


def test_subwords_of_another_kind_are_refused(ids_on_the_page, definitions):
    other = definitions[0].definition.replace('"NFC"', '"NFKC"')
    with pytest.raises(RuntimeError, match="subwords of another kind: BPE,NFKC,Metaspace"):
        ids_on_the_page(other, ["a"])
