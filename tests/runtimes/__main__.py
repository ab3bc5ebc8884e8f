"""Every variant in older releases of the runtime, into benchmarks/results/runtimes.json.

python -m tests.runtimes --set-up           once: the small releases; --large for TensorFlow's too
python -m tests.runtimes                    run, record, and put the table into docs/export.md
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from gru_zoo.files import write_json
from tests.runtimes import releases

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "runtimes.json"
BEGIN = "<!-- runtimes: made by `python -m tests.runtimes` -->"
END = "<!-- end of runtimes -->"


def main() -> None:
    """Set up, or run and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set-up", action="store_true", help="make the environments, and stop")
    parser.add_argument("--large", action="store_true", help="TensorFlow's releases too")
    arguments = parser.parse_args()
    if arguments.set_up:
        releases.set_up(arguments.large)
        print(f"in {releases.folder()}: {', '.join(releases.there())}")
        return
    names = releases.there()
    if not names:
        raise SystemExit(f"nothing in {releases.folder()}: python -m tests.runtimes --set-up")
    record(names)


def record(names: list[str]) -> None:
    """Run every variant in these releases."""
    # Setting up needs none of the packages that these need.
    from benchmarks.timing import machine
    from gru_zoo import markdown
    from tests.runtimes import compare, files

    with tempfile.TemporaryDirectory() as workshop:
        records = compare.compare(files.make(Path(workshop)), names)
    packages = {**releases.SMALL, **releases.LARGE}
    write_json(
        RESULTS,
        {
            "command": "python -m tests.runtimes",
            **machine(("ai-edge-litert", "tensorflow", "ai-edge-quantizer", "numpy")),
            "packages": {name: packages[name] for name in names},
            "records": records,
        },
    )
    made = markdown.table(*compare.table(records))
    markdown.write_section(ROOT / "docs/export.md", made, BEGIN, END)
    print(made)


if __name__ == "__main__":
    main()
