"""The page for everybody: assistive technology, keyboard, narrow screens, colours, motion."""

import json
import re

import numpy as np
import pytest

from tests.demo.chromium import PHONE
from tests.demo.hands import choose, enter, settle
from tests.demo.small_zoo import BOTH_WAYS, FORWARDS

pytestmark = pytest.mark.slow


def test_what_assistive_technology_is_told(page):
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    told = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    }
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
    } <= told
    assert any(role == "status" for role, _ in told)
    assert not [role for role, name in told if role in ("radio", "textbox", "button") and not name]
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "text", ["good " * 30, "w" * 400, "<b>good</b> \U0001f600\u200d caf\u00e9"]
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
    small = page.evaluate("""[...document.querySelectorAll("select, button, fieldset label")]
        .filter((element) => element.getBoundingClientRect().height < 44)
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert small == []  # a finger's target


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_system_and_can_be_read(page, scheme, dark):
    page.prefer(prefers_color_scheme=scheme)
    enter(page, "good zebra")
    texts = ["h1", "dt", ".quiet", "textarea", "button", "#answer .first", ".unknown"]
    pairs = page.evaluate(f"""{json.dumps(texts)}
        .map((selector) => document.querySelector(selector))
        .map((element) => {{
            let behind = element;
            const paper = (e) => getComputedStyle(e).backgroundColor;
            while (paper(behind) === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
            return [getComputedStyle(element).color, paper(behind)];
        }})""")
    for ink, paper in pairs:
        lights = [luminance(ink), luminance(paper)]
        assert (max(lights) + 0.05) / (min(lights) + 0.05) >= 4.5, (ink, paper)
        assert (lights[1] < 0.1) == dark


def luminance(color: str) -> float:
    """Return the relative luminance of "rgb(r, g, b)" (WCAG 2.2)."""
    channels = np.array(re.findall(r"\d+", color)[:3], float) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


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
