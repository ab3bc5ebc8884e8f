"""What a user does on the page of classifiers, and reads there."""

from __future__ import annotations

import json

from tests.demo.chromium import Chromium


def choose(page: Chromium, name: str, variant: str) -> None:
    """Choose a model and a variant as a pointer does, and wait for the answer."""
    page.wait("!document.getElementById('preset').disabled")
    page.evaluate(f"""(() => {{
        const preset = document.getElementById("preset");
        preset.value = {json.dumps(name)};
        preset.dispatchEvent(new Event("input", {{ bubbles: true }}));
        document.querySelector("input[value={variant}]").click();
    }})()""")
    page.wait(f"document.getElementById('size').textContent.endsWith({json.dumps(variant)})")
    settle(page)


def settle(page: Chromium) -> None:
    """Wait until what is shown belongs to what is typed."""
    page.wait("document.getElementById('form').dataset.state === 'done'")


def enter(page: Chromium, text: str) -> None:
    """Put `text` in the place of what is typed."""
    page.evaluate("document.getElementById('text').focus()")
    page.evaluate("document.getElementById('text').select()")
    page.type(text) if text else page.press("Backspace", 8)
    settle(page)


def shown(page: Chromium) -> list[float]:
    """Return the probabilities on the page."""
    rows = "[...document.querySelectorAll('#answer div')]"
    return page.evaluate(f"{rows}.map((row) => Number(row.dataset.probability))")


def told(page: Chromium) -> set[tuple[str, str]]:
    """Return role and name of all that assistive technology is told of."""
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    return {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    }
