"""One table of models, variants and runtimes: python -m benchmarks.device_table

Reads the cards of saved_models/ (LiteRT on x86, MediaPipe's file too) and benchmarks/results/
arm.json, browser.json, integer_streaming.json and microcontroller.json; measures nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
HEADINGS = ("model", "variant", "runtime", "size", "one text", "largest difference", "test split")


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table, a cell each heading; a dash where nothing is to be said."""
    for path in sorted(ROOT.glob("saved_models/*/card.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        sizes = {export["variant"]: export["bytes"] for export in card["exports"]}
        yield from _exported(card)
        for record in _records("browser.json", card["name"]):
            yield (
                *(card["name"], record["variant"], "LiteRT.js in Chromium"),
                *(_kilobytes(sizes[record["variant"]]), f"{record['ms']:.2f} ms"),
                *(f"{record['from_keras']:.1e}", _percent(record["accuracy"])),
            )
        for record in _records("arm.json", card["name"]):
            if record["output"] != "probabilities":
                continue
            names = " / ".join(record["cpus"])
            found = " / ".join(f"{one['from_x86']:.1e}" for one in record["cpus"].values())
            yield (
                *(card["name"], record["variant"], f"LiteRT on {names}, {record['signature']}"),
                *(_kilobytes(sizes[record["variant"]]), "–", f"{found} (from x86)", "–"),
            )
    yield from _steps()
    for record in _records("microcontroller.json"):
        runtime = f"TFLM, arena {record['arena_bytes']:,} bytes" if "arena_bytes" in record else ""
        difference = "–"
        if runtime:
            largest = max(record["from_litert"]["own_states"].values())
            difference = f"{largest:.1e} (from LiteRT)"
        yield (
            *(f"{record['model']} step", record["variant"], runtime or "TFLM: does not run"),
            *(_kilobytes(record["file_bytes"]), "–", difference, "–"),
        )


def _exported(card: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    runtimes = {"saved_model": "TensorFlow", "mediapipe": "LiteRT and MediaPipe"}
    for export in card["exports"]:
        yield (
            *(card["name"], export["variant"], runtimes.get(export["variant"], "LiteRT, x86")),
            *(_kilobytes(export["bytes"]), f"{export['latency_ms']:.2f} ms"),
            *(f"{export['largest_difference']:.1e}", _percent(export["metric"])),
        )


def _steps() -> Iterator[tuple[str, ...]]:
    """Yield what streams in integers reach, step by step."""
    path = RESULTS / "integer_streaming.json"
    if not path.exists():
        return
    for name, figures in json.loads(path.read_text(encoding="utf-8"))["variants"].items():
        yield (
            *("sentiment step", name, "LiteRT, x86, word by word"),
            *(_kilobytes(figures["bytes"]), "–", "–", _percent(figures["reviews"]["accuracy"])),
        )


def _records(file: str, model: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a result file, [] if it was not made yet."""
    path = RESULTS / file
    if not path.exists():
        return []
    records = json.loads(path.read_text(encoding="utf-8"))["records"]
    return [record for record in records if model is None or record["model"] == model]


def _kilobytes(size: int) -> str:
    return f"{size / 1e3:,.0f} KB"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def main() -> None:
    """Print the table as Markdown."""
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---" * len(HEADINGS) + "|")
    for row in rows():
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
