"""The page for everybody: assistive technology, keyboard, narrow screens, colours, motion."""

import json
import re

import numpy as np
import pytest

from tests.demo.chromium import PHONE
from tests.demo.hands import choose, enter, settle, told
from tests.demo.small_zoo import BOTH_WAYS, FORWARDS
from tests.export.conftest import LABELS

pytestmark = pytest.mark.slow


def test_what_assistive_technology_is_told(page):
    heard_of = told(page)
    assert {
        ("heading", "GRU Zoo"),
        ("combobox", "Model"),
        ("group", "Weights"),
        ("radio", "float32"),
        ("radio", "int8"),
        ("textbox", "Text"),
        ("button", "Clear"),
        ("region", "Answer"),
        ("region", "What the gates do"),
    } <= heard_of
    assert any(role == "status" for role, _ in heard_of)
    assert not [
        role for role, name in heard_of if role in ("radio", "textbox", "button") and not name
    ]
    page.evaluate("document.getElementById('numbers').open = true")
    page.wait("document.querySelectorAll('#rows tr').length > 1")
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    roles = {node["role"]["value"] for node in nodes if not node.get("ignored")}
    assert {"table", "columnheader", "rowheader"} <= roles
    assert "Canvas" not in roles  # the picture says nothing that the table does not


def test_all_of_it_works_by_keyboard(page):
    focus = "document.activeElement.id || document.activeElement.value || 'summary'"
    order = []
    for _ in range(6):
        page.press("Tab", 9)
        order.append(page.evaluate(focus))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", order[-1]
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert order[1:5] == ["preset", "float32", "text", "clear"]
    page.press("Enter", 13, "\r")  # on "summary", where there are gates
    for _ in range(3):
        page.press("Tab", 9, shift=True)
    assert page.evaluate(focus) == "float32"
    page.press("ArrowRight", 39)
    page.wait("document.getElementById('size').textContent.endsWith('int8')")
    page.press("Tab", 9)
    page.press("Tab", 9)
    page.press("Enter", 13, "\r")  # Clear
    settle(page)
    assert page.evaluate("document.getElementById('text').value") == ""
    assert page.evaluate(focus) == "text"
    page.type("fine")
    settle(page)
    assert page.evaluate("document.getElementById('note').textContent") == "1 word"


def test_a_model_without_steps_says_so(page):
    choose(page, BOTH_WAYS, "int8")
    assert page.evaluate("document.getElementById('gates').hidden")
    words = page.evaluate("document.getElementById('gates-summary').textContent")
    assert words == "This file has no step signature, so it cannot be read word by word."
    choose(page, FORWARDS, "int8")
    assert not page.evaluate("document.getElementById('gates').hidden")


WIDE = [
    "good " * 30,
    "w" * 400,
    "good " + "w" * 300 + " bad",
    "<b>good</b> \U0001f600\u200d caf\u00e9",
    "good " + "\u05e9" * 300,
]


@pytest.mark.parametrize(
    ("scheme", "text"), [*(("light", text) for text in WIDE), ("dark", WIDE[2])]
)
def test_it_fits_a_narrow_screen(page, scheme, text):
    page.prefer(prefers_color_scheme=scheme)
    page.resize(PHONE, scale=2)
    enter(page, text)
    page.evaluate("document.getElementById('numbers').open = true")
    page.wait("document.querySelectorAll('#rows tr').length > 1")
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths == [360, 360]
    beyond = page.evaluate("""[...document.querySelectorAll("body *:not(.unseen, .unseen *)")]
        .filter((element) => !element.closest(".scroll table") && !element.matches(".skip"))
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert beyond == []
    high = """(selector) => Math.max(...[...document.querySelectorAll(selector)]
        .map((element) => element.getBoundingClientRect().height))"""
    # However long a word is, it takes one line over its column, and few of the sentence; and a
    # word is not broken into letters where there is room beside the numbers.
    assert page.evaluate(f"({high})('#map b, #rows tr:first-child th')") < 40
    assert page.evaluate(f"({high})('#gates-summary')") < 260
    targets = '"select, button:not([hidden]), fieldset label"'
    small = page.evaluate(f"""[...document.querySelectorAll({targets})]
        .filter((element) => element.getBoundingClientRect().height < 44)
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert small == []  # a finger's target


def test_the_bars_are_on_one_scale(page):
    """However long a label is, and there is room for bars beside it."""
    rectangles = """[...document.querySelectorAll(".bar")]
        .map((bar) => bar.getBoundingClientRect()).map(({ left, width }) => [left, width])"""
    before = page.evaluate(rectangles)
    assert len(before) == len(LABELS)
    for label in ("a label of several words", "w" * 200):
        page.evaluate(f"document.querySelector('#answer dt').textContent = '{label}'")
        given = page.evaluate(rectangles)
        assert given != before
        assert given == [given[0]] * len(LABELS)
        assert given[0][1] > 100
    page.evaluate("document.querySelector('#answer dt').textContent = 'no'")
    assert page.evaluate(rectangles) == before


def test_gates_of_an_older_text_are_marked_while_the_new_one_is_read(page):
    state = """["gates", "gates-summary"].map((id) => document.getElementById(id))
        .map((part) => [part.getAttribute("aria-busy"), getComputedStyle(part).opacity])"""
    enter(page, "good")
    assert page.evaluate(state) == [["false", "1"]] * 2
    page.evaluate("""(async () => {
        const { Stream } = await import("./src/stream.js");
        const { read } = Stream.prototype;
        Stream.prototype.read = async function (...given) {
            await new Promise((resume) => (window.resume = resume));
            return read.apply(this, given);
        };
    })()""")
    page.type(" film")
    page.wait("!!window.resume")
    assert [busy for busy, _ in page.evaluate(state)] == ["true", "true"]
    page.wait(f"({state}).every(([_, opacity]) => opacity === '0.6')")
    page.evaluate("window.resume()")
    settle(page)
    assert page.evaluate(state) == [["false", "1"]] * 2


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_system_and_can_be_read(page, scheme, dark):
    page.prefer(prefers_color_scheme=scheme)
    enter(page, "good zebra")
    texts = ["h1", "dt", ".quiet", "textarea", "button", "#answer .first", ".unknown"]
    for ink, paper, _, _ in colours(page, texts):
        assert contrast(ink, paper) >= 4.5, (ink, paper)
        assert (luminance(paper) < 0.1) == dark
    controls = ["select", "textarea", "#clear", "#again"]
    for _, inside, edge, outside in colours(page, controls):
        # What shows where a control is (WCAG 2.2, 1.4.11).
        assert contrast(edge, inside) >= 3, (edge, inside)
        assert contrast(edge, outside) >= 3, (edge, outside)


def colours(page, selectors: list[str]) -> list[list[str]]:
    """Return the first such elements' colours: text, what is behind it, border, and behind that."""
    return page.evaluate(f"""{json.dumps(selectors)}
        .map((selector) => document.querySelector(selector))
        .map((element) => {{
            const paper = (e) => getComputedStyle(e).backgroundColor;
            const clear = (e) => paper(e) === "rgba(0, 0, 0, 0)";
            const behind = (e) => (clear(e) ? behind(e.parentElement) : paper(e));
            const {{ color, borderBottomColor }} = getComputedStyle(element);
            return [color, behind(element), borderBottomColor, behind(element.parentElement)];
        }})""")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    """Return the relative luminance of "rgb(r, g, b)" (WCAG 2.2)."""
    channels = np.array(re.findall(r"\d+", color)[:3], float) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_words_from_right_to_left_are_shown_so(page):
    """Each in its own direction, in a sentence that keeps its own."""
    enter(page, "\u05e9\u05dc\u05d5\u05dd good")
    direction = "getComputedStyle(document.querySelector('{}')).direction"
    for selector, wanted in (
        ("#text", "rtl"),
        ("#map span:nth-child(2) b", "rtl"),
        ("#map span:nth-child(3) b", "ltr"),
        ("#gates-summary", "ltr"),
    ):
        assert page.evaluate(direction.format(selector)) == wanted, selector
    said = page.evaluate("document.getElementById('gates-summary').textContent")
    assert said.count("\u201c") == said.count("\u2068\u201c") == said.count("\u201d\u2069") >= 2


def test_the_heat_map_is_redrawn_in_the_other_colours(page):
    pixel = """[...document.querySelector("#map canvas").getContext("2d")
        .getImageData(0, 0, 1, 1).data].slice(0, 3)"""
    enter(page, "good")
    light = page.evaluate(pixel)
    page.prefer(prefers_color_scheme="dark")
    page.wait(f"JSON.stringify({pixel}) !== '{json.dumps(light, separators=(',', ':'))}'")


def test_nothing_moves_for_those_who_do_not_want_it(page):
    moving = "getComputedStyle(document.querySelector('.bar')).transitionDuration"
    assert page.evaluate(moving) == "0.15s"
    page.prefer(prefers_reduced_motion="reduce")
    assert page.evaluate(moving) == "0s"
