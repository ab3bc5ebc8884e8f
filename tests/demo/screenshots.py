"""Screenshots of the page with the zoo's model: python -m tests.demo.screenshots."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from gru_zoo import demo
from tests.demo.chromium import DESKTOP, PHONE, Chromium
from tests.demo.conftest import running, why_not

TEXT = "I expected to be bored, but it is a quiet, wonderful film with superb actors."
# name -> size of the screen in CSS pixels, pixels for each, colour scheme
PICTURES = {"phone": (PHONE, 2, "light"), "desktop": (DESKTOP, 1, "dark")}


def take(chromium: Chromium, address: str, folder: Path) -> None:
    """Save a picture of the whole page for each of `PICTURES`."""
    for name, (size, scale, scheme) in PICTURES.items():
        chromium.resize(size, scale)
        chromium.prefer(prefers_color_scheme=scheme)
        chromium.open(address)
        settled = "document.getElementById('form').dataset.state === 'done'"
        chromium.wait(settled)
        for _ in range(25):  # runs that the latency shown is the median of
            chromium.evaluate("document.getElementById('text').focus()")
            chromium.evaluate("document.getElementById('text').select()")
            chromium.type(TEXT)
            chromium.wait(settled)
        chromium.evaluate("document.activeElement.blur()")
        chromium.screenshot(folder / f"{name}.png")


if __name__ == "__main__":
    if why_not():
        sys.exit(f"error: {why_not()}")
    with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile)) as browser:
        with running(demo.Server(0)) as server:
            take(browser, server.address, demo.PAGE / "screenshots")
