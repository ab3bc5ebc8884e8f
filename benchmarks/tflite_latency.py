"""How fast is a GRU on a device's runtime? LiteRT on one thread of this machine's CPU.

    python -m benchmarks.tflite_latency --prepare-only      # make the files, minutes
    python -m benchmarks.tflite_latency --write             # measure, a minute; into README.md

The sentiment preset (400 words) and a keyword model, (49, 40) -> GRU(128) -> 12. They take turns
in one process: our files, the export of Keras' own layer, and ONNX Runtime with its fused GRU
operator on the same weights (the baseline; float32). A speedup is the median over the rounds of
theirs / ours. What Python adds to a call is left out on both sides, for a device has no
Python: inputs and outputs are bound before. Needs the extra `bench`.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import latency_readme, records, timing
from gru_zoo.arguments import positive_int
from gru_zoo.files import write_json
from gru_zoo.markdown import write_section
from recipes.shared import cli

ROOT = Path(__file__).parents[1]

MODELS = ("sentiment", "keyword")
LENGTHS = (125, 250, 500, 1000, 2000)
PACKAGES = ("gru-zoo", "tensorflow", "keras", "ai-edge-litert", "onnxruntime", "numpy")
# How a call is timed; records of another way do not compare.
CALLS = "inputs and outputs bound"
# A step is too short for the clock: so many are timed together.
STEPS_TOGETHER = 50


@dataclasses.dataclass(frozen=True)
class Config:
    """Time TFLite files of GRU models."""

    runs: int = 200
    """Rounds; a figure is the median over them."""
    long_runs: int = 15
    """Rounds of the lengths up to 2,000."""
    files: Path = Path("runs/tflite_latency")
    results: Path = Path("benchmarks/results/tflite_latency.json")
    prepare_only: bool = False
    """Make the files and measure nothing."""
    write: bool = False
    """Put the tables into README.md too."""
    report_only: bool = False
    """Measure nothing: report what the last run kept."""
    memory_of: str = ""
    """Of no use by hand: print the bytes that opening and running this file takes."""


def measure(config: Config) -> None:
    """Make the files, time them, and report."""
    positive_int("runs", config.runs)
    positive_int("long_runs", config.long_runs)
    if config.memory_of:
        print(_memory(Path(config.memory_of)))
        return
    if not config.report_only:
        from benchmarks import tflite_files

        tflite_files.make(config.files)
        if config.prepare_only:
            return
        write_json(config.results, _measured(config) | {"others": _others(config.results)})
    made = latency_readme.section(records.read(config.results))
    if config.write:
        write_section(ROOT / "README.md", made, latency_readme.BEGIN, latency_readme.END)
    print(made)


def _measured(config: Config) -> dict[str, Any]:
    from benchmarks import tflite_files

    rounds = {"runs": config.runs, "long_runs": config.long_runs}
    record = timing.machine(PACKAGES) | {"calls": CALLS, **rounds, "models": {}}
    for name in MODELS:
        record["models"][name] = _model(name, config, tflite_files.inputs(name))
    record["step"] = _step(config)
    record["all_steps"] = _lengths(config)
    return record


def _others(path: Path) -> list[dict[str, Any]]:
    """Return what was measured on other processors in the same way, the newest first."""
    if not path.exists():
        return []
    last = records.read(path)
    known = [last, *last.pop("others", [])]
    here = timing.machine(PACKAGES)["cpu"]
    return [r for r in known if r["cpu"] != here and r.get("calls") == CALLS]


def _model(name: str, config: Config, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return latencies, ratios, sizes and memory of one model's files."""
    paths = {
        v: config.files / f"{name}_{v}.tflite" for v in ("float32", "float16", "int8", "keras")
    }
    runs = {variant: _opened(path, inputs) for variant, path in paths.items()}
    runs["onnxruntime"] = _onnx(config.files / f"{name}.onnx", inputs)
    times = _rounds(runs, config.runs)
    ratios = {
        f"{theirs} / {ours}": statistics.median(
            b / a for a, b in zip(times[ours], times[theirs], strict=True)
        )
        for ours in ("float32", "float16", "int8")
        for theirs in ("onnxruntime", "keras")
    }
    return {
        "ms": {who: 1e3 * statistics.median(values) for who, values in times.items()},
        "ratios": ratios,
        "bytes": {who: _content_bytes(path) for who, path in paths.items()},
        "memory_bytes": {who: _in_own_process(path) for who, path in paths.items()},
    }


def _step(config: Config) -> dict[str, Any]:
    """Return the latency of one step, and of its matrix products alone."""
    runs = {
        f"{name} {variant}": _stepping(config.files / f"{name}_{variant}.tflite")
        for name in MODELS
        for variant in ("float32", "float16", "int8")
    }
    runs["products"] = _stepping(config.files / "products.tflite")
    times = _rounds(runs, config.runs)
    us = {who: 1e6 * statistics.median(t) / STEPS_TOGETHER for who, t in times.items()}
    return {"us": us, "over_products": us["keyword float32"] / us["products"]}


def _lengths(config: Config) -> dict[str, Any]:
    """Return the time of all steps' states over the length, and the exponent that fits it."""
    import numpy as np

    random, runs = np.random.default_rng(0), {}
    for length in LENGTHS:
        x = random.normal(size=(1, length, 40)).astype(np.float32)
        runs[length] = _opened(config.files / "all_steps.tflite", {"inputs": x})
    times = _rounds(runs, config.long_runs)
    ms = {length: 1e3 * statistics.median(values) for length, values in times.items()}
    exponent = float(np.polyfit(np.log(list(ms)), np.log(list(ms.values())), 1)[0])
    return {"ms": ms, "exponent": exponent}


def _opened(path: Path, inputs: Mapping[str, Any]) -> Callable[[], Any]:
    """Return one run over a whole sequence through LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    (x,) = inputs.values()
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, x)
    return interpreter.invoke


def _stepping(path: Path) -> Callable[[], Any]:
    """Return `STEPS_TOGETHER` runs of a file's step, inputs and states as they are."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    signatures = interpreter.get_signature_list()
    key = "step" if "step" in signatures else next(iter(signatures))
    # The runner's own call copies arrays by name in Python; a device does not.
    runner = interpreter.get_signature_runner(key)
    wrapper, subgraph = runner._interpreter_wrapper, runner._subgraph_index
    details = runner.get_input_details()
    runner(**{name: np.zeros(about["shape"], about["dtype"]) for name, about in details.items()})

    def run() -> None:
        for _ in range(STEPS_TOGETHER):
            wrapper.Invoke(subgraph)

    return run


def _onnx(path: Path, inputs: Mapping[str, Any]) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    bound = session.io_binding()
    for name, x in inputs.items():
        bound.bind_cpu_input(name, x)
    for output in session.get_outputs():
        bound.bind_output(output.name)
    return functools.partial(session.run_with_iobinding, bound)


def _rounds(runs: Mapping[Any, Callable[[], Any]], count: int) -> dict[Any, list[float]]:
    """Return the seconds of each one's rounds, warm; they take turns."""
    for run in runs.values():
        for _ in range(5):
            run()
    return timing.interleaved(runs, count)


def _content_bytes(path: Path) -> int:
    """Return a file's size without the archive behind it (vocabulary and labels)."""
    import zipfile

    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return min(file.header_offset for file in archive.infolist())


def _in_own_process(path: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.tflite_latency", "--memory-of", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


def _memory(path: Path) -> int:
    """Return how much memory an interpreter holds once it has run a file.

    Pages of the file itself and of libraries are left out: they are mapped, and how many of them
    are there depends on what ran before.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    def held() -> int:
        with open("/proc/self/status", encoding="utf-8") as status:
            (line,) = (line for line in status if line.startswith("RssAnon"))
        return 1024 * int(line.split()[1])

    before = held()
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (about,) = interpreter.get_input_details()
    interpreter.set_tensor(about["index"], np.ones(about["shape"], about["dtype"]))
    interpreter.invoke()
    return held() - before


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, measure)}
    return cli.command("python -m benchmarks.tflite_latency", commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
