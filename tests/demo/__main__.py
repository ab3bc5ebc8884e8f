"""The sentiment preset's files in headless Chromium, on IMDB's test half: python -m tests.demo

What the page's own modules answer, tokenizer included, compared with Keras; the record goes to
benchmarks/results/browser.json. Needs what tests/demo needs, and prepared reviews (TFDS_DATA_DIR).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import machine
from gru_zoo import demo, load
from gru_zoo.data import imdb
from gru_zoo.files import write_json
from tests.demo.chromium import Chromium
from tests.demo.conftest import running, why_not

NAME = "sentiment_imdb_gru_small"
ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "browser.json"
PIECE = 500  # texts handed over at once

OPEN = """(async () => {{
    const {{ Classifier }} = await import("./src/classifier.js");
    const presets = await (await fetch("models/presets.json")).json();
    const {{ files }} = presets.find(({{ name }}) => name === "{name}");
    const file = files.find(({{ variant }}) => variant === "{variant}");
    window.opened?.delete();
    window.opened = await Classifier.open(file, new URL("models/", location.href));
}})()"""
RUN = """(async () => {{
    const rows = [];
    for (const text of {texts}) {{
        const {{ ids }} = window.opened.tokenizer.encode(text);
        const {{ probabilities, milliseconds }} = await window.opened.classify(ids);
        rows.push([milliseconds, ...probabilities]);
    }}
    return rows;
}})()"""


def measure(chromium: Chromium, variant: str, texts: list[str]) -> np.ndarray:
    """Return milliseconds and probabilities for each text, [texts, 1 + labels]."""
    chromium.evaluate(OPEN.format(name=NAME, variant=variant))
    rows = []
    for start in range(0, len(texts), PIECE):
        rows += chromium.evaluate(RUN.format(texts=json.dumps(texts[start : start + PIECE])))
        print(f"\r{variant}: {len(rows):,} of {len(texts):,}", end="", flush=True)
    print()
    return np.array(rows)


def main() -> None:
    """Measure every file that the page offers, and write the record."""
    argparse.ArgumentParser("python -m tests.demo", description=__doc__).parse_args()
    if reason := why_not():
        sys.exit(f"error: {reason}")
    test = list(imdb.load("test", "tfds")[0].as_numpy_iterator())
    texts = [row["text"].decode(errors="replace") for row in test]
    labels = np.array([row["label"] for row in test])
    wanted = load(NAME).predict(texts, batch_size=256, verbose=0)
    records = []
    with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile)) as browser:
        with running(demo.Server(0)) as server:
            browser.open(server.address)
            version = browser.evaluate("navigator.userAgent")
            presets = browser.evaluate("fetch('models/presets.json').then((r) => r.json())")
            (files,) = (preset["files"] for preset in presets if preset["name"] == NAME)
            for variant in (file["variant"] for file in files):
                rows = measure(browser, variant, texts)
                records.append(
                    {
                        "model": NAME,
                        "variant": variant,
                        "texts": len(texts),
                        "from_keras": float(np.abs(rows[:, 1:] - wanted).max()),
                        "accuracy": float((rows[:, 1:].argmax(axis=1) == labels).mean()),
                        "ms": statistics.median(rows[:, 0]),
                    }
                )
    record = {"command": "python -m tests.demo", "browser": version, **machine(("gru-zoo",))}
    package = ROOT / "demo" / "node_modules" / "@litertjs" / "core" / "package.json"
    record["versions"]["@litertjs/core"] = json.loads(package.read_text())["version"]
    write_json(RESULTS, {**record, "records": records})


if __name__ == "__main__":
    main()
