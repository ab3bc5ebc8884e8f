"""The zoo's TFLite files on emulated ARM CPUs, into benchmarks/results/arm.json.

python -m tests.arm --set-up        once: make the machine (emulator.py says what it needs)
python -m tests.arm                 run and record
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.timing import machine
from gru_zoo.files import write_json
from tests.arm import artifacts, emulator

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "arm.json"


def main() -> None:
    """Set up, or run and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set-up", action="store_true", help="make the machine, and stop")
    if parser.parse_args().set_up:
        emulator.set_up()
        print(f"the machine is in {emulator.folder()}")
        return
    if reason := emulator.why_not():
        raise SystemExit(reason)
    began = time.perf_counter()
    records = artifacts.compare()
    seconds = time.perf_counter() - began
    write_json(
        RESULTS,
        {
            "command": "python -m tests.arm",
            "seconds": round(seconds, 1),
            **machine(("ai-edge-litert", "numpy")),
            "records": records,
        },
    )
    for record in records:
        differences = "  ".join(
            f"{cpu} {' '.join(f'{kind} {d:.1e}' for kind, d in found.items())}"
            for cpu, found in record["cpus"].items()
        )
        names = (record[key] for key in ("model", "variant", "signature", "output"))
        print(" ".join(names), differences, sep="  ")
    print(f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
