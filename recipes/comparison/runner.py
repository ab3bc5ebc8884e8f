"""Runs the trainings of the comparison, each as a child process on a core, and keeps the results.

A training that was killed resumes from its recipe's last checkpoint. Two runners may share a
folder: each skips the trainings that the other is working on.
"""

from __future__ import annotations

import csv
import datetime
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gru_zoo.processor import processor
from recipes.comparison import children, stored
from recipes.comparison.plan import Job, settings
from recipes.comparison.subjects import TOLERANCE, Task
from recipes.shared.cli import DIVERGED

# A learning rate with which the loss does not stay finite was tried too.
_DIVERGED = {
    **dict.fromkeys(("metric", "watched", "validation", "loss", "parameters", "device", "gates")),
    "stopped": "diverged",
    "history": [],
}
_PACKAGES = ("tensorflow", "keras", "numpy", "ai-edge-litert")


def run_all(
    make_plan: Callable[[stored.Results], list[Job]],
    results: Path,
    runs: Path,
    quick: bool,
    say: Callable[[str], None],
    minutes: float = math.inf,
    cores: Sequence[int | None] = (None,),
) -> list[str]:
    """Run every job without a result; return what failed, a line each.

    Args:
        make_plan: gives the jobs for what is finished; learning rates come from there.
        results: folder of the finished cells.
        runs: folder of the trainings.
        quick: marks the results.
        say: prints a line of progress.
        minutes: after these no further job is begun.
        cores: one training at a time runs on each of these; None leaves it all of them.
    """
    queue = _Queue(make_plan, results, time.monotonic() + 60 * minutes)
    failures: list[str] = []

    def work(core: int | None) -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})  # this thread's, and every child's that it starts
        while (job := queue.take(say)) is not None:
            try:
                _run_and_keep(job, results, runs, quick, say)
            except children.ChildFailed as failure:
                if queue.stopped:
                    return  # It was ended with all others, and goes on at the next start.
                failures.append(f"{job.key}: {failure}")
                say(f"  failed: {failure}; see {runs / 'logs' / job.key}.log")
            finally:
                queue.done()

    with ThreadPoolExecutor(len(cores)) as pool:
        at_work = [pool.submit(work, core) for core in cores]
        try:
            for each in wait(at_work, return_when=FIRST_EXCEPTION).done:
                each.result()
        except BaseException:
            queue.stop()
            children.end_all()
            raise
    return failures


class _Queue:
    """Hands out the table's jobs, each once; safe for threads.

    Args:
        make_plan: as for `run_all`.
        results: folder of the finished cells.
        end: of the monotonic clock, after which nothing is handed out.
    """

    def __init__(
        self, make_plan: Callable[[stored.Results], list[Job]], results: Path, end: float
    ) -> None:
        self.make_plan, self.results, self.end = make_plan, results, end
        self.taken: set[str] = set()
        self.busy = 0
        self.changed = threading.Condition()

    def take(self, say: Callable[[str], None]) -> Job | None:
        """Return a job without a result, or None when there is no more."""
        with self.changed:
            while time.monotonic() < self.end:
                finished = stored.read(self.results)
                jobs = self.make_plan(finished)
                left = [job for job in jobs if job.key not in finished.keys() | self.taken]
                job = next((job for job in left if job.learning_rate is not None), None)
                if job is not None:
                    self.taken.add(job.key)
                    self.busy += 1
                    expected = sum(other.minutes for other in left)
                    at = f"{len(jobs) - len(left) + 1}/{len(jobs)}"
                    say(f"[{at}, about {expected:.0f} min left on one core] {job.key}")
                    return job
                if not left or not self.busy:
                    return None
                self.changed.wait()  # A trial that runs may decide the rate of what is left.
        return None

    def done(self) -> None:
        """Take note that a job is over."""
        with self.changed:
            self.busy -= 1
            self.changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self.end == -math.inf

    def stop(self) -> None:
        """Hand out nothing more."""
        with self.changed:
            self.end = -math.inf
            self.changed.notify_all()


def _run_and_keep(
    job: Job, results: Path, runs: Path, quick: bool, say: Callable[[str], None]
) -> None:
    with children.held(runs / "locks" / job.key) as lock:
        if lock is None:
            say(f"  another process is running {job.key}")
        elif not (results / f"{job.key}.json").exists():
            record = run_job(job, runs, quick, lock)
            stored.keep(results, job.key, record)
            say(f"  {job.key}: {_in_short(record)}")


def _in_short(record: Mapping[str, Any]) -> str:
    metric, usage = record["metric"], record["usage"]
    took = f"{usage['wall_seconds']:.0f} s on {usage['cpu_share']:.1f} cores"
    if metric is None:
        return f"diverged, {took}"
    parameters = f"{record['parameters']:,} parameters"
    return f"{metric['name']} {metric['value']:.4f} on {metric['split']}, {parameters}, {took}"


def run_job(job: Job, runs: Path, quick: bool, lock: int) -> dict[str, Any]:
    """Run one training, and its device's file where the job says so; return its record.

    Raises:
        children.ChildFailed: it failed, or made a model of another size than the budget.
    """
    folder, log = runs / job.subject.name / job.key, runs / "logs" / f"{job.key}.log"
    resumed = (folder / "config.json").exists()
    module, arguments = (_recipe if isinstance(job.subject, Task) else _long)(job)
    about = {
        "quick": quick,
        "subject": job.subject.name,
        "cell": job.cell,
        "steps": job.steps,
        "learning_rate": job.learning_rate,
        "seed": job.seed,
        "settings": settings(job.subject),
        "made": _made(module, arguments),
    }
    try:
        usage = children.run(module, [*arguments, *_place(job, folder, resumed)], log, [lock])
    except children.ChildFailed as failure:
        if failure.status != DIVERGED:
            raise
        return {**about, **_DIVERGED, "usage": {**failure.usage, "resumed": resumed}}
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    _check_size(job, metrics["parameters"])
    watched = metrics.get("watched", metrics["metric"]["name"])
    return {
        **about,
        "metric": metrics["metric"],
        "watched": watched,
        "validation": _sign(watched) * metrics[f"validation_{watched}"],
        "loss": metrics.get("loss"),
        "parameters": metrics["parameters"],
        "stopped": metrics.get("stopped"),
        "history": history_of(folder / "history.csv", watched),
        "usage": {**usage, "resumed": resumed},
        "device": measure_device(job, folder, log, lock) if job.device else None,
        "gates": metrics.get("gates"),
    }


def _recipe(job: Job) -> tuple[str, list[str]]:
    """Return the module of a recipe and the flags of its training."""
    flags = {
        **job.subject.flags,
        "cell": job.cell,
        "parameters": job.subject.parameters,
        "learning_rate": job.learning_rate,
        "seed": job.seed,
    }
    words = ["train"]
    for name, value in flags.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return f"recipes.{job.subject.name}", words


def _long(job: Job) -> tuple[str, list[str]]:
    """Return the module and the settings of a long-sequence training."""
    given = {
        "problem": job.subject.name,
        "steps": job.steps,
        "cell": job.cell,
        "parameters": job.subject.parameters,
        "learning_rate": job.learning_rate,
        "seed": job.seed,
        **job.subject.flags,
    }
    return "recipes.comparison.long_run", [json.dumps(given)]


def _place(job: Job, folder: Path, resumed: bool) -> list[str]:
    """Return the words that say where a training leaves its files."""
    if not isinstance(job.subject, Task):
        return [str(folder)]  # It is short, and starts again.
    resume = ["--resume"] if resumed else []
    return ["--runs", str(folder.parent), "--name", folder.name, *resume]


def measure_device(job: Job, folder: Path, log: Path, lock: int) -> dict[str, Any]:
    """Return size and latency of the device's file, or the reason why there is none.

    Raises:
        ChildFailed: a signal ended it, as at an interruption: that tells nothing about the file.
    """
    out = folder / "device.json"
    each = job.subject
    length = each.device_steps if isinstance(each, Task) else job.steps + each.besides
    arguments = [job.subject.name, str(folder / "model.keras"), str(length), str(out)]
    try:
        children.run("recipes.comparison.device", arguments, log, [lock])
    except children.ChildFailed as failure:
        if failure.status is not None and failure.status < 0:
            raise
        return {"error": str(failure)}
    return json.loads(out.read_text(encoding="utf-8"))


def _check_size(job: Job, parameters: int) -> None:
    budget = job.subject.parameters
    if abs(parameters - budget) > TOLERANCE * budget:
        raise children.ChildFailed(
            f"parameters must be within {TOLERANCE:.0%} of {budget:,}; the model has {parameters:,}"
        )


def history_of(path: Path, watched: str) -> list[dict[str, float]]:
    """Return a run's history: validation (larger is better), seconds, cpu_seconds a row.

    Args:
        path: of `history.csv`.
        watched: the figure that the best epoch is chosen by; of a loss the negative is given.
    """
    with open(path, encoding="utf-8") as file:
        return [
            {
                "validation": _sign(watched) * float(row[f"val_{watched}"]),
                "seconds": float(row["seconds"]),
                "cpu_seconds": float(row["cpu_seconds"]),
            }
            for row in csv.DictReader(file)
        ]


def _sign(watched: str) -> int:
    return -1 if watched == "loss" else 1


def _made(module: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "command": " ".join(["python -m", module, *arguments]),
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "machine": processor(),
        "versions": {package: version(package) for package in _PACKAGES},
    }
