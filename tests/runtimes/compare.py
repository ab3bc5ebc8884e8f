"""Files in older releases of the runtime, compared with the release that is installed here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.arm.artifacts import difference
from tests.runtimes import releases
from tests.runtimes.files import Made


def compare(files: Iterable[Made], names: Iterable[str]) -> list[dict[str, Any]]:
    """Run every file in every release.

    Returns:
        For each file a record: model, variant, min_runtime; for each release "difference", the
        largest of any output but states from today's release, or "refused", the release's own
        words.
    """
    records = []
    with tempfile.TemporaryDirectory() as workshop:
        today, older = Path(workshop) / "today.npz", Path(workshop) / "older.npz"
        for file in files:
            if refused := releases.run(None, file.path, file.goldens, today):
                raise RuntimeError(f"{file.path} must run here; it says: {refused}")
            wanted = _numbers(today)
            record = {"model": file.model, "variant": file.variant}
            record |= {"min_runtime": file.min_runtime, "releases": {}}
            for release in names:
                refused = releases.run(release, file.path, file.goldens, older)
                found = {} if refused else _numbers(older)
                record["releases"][release] = (
                    {"refused": refused}
                    if refused
                    else {"difference": max(difference(found[k], wanted[k]) for k in wanted)}
                )
            records.append(record)
    return records


def _numbers(path: Path) -> dict[str, np.ndarray]:
    """Return what the worker wrote, but for states: those in integers are in units of their own."""
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files if "|state_" not in key}


def table(records: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows: variants by releases, the worse of both models."""
    names = list(records[0]["releases"])
    rows = []
    for variant in dict.fromkeys(record["variant"] for record in records):
        mine = [record for record in records if record["variant"] == variant]
        cells = [f"`{variant}`", mine[0]["min_runtime"]]
        for name in names:
            found = [record["releases"][name] for record in mine]
            refused = any("refused" in one for one in found)
            cells.append("no" if refused else f"{max(one['difference'] for one in found):.0e}")
        rows.append(cells)
    return ["variant", "declared minimum", *names], rows
