"""The files of a device, written into a folder one by one, each compared with the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_zoo.files import size_of, write_beside


def write_parts(out: Path, parts: Mapping[str, Any], one: str) -> None:
    """Write an artifact's files and assets, and print a line for each file.

    Args:
        out: folder they go to.
        parts: "files", "compare" and "assets", as for `gru_zoo.artifacts.folder.publish`; files
            are scored by accuracy.
        one: what the latency is of, such as "a sentence".

    Raises:
        check.Refused: a file does not do what the model does; it is not left there.
    """
    for name, write in parts["files"].items():
        with write_beside(out / name) as partial:
            write(partial)
            record = parts["compare"](partial, name)
        print(
            f"{out / name}: {size_of(out / name) / 1e3:,.0f} KB, "
            f"accuracy {100 * record['metric']:.2f} %, "
            f"largest difference {record['largest_difference']:.1e}, "
            f"{record['latency_ms']:.2f} ms {one}"
        )
    for name, content in parts["assets"].items():
        with write_beside(out / "assets" / name) as partial:
            partial.write_bytes(content)
