"""The Swift compiler that README's class is compiled with.

python -m tests.swift --set-up        once (toolchain.py says what it needs)
"""

from __future__ import annotations

import argparse

from tests.swift import toolchain


def main() -> None:
    """Set up, or say what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set-up", action="store_true", help="download it, and stop")
    if parser.parse_args().set_up:
        toolchain.set_up()
    if reason := toolchain.why_not():
        raise SystemExit(reason)
    print(f"{(toolchain.folder() / 'version').read_text().strip()} in {toolchain.folder()}")


if __name__ == "__main__":
    main()
