"""Presets' files in headless Chromium, on whole test splits: python -m tests.demo

The sentiment preset and every translator, asked through the pages' own modules and compared with
Keras; the record goes to benchmarks/results/browser.json. Needs what tests/demo needs, prepared
reviews (TFDS_DATA_DIR), and the translators' sentences.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import machine
from gru_zoo import demo
from gru_zoo.files import write_json
from tests.demo.chromium import Chromium
from tests.demo.conftest import running, why_not
from tests.demo.measured import classifier_records, translator_records

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "browser.json"


def main() -> None:
    """Measure every file that the pages offer of these models, and write the record."""
    argparse.ArgumentParser(
        "python -m tests.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    if reason := why_not():
        sys.exit(f"error: {reason}")
    with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile)) as browser:
        with running(demo.Server(0)) as server:
            browser.open(f"{server.address}translate.html")
            version = browser.evaluate("navigator.userAgent")
            records = [*classifier_records(browser), *translator_records(browser)]
    record = {"command": "python -m tests.demo", "browser": version, **machine(("gru-zoo",))}
    package = ROOT / "demo" / "node_modules" / "@litertjs" / "core" / "package.json"
    record["versions"]["@litertjs/core"] = json.loads(package.read_text())["version"]
    write_json(RESULTS, {**record, "records": records})


if __name__ == "__main__":
    main()
