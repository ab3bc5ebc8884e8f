"""One step of a GRU under TensorFlow Lite Micro: size, smallest arena, and LiteRT's numbers.

    python -m benchmarks.microcontroller --write    needs the extra micro; also into README.md
    python -m benchmarks.microcontroller --report-only --write

keyword    (40) -> GRU(128) -> Dense(12, softmax), weights as drawn; random steps
activity   the preset activity_watch_gru_small, (6) -> GRU(64) -> 7; its golden windows
sentiment  the preset sentiment_imdb_gru_supervised, with embedding and pooling; its golden texts

Each variant runs as a stream in every interpreter, fed with its own states; and TFLM once more,
fed at each step with LiteRT's. The record goes to benchmarks/results/microcontroller.json;
differences of numbers above 1 are shares.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from benchmarks import records, timing
from benchmarks.micro_readme import BEGIN, END, table
from gru_zoo.arguments import positive_int
from gru_zoo.files import write_json
from gru_zoo.markdown import write_section
from recipes.shared import cli

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "microcontroller.json"


@dataclasses.dataclass(frozen=True)
class Config:
    """Run step models under TensorFlow Lite Micro, and beside it under LiteRT."""

    steps: int = 500
    """Of each stream."""
    report_only: bool = False
    """Measure nothing: report what the last run kept."""
    write: bool = False
    """Put the table into README.md too."""


def run(config: Config) -> None:
    """Measure and record; report."""
    positive_int("steps", config.steps)
    if not config.report_only:
        _measure(config.steps)
    made = table(records.read(RESULTS)["records"])
    if config.write:
        write_section(ROOT / "README.md", made, BEGIN, END)
    print(made)


def _measure(steps: int) -> None:
    from benchmarks.micro_steps import MODELS, VARIANTS, measure

    records = []
    for name in MODELS:
        for variant in VARIANTS:
            records.append(measure(name, variant, steps))
            print(table(records[-1:]).splitlines()[-1], flush=True)
    about = timing.machine(("tflite-micro", "ai-edge-litert", "tensorflow"))
    command = "python -m benchmarks.microcontroller"
    write_json(RESULTS, {"command": command, **about, "records": records})


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, run)}
    return cli.command("python -m benchmarks.microcontroller", commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
