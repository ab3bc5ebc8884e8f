"""Screenshots of the pages with the zoo's models: python -m tests.demo.screenshots."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from gru_zoo import demo
from tests.demo.chromium import DESKTOP, PHONE, Chromium
from tests.demo.conftest import running, why_not
from tests.demo.hands import choose, enter

REVIEW = "I expected to be bored, but it is a quiet, wonderful film with superb actors."
FRENCH = "Où est la gare la plus proche ? J'ai perdu mon billet, et le train part dans dix minutes."


class Picture(NamedTuple):
    """What is on a picture.

    Attributes:
        page: its address on the server.
        model: that is chosen, with its 8-bit weights.
        text: that is typed.
        size: of the screen in CSS pixels.
        scale: pixels of the picture for each.
        scheme: of colours.
    """

    page: str
    model: str
    text: str
    size: tuple[int, int]
    scale: int
    scheme: str


_SENTIMENT, _FRENCH = "sentiment_imdb_gru_small", "translation_tatoeba_fr_en_gru_small"
PICTURES = {
    "phone": Picture("", _SENTIMENT, REVIEW, PHONE, 2, "light"),
    "desktop": Picture("", _SENTIMENT, REVIEW, DESKTOP, 1, "dark"),
    "translation": Picture("translate.html", _FRENCH, FRENCH, PHONE, 2, "light"),
}


def take(chromium: Chromium, address: str, picture: Picture, path: Path) -> None:
    """Save a picture of a whole page."""
    chromium.resize(picture.size, picture.scale)
    chromium.prefer(prefers_color_scheme=picture.scheme)
    chromium.open(f"{address}{picture.page}")
    choose(chromium, picture.model, "int8")
    for _ in range(25):  # runs that the latency shown is the median of
        enter(chromium, "")  # what is translated already is not translated again
        enter(chromium, picture.text)
    chromium.evaluate("document.activeElement.blur()")
    chromium.screenshot(path)


if __name__ == "__main__":
    if why_not():
        sys.exit(f"error: {why_not()}")
    with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile)) as browser:
        with running(demo.Server(0)) as server:
            for name, picture in PICTURES.items():
                path = demo.PAGE / "screenshots" / f"{name}.png"
                take(browser, server.address, picture, path)
