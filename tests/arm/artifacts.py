"""The zoo's TFLite files on x86 and on emulated ARM CPUs, compared."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gru_zoo.zoo import card, list_models, models_folder
from tests.arm import calls, emulator

WORKER = Path(__file__).with_name("worker.py")


def files() -> list[tuple[str, str, Path]]:
    """Return model, variant and path of every TFLite file in the zoo."""
    return [
        (name, export["variant"], models_folder() / name / export["file"])
        for name in list_models()
        for export in card(name).exports
        if export["file"].endswith(".tflite")
    ]


def compare() -> list[dict[str, Any]]:
    """Run everything everywhere.

    Returns:
        For each file, signature and output a record: model, variant, signature, output, numbers
        (how many are compared); for
        each CPU "from_x86", the largest difference from LiteRT on this machine; and, for an output
        whose right values are in the goldens, "from_keras". Differences of numbers above 1 are
        relative.

    Raises:
        RuntimeError: a machine failed; the message has what it said.
    """
    with tempfile.TemporaryDirectory() as workshop:
        pairs = [
            str(part)
            for model, variant, path in files()
            for part in (path, calls.write(model, variant, path, Path(workshop)))
        ]
        outputs = {name: Path(workshop) / f"{name}.npz" for name in ("x86", *emulator.CPUS)}
        command = [sys.executable, WORKER, outputs["x86"], *pairs]
        started = {
            "x86": subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        }
        for cpu in emulator.CPUS:
            started[cpu] = emulator.start(cpu, WORKER, outputs[cpu], *pairs)
        for name, process in started.items():
            said, _ = process.communicate()
            if process.returncode:
                raise RuntimeError(f"{name} ended with {process.returncode}: {said[-2000:]}")
        results = {name: dict(np.load(path)) for name, path in outputs.items()}
    return [record for file in files() for record in _records(file, results)]


def _records(file: tuple[str, str, Path], results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of one file."""
    model, variant, path = file
    with np.load(path.with_name("golden.npz"), allow_pickle=False) as archive:
        goldens = {name: archive[name] for name in archive.files if name != "texts"}
    records = []
    for key, x86 in results["x86"].items():
        if not key.startswith(f"{path}|"):
            continue
        _, signature, output = key.split("|")
        record = {"model": model, "variant": variant, "signature": signature, "output": output}
        record |= {"numbers": x86.size, "cpus": {}}
        right = goldens.get(output)
        for cpu in emulator.CPUS:
            arm = results[cpu][key]
            record["cpus"][cpu] = {"from_x86": difference(arm, x86)}
            if right is not None and right[: len(arm)].shape == arm[:, 0].shape:
                record["cpus"][cpu]["from_keras"] = difference(arm[:, 0], right[: len(arm)])
        records.append(record)
    return records


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference; of numbers above 1 the largest share. NaN counts as inf."""
    size = np.maximum(1, np.abs(theirs))
    return float(np.nan_to_num(np.abs(ours - theirs) / size, nan=np.inf).max())
