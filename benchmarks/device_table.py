"""One table of models, variants and runtimes: python -m benchmarks.device_table [--write]

Reads the cards of saved_models/ (LiteRT on x86, MediaPipe's file too) and benchmarks/results/
arm.json, browser.json, integer_streaming.json and microcontroller.json; measures nothing itself.
With --write the whole table goes to benchmarks/results/devices.md, and the rows of one preset and
of the step models into README.md.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.micro_readme import off_litert
from gru_zoo.artifacts.latency import latency
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.files import atomic_write
from gru_zoo.markdown import table, write_section
from recipes.shared import cli

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WHOLE = RESULTS / "devices.md"
HEADINGS = (
    "model",
    "variant",
    "runtime",
    "size",
    "latency",
    "max. abs. difference (vs Keras unless noted)",
    "test score",
)
# The README's rows: those of this preset, and those of models that are no presets.
SHOWN = "sentiment_imdb_gru_small"
BEGIN = "<!-- devices: made by `python -m benchmarks.device_table --write` -->"
END = "<!-- end of devices -->"
Row = tuple[str, ...]


def rows() -> Iterator[Row]:
    """Yield the rows of the table, a cell per heading; a dash where nothing is to be said."""
    for path in sorted(ROOT.glob("saved_models/*/card.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        yield from _exported(card)
        sizes = {_variant(export): export["bytes"] for export in card["exports"]}
        yield from _in_browser(card, sizes)
        yield from _emulated(card["name"], sizes)
    yield from _steps()
    for record in _records("microcontroller.json"):
        runtime = f"TFLM, arena {record['arena_bytes']:,} bytes" if "arena_bytes" in record else ""
        difference = "–"
        if runtime:
            difference = f"{off_litert(record, 'own_states'):.1e} (vs LiteRT)"
        yield (
            *(f"{record['model']} step", record["variant"], runtime or "TFLM: does not run"),
            *(_kilobytes(record["file_bytes"]), "–", difference, "–"),
        )


def _in_browser(card: dict[str, Any], sizes: dict[str, int]) -> Iterator[Row]:
    """Yield what the pages' own modules answer on a whole test split."""
    for record in _records("browser.json", card["name"]):
        variant = record["variant"]
        files = [name for name in sizes if name.split()[-1] == variant]
        if "same_as_keras" in record:
            difference = f"{100 * record['same_as_keras']:.1f} % of the texts are the same"
            time = f"{record['ms']:.2f} ms per sentence"
        else:
            difference = f"{record['from_keras']:.1e}"
            time = latency({"file": variant, "latency_ms": record["ms"]}, card["task"])
        yield (
            *(card["name"], variant, "LiteRT.js in Chromium"),
            *(_kilobytes(sum(sizes[name] for name in files)), time),
            *(difference, METRICS[card["metric"]].show(record["score"])),
        )


def _exported(card: dict[str, Any]) -> Iterator[Row]:
    runtimes = {
        "saved_model": "TensorFlow",
        "mediapipe": "LiteRT and MediaPipe",
        "onnx": "ONNX Runtime",
    }
    for export in card["exports"]:
        metric = export["metric"]
        partly = f" ({export['scored_on']})" if "scored_on" in export else ""
        yield (
            *(card["name"], _variant(export)),
            *(runtimes.get(export["variant"], "LiteRT, x86"), _kilobytes(export["bytes"])),
            latency(export, card["task"]) or "–",
            f"{export['largest_difference']:.1e}",
            "–" if metric is None else METRICS[card["metric"]].show(metric) + partly,
        )


def _variant(export: dict[str, Any]) -> str:
    """Return a file's variant, after its part where the model is in two files."""
    first = export["file"].split("_")[0]
    part = f"{first} " if first in ("encoder", "decoder") else ""
    return f"{part}{export['variant']}"


def _emulated(model: str, sizes: dict[str, int]) -> Iterator[Row]:
    """Yield a row per variant and signature: the largest difference of any of its outputs.

    Args:
        model: its name.
        sizes: bytes by variant; a translator's by part too, which its signatures are named as.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in _records("arm.json", model):
        groups.setdefault((record["variant"], record["signature"]), []).append(record["cpus"])
    for (variant, signature), found in groups.items():
        worst = [max(one[cpu]["from_x86"] for one in found) for cpu in found[0]]
        part = f"{signature} {variant}"
        name = part if part in sizes else variant
        yield (
            *(model, name, f"LiteRT on {' / '.join(found[0])}, {signature}"),
            *(_kilobytes(sizes[name]), "–"),
            *(f"{' / '.join(f'{one:.1e}' for one in worst)} (vs x86)", "–"),
        )


def _steps() -> Iterator[Row]:
    """Yield what integer-only streams reach, step by step."""
    path = RESULTS / "integer_streaming.json"
    if not path.exists():
        return
    for name, figures in json.loads(path.read_text(encoding="utf-8"))["variants"].items():
        yield (
            *("sentiment step", name, "LiteRT, x86, word by word"),
            *(_kilobytes(figures["bytes"]), "–", "–"),
            METRICS["accuracy"].show(figures["reviews"]["accuracy"]),
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


def write(made: list[Row]) -> None:
    """Write the whole table, and its part in the README."""
    with atomic_write(WHOLE) as partial:
        text = f"# Models, variants and runtimes\n\n{table(HEADINGS, made)}\n"
        partial.write_text(text, encoding="utf-8")
    part = [row for row in made if row[0] == SHOWN or row[0].endswith(" step")]
    write_section(ROOT / "README.md", table(HEADINGS, part), BEGIN, END)


@dataclasses.dataclass(frozen=True)
class Config:
    """One table of models, variants and runtimes, of what was measured before."""

    write: bool = False
    """Into devices.md and README.md, instead of on the screen."""


def show(config: Config) -> None:
    """Print the table as Markdown, or write it."""
    made = list(rows())
    if config.write:
        write(made)
    else:
        print(table(HEADINGS, made))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    commands = {"show": (Config, show)}
    return cli.command("python -m benchmarks.device_table", commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
