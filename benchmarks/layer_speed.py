"""How fast is our GRU? The layer against its peers, over a grid of shapes, on this machine's CPU.

    python -m benchmarks.layer_speed                  # all; resumes where it stopped
    python -m benchmarks.layer_speed --minutes 8      # starts no configuration after 8 minutes
    python -m benchmarks.layer_speed --batch 32 --time 200 --units 128 --results /tmp/one.json
    python -m benchmarks.layer_speed --report-only    # tables and picture of the results
    python -m benchmarks.layer_speed --report-only --write    # also into README.md

Forward is what `predict` runs and train what `fit` runs, weight gradients included. The layers
take turns in one process, in a new order each round, each with the library's own number of threads
(one per core); a speedup is the median over the rounds of theirs / ours. Peak memory is the median
of five processes that do nothing else. Every finished configuration is kept in the results file
with what it was measured of. Measured anew are those of another machine, other versions or other
code, and those in whose rounds a large product was slow: something else had the processor.
Needs the extra `bench`, and torch, jax and flax for those peers; a missing one is named.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks import layer_readme, layer_report, records, timing
from benchmarks.layer_report import OURS
from gru_zoo.arguments import positive_int
from gru_zoo.files import write_json
from gru_zoo.markdown import write_section
from recipes.shared import cli

if TYPE_CHECKING:
    from benchmarks.peers import Case

ROOT = Path(__file__).resolve().parents[1]
CODE = [
    *sorted((ROOT / "gru_zoo" / "layers").glob("fused*.py")),
    *(ROOT / "gru_zoo" / "layers" / name for name in ("gru.py", "islands.py", "kernels.py")),
    *(ROOT / "benchmarks" / name for name in ("peers.py", "timing.py")),
]
PROCESSES = 5  # of which a peak memory is the median: it differs by a tenth between them
PACKAGES = ("gru-zoo", "tensorflow", "keras", "torch", "jax", "flax", "onnxruntime", "numpy")
Peer = Literal["keras", "keras_xla", "torch", "jax", "onnx", "gru_zoo_xla", "empty"]
Variant = Literal["plain", "reset_before", "masked", "bidirectional"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Time our GRU layer against its peers."""

    # Grid.
    batch: tuple[int, ...] = (1, 32, 128)
    time: tuple[int, ...] = (50, 200, 800)
    units: tuple[int, ...] = (32, 128, 256)
    features: int = 64
    variants: tuple[Variant, ...] = ("plain", "reset_before", "masked", "bidirectional")
    """All but plain run at `variant_time` steps only, and against `variant_peers`."""
    variant_time: tuple[int, ...] = (50, 200)
    modes: tuple[Literal["forward", "train"], ...] = ("forward", "train")
    peers: tuple[Peer, ...] = (
        "keras",
        "keras_xla",
        "torch",
        "jax",
        "onnx",
        "gru_zoo_xla",
        "empty",
    )
    """Where the batch is 1, gru_zoo_xla is our layer with jit_compile=True; empty is a graph that
    computes nothing."""
    variant_peers: tuple[Peer, ...] = ("keras", "keras_xla")

    # Care.
    runs: int = 20
    """Rounds per configuration; a speedup is the median over them."""
    seconds: float = 1e9
    """A configuration that has taken so long stops after its third round or later."""
    minutes: float = 1e9
    """Start no configuration after so many minutes."""
    memory: bool = True
    """Also measure the peak memory of a training step, at the grid's middle and largest shapes."""

    # Files.
    results: Path = Path("benchmarks/results/layer_speed.json")
    report_only: bool = False
    """Measure nothing: write the tables and the picture."""
    write: bool = False
    """Also write what was found into README.md."""

    # Of no use by hand.
    memory_of: str = ""
    """PEER:BATCH:TIME:UNITS: print one training step's peak memory in bytes."""


def measure(config: Config) -> None:
    """Measure what is not known yet, and report all."""
    _check(config)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a waiting pool must not slow the others
    if config.memory_of:
        print(_peak_memory(config.memory_of, config.features))
        return
    record: dict[str, Any] = {"cells": {}, "memory": {}}
    if config.report_only or config.results.exists():
        record = records.read(config.results)
    if not config.report_only:
        _measure(config, _begin(record, config))
    layer_report.write(record, config.results)
    if config.write:
        made = layer_readme.section(record, layer_readme.epoch_record(config.results, record))
        write_section(ROOT / "README.md", made, layer_readme.BEGIN, layer_readme.END)


def _check(config: Config) -> None:
    """Raise ValueError if a flag is out of its range."""
    for name in ("batch", "time", "units", "variant_time"):
        sizes = getattr(config, name)
        for size in sizes:
            positive_int(name, size)
        if not sizes:
            raise ValueError(f"{name} must be at least one number; got none.")
    for name in ("features", "runs"):
        positive_int(name, getattr(config, name))
    for name in ("seconds", "minutes"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be above 0; got {getattr(config, name)}.")


def _begin(record: dict[str, Any], config: Config) -> dict[str, Any]:
    """Keep of the record what this code measured here, with these versions and in this way."""
    machine = timing.machine(PACKAGES) | _way(config)
    date = machine.pop("date")
    machine["code"] = records.code_of(CODE)
    if any(record.get(name) != value for name, value in machine.items()):
        record["others"] = _others(record, machine)
        record |= {"cells": {}, "memory": {}, "date": date}
    record |= machine
    return record


def _others(record: Mapping[str, Any], machine: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured on other processors in the same way, the newest first."""
    last = {name: value for name, value in record.items() if name != "others"}
    # A record that does not say in which way is of the defaults.
    usual = _way(Config())
    return [
        one
        for one in (last, *record.get("others", []))
        if one["cells"]
        and one["cpu"] != machine["cpu"]
        and all(one.get(name, usual[name]) == machine[name] for name in usual)
    ]


def _way(config: Config) -> dict[str, Any]:
    """Return the flags that a figure depends on, as JSON has them."""
    lists = {name: list(getattr(config, name)) for name in ("peers", "variant_peers")}
    return {"features": config.features, "runs": config.runs, **lists}


def _cases(config: Config) -> Iterable[Case]:
    from benchmarks.peers import Case

    lengths = [("plain", steps) for steps in config.time if "plain" in config.variants]
    others = [variant for variant in config.variants if variant != "plain"]
    lengths += [(variant, steps) for steps in config.variant_time for variant in others]
    for variant, steps in lengths:
        for batch in config.batch:
            for units in config.units:
                for mode in config.modes:
                    yield Case(variant, mode, batch, steps, units, config.features)


def _measure(config: Config, record: dict[str, Any]) -> None:
    began = time.monotonic()
    known = record["cells"].keys() - layer_report.disturbed(record["cells"])
    for case in _cases(config):
        if case.key in known:
            continue
        if time.monotonic() - began > 60 * config.minutes:
            print("time is up; the same command resumes here", file=sys.stderr)
            return
        record["cells"][case.key] = cell = _cell(case, config)
        record["date"] = timing.machine(PACKAGES)["date"]
        write_json(config.results, record)
        ratios = " ".join(f"{name} {value:.2f}" for name, value in cell["ratios"].items())
        print(f"{case.key:32s} {cell['ms'][OURS]:9.2f} ms   {ratios}", flush=True)
    if not config.memory:
        return
    for batch, steps, units in {(32, 200, 128), (max(config.batch), 200, max(config.units))}:
        for peer in (OURS, *config.peers):
            key = f"{peer}:{batch}:{steps}:{units}"
            if peer in ("onnx", "gru_zoo_xla", "empty") or key in record["memory"]:
                continue
            peaks = [_in_own_process(key, config.features) for _ in range(PROCESSES)]
            if None in peaks:
                print(f"peak memory of {key} was not measured", file=sys.stderr)
                continue
            record["memory"][key] = statistics.median(peaks)
            write_json(config.results, record)


def _cell(case: Case, config: Config) -> dict[str, Any]:
    """Build every layer of one configuration, time them in turns, and return the figures."""
    import keras
    import tensorflow as tf

    from benchmarks.peers import PEERS

    keras.utils.set_random_seed(0)
    calls, compile_seconds = {}, {}
    for name in (OURS, *(config.peers if case.variant == "plain" else config.variant_peers)):
        try:
            call = PEERS[name](case)
        except ImportError as error:
            print(f"{name} left out: {error}", file=sys.stderr)
            continue
        if call is None:
            continue
        calls[name] = call
    order = random.Random(case.key)  # noqa: S311  no secret
    for name in order.sample(list(calls), len(calls)):  # the first one loads what others find
        began = time.perf_counter()
        calls[name]()
        compile_seconds[name] = time.perf_counter() - began
        calls[name]()
    square = tf.random.normal([2048, 2048])
    product = tf.function(lambda: tf.linalg.matmul(square, square), autograph=False)
    product()
    calls["product"] = product
    times = timing.interleaved(calls, config.runs, config.seconds)
    products = times.pop("product")
    directions = 2 if case.variant == "bidirectional" else 1
    flops, reference = case.flops * directions, 2 * 2048**3
    share = [flops / o / (reference / p) for p, o in zip(products, times[OURS], strict=True)]
    keras.backend.clear_session()
    return {
        "rounds": len(products),
        "ms": {name: 1e3 * statistics.median(values) for name, values in times.items()},
        "ratios": {n: timing.ratio(v, times[OURS]) for n, v in times.items() if n != OURS},
        "first_call_s": compile_seconds,
        "product_gflops": reference / statistics.median(products) / 1e9,
        "share_of_product_rate": statistics.median(share),
    }


def _in_own_process(key: str, features: int) -> int | None:
    """Return the peak memory in bytes that a training step adds, or None if it did not run."""
    command = [sys.executable, "-m", "benchmarks.layer_speed"]
    command += ["--memory-of", key, "--features", str(features)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.split()
    return int(lines[-1]) if done.returncode == 0 and lines else None


def _peak_memory(key: str, features: int) -> int:
    from benchmarks.peers import PEERS, Case

    peer, *sizes = key.split(":")
    batch, steps, units = map(int, sizes)
    PEERS[peer](Case("plain", "train", 2, 3, 4, 5))()  # libraries loaded, pools started
    before = _status("VmRSS")
    call = PEERS[peer](Case("plain", "train", batch, steps, units, features))
    call()  # compiles; its memory is not the step's
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    for _ in range(3):
        call()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, measure)}
    going_on = "the same command goes on with the next cell."
    return cli.command("python -m benchmarks.layer_speed", commands, arguments, going_on)


if __name__ == "__main__":
    sys.exit(main())
