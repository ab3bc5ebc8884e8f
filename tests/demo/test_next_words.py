"""The page of next words in headless Chromium: its suggestions are the Keras model's."""

import time

import numpy as np
import pytest

from gru_zoo import demo
from tests.demo import small_zoo
from tests.demo.chromium import DESKTOP, PHONE
from tests.demo.conftest import running
from tests.demo.hands import choose, enter, settle, told
from tests.demo.small_zoo import NEXT_WORDS, VOCABULARY

pytestmark = pytest.mark.slow

LIMITS = {"float32": 1e-5, "int8": 1e-1}
# Text -> the words that are read, and what is typed of the next.
TEXTS = {
    "": ([], ""),
    "The film was ": (["the", "film", "was"], ""),
    "The film was": (["the", "film"], "was"),
    "a zebra, FI": (["a", "zebra"], "FI"),
    "it\u2019s good. It\u2019": (["it's", "good"], "It\u2019"),
    "<b>bad</b> \U0001f600 p": (["b", "bad", "b"], "p"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Put a zoo of one language model in the place of the shipped one; return the model."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRU_ZOO_MODELS", str(folder))
        yield small_zoo.make_language_model(folder)


@pytest.fixture(scope="module")
def page(chromium, model):
    """Open the page once; at the end, look for problems."""
    with running(demo.Server(0)) as server:
        chromium.resize(DESKTOP)
        chromium.requests.clear()
        chromium.open(f"{server.address}next-words.html")
        choose(chromium, NEXT_WORDS, "float32")
        yield chromium
        assert chromium.problems == []
        assert all(address.startswith(server.address) for address in chromium.requests)


def suggested(page) -> dict[str, float]:
    """Return the words on the buttons and their probabilities."""
    buttons = "[...document.querySelectorAll('#suggestions button')]"
    return dict(
        page.evaluate(f"{buttons}.map((b) => [b.innerText, Number(b.dataset.probability)])")
    )


def expected(model, words: list[str], prefix: str) -> dict[str, float]:
    """Return the five most probable words that begin so, as Keras has them."""
    table = model.tokenizer.table()
    state = model.initial_state(1)
    for number in [1, *(table.get(word, 2) for word in words)]:
        state = model.step(np.array([number]), state)
    chances = np.asarray(model.output(state))[0]
    begun = prefix.lower().replace("\u2019", "'")
    fitting = {
        prefix + word[len(prefix) :]: float(chances[number])
        for number, word in enumerate(VOCABULARY)
        if number > 2 and len(word) > len(prefix) and word.lower().startswith(begun)
    }
    return dict(sorted(fitting.items(), key=lambda pair: -pair[1])[:5])


@pytest.mark.parametrize("variant", LIMITS)
def test_suggestions_are_the_models(page, model, variant):
    choose(page, NEXT_WORDS, variant)
    for text, (words, prefix) in TEXTS.items():
        enter(page, text)
        given, wanted = suggested(page), expected(model, words, prefix)
        if variant == "float32":
            assert list(given) == list(wanted), text
        # In halves and in 8 bits a word or two of like probability may change places.
        assert len(set(given) & set(wanted)) >= len(wanted) - 2, text
        for word in set(given) & set(wanted):
            assert given[word] == pytest.approx(wanted[word], abs=LIMITS[variant]), text
    assert page.evaluate("document.getElementById('score').textContent") == "7.25 on nothing"
    choose(page, NEXT_WORDS, "float32")


def test_a_caret_that_no_key_and_no_pointer_moved(page, model):
    enter(page, "The film was good")
    page.evaluate("document.getElementById('text').focus()")
    page.evaluate("document.getElementById('text').setSelectionRange(4, 4)")
    first = next(iter(expected(model, ["the"], "")))
    page.wait(f"document.querySelector('#suggestions button').textContent === {first!r}")


def test_who_is_on_a_suggestion_stays_at_its_place(page, model):
    enter(page, "The fi")
    page.evaluate("document.querySelectorAll('#suggestions button')[1].focus()")

    def later(text):
        """An answer comes to what was typed before the focus went on."""
        page.evaluate(f"document.getElementById('text').value = {text!r}")
        page.evaluate("document.getElementById('text').dispatchEvent(new Event('keyup'))")
        settle(page)
        return page.evaluate("document.activeElement.textContent")

    assert later("The ") == list(expected(model, ["the"], ""))[1]
    later("The zzzz")  # No word begins so.
    assert page.evaluate("document.activeElement.id") == "text"


def test_a_word_is_taken_by_pointer_by_number_and_by_keyboard(page, model):
    value = "document.getElementById('text').value"
    enter(page, "The fi")
    words = list(suggested(page))
    assert set(words) == {"film", "filming", "fine"}
    page.evaluate("document.querySelectorAll('#suggestions button')[1].click()")
    settle(page)
    assert page.evaluate(value) == f"The {words[1]} "
    assert page.evaluate("document.activeElement.id") == "text"
    assert list(suggested(page)) == list(expected(model, ["the", words[1]], ""))
    third = list(suggested(page))[2]
    alt = {"modifiers": 1, "key": "3", "code": "Digit3", "windowsVirtualKeyCode": 51}
    page.send("Input.dispatchKeyEvent", type="rawKeyDown", **alt)
    page.send("Input.dispatchKeyEvent", type="keyUp", **alt)
    settle(page)
    assert page.evaluate(value) == f"The {words[1]} {third} "
    first = next(iter(suggested(page)))
    for _ in range(2):  # past "Clear"
        page.press("Tab", 9)
    assert page.evaluate("document.activeElement.matches('#suggestions button:focus-visible')")
    page.press("Enter", 13, "\r")
    settle(page)
    assert page.evaluate(value) == f"The {words[1]} {third} {first} "


def test_only_what_stands_before_the_caret_counts(page, model):
    enter(page, "The end")
    page.evaluate("document.getElementById('text').setSelectionRange(4, 4)")
    page.press("Shift", 16)
    page.wait("document.querySelectorAll('#suggestions button').length === 5")
    settle(page)
    assert list(suggested(page)) == list(expected(model, ["the"], ""))


def test_no_word_that_fits(page):
    enter(page, "The zzz")
    assert suggested(page) == {}
    note = page.evaluate("document.getElementById('note').textContent")
    assert note.startswith("No longer word of the vocabulary begins so; after a space")


def test_a_word_is_taken_in_the_place_of_the_one_at_the_caret(page):
    """And the browser can undo it."""
    value = "document.getElementById('text').value"
    enter(page, "The end is near")
    places = ((5, 5, 4, " is near"), (4, 7, 4, " is near"), (8, 8, 8, " is near"))
    for start, end, kept, rest in places:
        page.evaluate(f"document.getElementById('text').setSelectionRange({start}, {end})")
        page.press("Shift", 16)
        settle(page)
        page.wait("document.querySelectorAll('#suggestions button').length > 0")
        before, word = page.evaluate(value), next(iter(suggested(page)))
        page.evaluate("document.querySelector('#suggestions button').click()")
        settle(page)
        assert page.evaluate(value) == f"{before[:kept]}{word}{rest}"
        page.evaluate("document.execCommand('undo')")
        assert page.evaluate(value) == before


@pytest.mark.parametrize(
    ("begun", "rest", "left"),
    [
        ("He said 'the fi", "' and left", "' and left"),
        ("The fi", "ne\u0301s x", " x"),
        ("The fi", "ng's end", " end"),
        ("The fi", "\u2019 x", "\u2019 x"),
        ("The fi", "ne, or", ", or"),
        ("(The fi", ")", ")"),
        ("The fi", "\u2026", "\u2026"),
        ("The fi", "\u2014 or", "\u2014 or"),
        ("The fi", "(or", "(or"),
    ],
)
def test_only_the_rest_of_the_word_is_replaced(page, begun, rest, left):
    enter(page, begun + rest)
    page.evaluate(f"document.getElementById('text').setSelectionRange({len(begun)}, {len(begun)})")
    page.press("Shift", 16)
    settle(page)
    word = next(iter(suggested(page)))
    page.evaluate("document.querySelector('#suggestions button').click()")
    settle(page)
    space = " " if left[0] in "\u2014(" else ""
    kept = begun.removesuffix("fi")
    assert page.evaluate("document.getElementById('text').value") == f"{kept}{word}{space}{left}"


def test_a_word_is_not_glued_to_what_ends_another(page):
    """But follows at once what opens something, or a space."""
    spaced = (
        *",;:!?.\u2026)]}\u201d",
        "\U0001f600",
        "\u2764\ufe0f",
        "\U0001f44b\U0001f3fd",
        "\U0001f1eb\U0001f1ee",
        "\U0001f469\u200d\U0001f4bb",
    )
    for sign in (*spaced, *'(\u201c\u2014\u2013-["\n ', ",fi"):  # the last begins a word
        enter(page, f"The end{sign}")
        word = next(iter(suggested(page)))
        page.evaluate("document.querySelector('#suggestions button').click()")
        settle(page)
        begun = f"The end{sign.removesuffix('fi')}" + (" " if sign in spaced else "")
        assert page.evaluate("document.getElementById('text').value") == f"{begun}{word} ", sign


def test_a_long_text_is_read_from_near_its_end(page, model):
    words = [VOCABULARY[3 + number % 11] for number in range(350)]
    enter(page, " ".join(words) + " ")
    given, wanted = suggested(page), expected(model, words[200:], "")
    np.testing.assert_allclose(list(given.values()), list(wanted.values()), rtol=0, atol=1e-5)


def test_what_assistive_technology_is_told(page):
    enter(page, "The fi")
    words = list(suggested(page))
    heard = f"Suggestions: {', '.join(words)}"
    page.wait(f"document.getElementById('spoken').textContent === '{heard}'")
    heard_of = told(page)
    assert {("heading", "Next words"), ("textbox", "Text"), ("region", "Suggestions")} <= heard_of
    assert {("button", word) for word in words} <= heard_of
    assert any(role == "status" for role, _ in heard_of)


def test_keys_that_change_nothing_are_not_spoken(page):
    """Nor is what was heard last."""
    enter(page, "The fi")
    words = list(suggested(page))
    heard = f"Suggestions: {', '.join(words)}"
    page.wait(f"document.getElementById('spoken').textContent === '{heard}'")
    page.evaluate("""(() => {
        globalThis.written = [];
        const observer = new MutationObserver(([{ target }]) => written.push(target.id));
        for (const name of ["spoken", "suggestions"]) {
            observer.observe(document.getElementById(name), { childList: true });
        }
    })()""")
    for key, code in (("Shift", 16), ("Control", 17), ("End", 35)):
        page.press(key, code)
        settle(page)
    assert page.evaluate("written") == []
    enter(page, "the fi")
    assert list(suggested(page)) == words
    time.sleep(1)  # longer than the pause after which it speaks
    assert set(page.evaluate("written")) == {"suggestions"}


def test_clear_can_be_undone(page, model):
    enter(page, "The fi")
    page.evaluate("document.getElementById('clear').click()")
    settle(page)
    assert page.evaluate("document.getElementById('text').value") == ""
    assert list(suggested(page)) == list(expected(model, [], ""))
    page.evaluate("document.execCommand('undo')")
    assert page.evaluate("document.getElementById('text').value") == "The fi"
    page.press("End", 35)  # what comes back is selected
    settle(page)
    assert set(suggested(page)) == {"film", "filming", "fine"}


def test_words_from_right_to_left_are_shown_so(page):
    direction = "getComputedStyle(document.querySelector('{}')).direction"
    for text, wanted in (("The fi", "ltr"), ("\u05e9", "rtl")):
        enter(page, text)
        for selector in ("#text", "#suggestions button"):
            assert page.evaluate(direction.format(selector)) == wanted, (text, selector)


def test_it_fits_a_narrow_screen(page):
    page.resize(PHONE, scale=2)
    enter(page, "w" * 400 + " the ")
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    small = page.evaluate("""[...document.querySelectorAll("select, li button, fieldset label")]
        .filter((element) => element.getBoundingClientRect().height < 44).length""")
    assert small == 0  # a finger's target
    page.resize(DESKTOP)


def test_a_macs_keys_are_not_those_of_its_screen_reader(page):
    """Control and Option begin VoiceOver's commands; Option and a digit type a sign."""
    value, agent = "document.getElementById('text').value", page.evaluate("navigator.userAgent")
    address = page.evaluate("location.href")
    page.send("Emulation.setUserAgentOverride", userAgent=agent, platform="MacIntel")
    try:
        page.open(address)
        settle(page)
        assert "Control, Shift and its number" in page.evaluate("document.body.innerText")
        enter(page, "The fi")
        second = list(suggested(page))[1]
        told = "document.querySelectorAll('#suggestions button')[1].ariaKeyShortcuts"
        assert page.evaluate(told) == "Control+Shift+2"
        alt, control, shift = 1, 2, 8
        for held, taken in ((alt | control, False), (alt, False), (control | shift, True)):
            keys = {"modifiers": held, "key": "2", "code": "Digit2", "windowsVirtualKeyCode": 50}
            page.send("Input.dispatchKeyEvent", type="rawKeyDown", **keys)
            page.send("Input.dispatchKeyEvent", type="keyUp", **keys)
            settle(page)
            assert page.evaluate(value) == (f"The {second} " if taken else "The fi")
    finally:
        page.send("Emulation.setUserAgentOverride", userAgent=agent, platform="")
        page.open(address)
