"""Device files written into a user's folder one by one, each checked against the model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gru_zoo.files import atomic_write, size_of


def require_new(out: Path, names: Iterable[str], overwrite: bool) -> None:
    """Raise FileExistsError if a folder holds some of these files, and is not to be changed."""
    there = [name for name in names if (out / name).exists()]
    if there and not overwrite:
        raise FileExistsError(
            f"out must not contain {' or '.join(there)} without --overwrite; {out} does."
        )


def write_checked(out: Path, files: Mapping[str, Callable[[Path], Any]], overwrite: bool) -> None:
    """Write files whose writers compare them with the model, and print a line for each.

    Args:
        out: folder they go to.
        files: name -> what writes it to the path it is given.
        overwrite: whether files that are there are replaced.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    require_new(out, files, overwrite)
    for name, write in files.items():
        with atomic_write(out / name) as partial:
            write(partial)
        print(f"{out / name}: {size_of(out / name) / 1e3:,.0f} KB")


def write_compared(
    out: Path,
    files: Mapping[str, Callable[[Path], Any]],
    compare: Callable[[Path, str], Mapping[str, Any]],
    shown: Callable[[Mapping[str, Any]], str],
    overwrite: bool,
) -> None:
    """Write files that belong together, compare each with the others beside it, print a line each.

    Args:
        out: folder they go to.
        files: name -> what writes it to the path it is given.
        compare: as for `gru_zoo.artifacts.folder.publish`.
        shown: what is printed of its record.
        overwrite: whether files that are there are replaced.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; none of them is left there.
    """
    require_new(out, files, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=out) as folder:
        made = Path(folder)
        for name, write in files.items():
            write(made / name)
        records = {name: compare(made / name, name) for name in files}
        for name, record in records.items():
            with atomic_write(out / name) as partial:
                (made / name).rename(partial)
            print(f"{out / name}: {size_of(out / name) / 1e3:,.0f} KB, {shown(record)}")


def write_scored(out: Path, parts: Mapping[str, Any], one: str, overwrite: bool) -> None:
    """Write an artifact's files and assets; compare, score and time each file, and print a line.

    Args:
        out: folder they go to.
        parts: "files", "compare" and "assets", as for `gru_zoo.artifacts.folder.publish`; files
            are scored by accuracy.
        one: what the latency is of, such as "sentence".
        overwrite: whether files that are there are replaced.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    require_new(out, [*parts["files"], *(f"assets/{name}" for name in parts["assets"])], overwrite)
    for name, write in parts["files"].items():
        with atomic_write(out / name) as partial:
            write(partial)
            record = parts["compare"](partial, name)
        print(
            f"{out / name}: {size_of(out / name) / 1e3:,.0f} KB, "
            f"accuracy {100 * record['metric']:.2f} %, "
            f"max. abs. difference {record['largest_difference']:.1e}, "
            f"{record['latency_ms']:.2f} ms per {one}"
        )
    for name, content in parts["assets"].items():
        with atomic_write(out / "assets" / name) as partial:
            partial.write_bytes(content)
