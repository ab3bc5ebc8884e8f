"""A recipe as a user runs it: a subprocess; one that is killed and resumed; one without a process.

To begin a process and import TensorFlow takes five seconds of processor, more than what most tests
ask of a recipe. So each recipe's own run is a process, and what is then done with it is not.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.plugins import quick_xla

ROOT = Path(__file__).resolve().parents[2]

_DIE_AFTER_FIRST_CHECKPOINT = """
import os, signal
from gru_zoo.training.runs import RunFolder
save = RunFolder.save_checkpoint
def save_and_die(self, arrays):
    save(self, arrays)
    os.kill(os.getpid(), signal.SIGKILL)
RunFolder.save_checkpoint = save_and_die
"""
_RUN = """
import sys
from recipes import {name}
sys.exit({name}.main())
"""


def recipe(
    name: str, place: Path, *arguments: str, code: str | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `python -m recipes.<name> ...`, or `code` with the same arguments, in `place`.

    It is meant for smoke sizes: XLA makes it no quick program.
    """
    environment = {"XLA_FLAGS": quick_xla.FLAGS, **os.environ, "PYTHONWARNINGS": ""}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{place}"
    environment.pop("TFDS_DATA_DIR", None)
    program = ["-c", code] if code else ["-m", f"recipes.{name}"]
    command = [sys.executable, *program, *arguments]
    return subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, **options
    )


def recipe_here(
    name: str, place: Path, *arguments: str, input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Do what `recipe` does in the tests' own process; seeds are set, determinism is not.

    For the latter see `only_seeds` in `conftest.py`; fixtures of modules run before it.
    """
    module = importlib.import_module(f"recipes.{name}")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.syspath_prepend(place)
        patch.delenv("TFDS_DATA_DIR", raising=False)
        patch.setattr("gru_zoo.training.fitting.seed_everything", keras.utils.set_random_seed)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = module.main(list(arguments))
    return subprocess.CompletedProcess([name, *arguments], code, out.getvalue(), err.getvalue())


def prepared(name: str, first: str) -> str:
    """Return code that runs a recipe after some lines, such as those that give it small data."""
    return first + _RUN.format(name=name)


def kill_and_resume(name: str, place: Path, *arguments: str, first: str = "") -> str:
    """Kill -9 a training run after its first checkpoint, resume it; return what it then printed.

    `first` is as for `prepared`.
    """
    code = prepared(name, _DIE_AFTER_FIRST_CHECKPOINT + first)
    killed = recipe(name, place, *arguments, code=code)
    assert killed.returncode == -9, killed.stderr
    run = place / "runs" / name / arguments[arguments.index("--name") + 1]
    assert len((run / "history.csv").read_text().splitlines()) == 2
    assert not (run / "model.keras").exists()
    resumed = recipe(name, place, *arguments, "--resume", code=prepared(name, first))
    assert resumed.returncode == 0, resumed.stderr
    return resumed.stdout


def evaluated_with_a_worse_epoch(
    run: Path, copy: Path, evaluate: Callable[[Path], object], worse: dict[str, float]
) -> None:
    """Evaluate a copy of a run again, its history longer by a slow and bad epoch; fail if wrong.

    All is as before but for the time: what is kept of the figures is the best epoch's. In the copy
    its validation figures are a tenth lower, which no other split's are.

    Args:
        run: of a recipe, finished.
        copy: where to put the copy.
        evaluate: what is done with it.
        worse: the bad epoch's values; with none, no figure of the history is kept.
    """
    before = json.loads((run / "metrics.json").read_text())
    rows = _history(run)
    assert before["train_seconds"] == pytest.approx(sum(_seconds(rows)))
    kept = {f"validation_{key[4:]}": key for key in worse if f"validation_{key[4:]}" in before}
    for figure, key in kept.items():
        values = [float(row[key]) for row in rows]
        assert before[figure] == pytest.approx((min if worse[key] else max)(values), rel=1e-6)
        rows = [{**row, key: str(0.9 * float(row[key]))} for row in rows]
    assert bool(kept) == bool(worse)
    shutil.copytree(run, copy)
    (copy / "metrics.json").unlink()
    rows.append({**rows[-1], "seconds": "1000", **{key: str(worse[key]) for key in worse}})
    with open(copy / "history.csv", "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    evaluate(copy)
    assert json.loads((copy / "metrics.json").read_text()) == {
        **before,
        **{figure: pytest.approx(0.9 * before[figure]) for figure in kept},
        "epochs": before["epochs"] + 1,
        "train_seconds": pytest.approx(sum(_seconds(rows))),
        "seconds_per_epoch": pytest.approx(statistics.median(_seconds(rows))),
    }


def _history(run: Path) -> list[dict[str, str]]:
    with open(run / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def _seconds(rows: list[dict[str, str]]) -> list[float]:
    return [float(row["seconds"]) for row in rows]


def check_same_weights(run: Path, other: Path) -> None:
    """Fail unless two runs' checkpoints hold the same arrays."""
    expected, got = _weights(other), _weights(run)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def _weights(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoint.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "history"}
