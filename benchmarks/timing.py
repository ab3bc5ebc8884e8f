"""Timing that survives a noisy machine: contenders take turns, and each pair's ratio counts."""

from __future__ import annotations

import datetime
import math
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gru_zoo.processor import processor


def interleaved(
    calls: Mapping[str, Callable[[], Any]], runs: int, seconds: float = math.inf
) -> dict[str, list[float]]:
    """Time every call once a round, for `runs` rounds; after `seconds`, three rounds are enough.

    Every round has an order of its own, so no contender always finds the caches and the waiting
    threads that the same other one left.

    Returns:
        name -> seconds of each round; equal places of two lists were measured side by side.
    """
    names, times = list(calls), {name: [] for name in calls}
    orders, start = random.Random(0), time.perf_counter()  # noqa: S311  no secret
    for turn in range(runs):
        if turn >= 3 and time.perf_counter() - start > seconds:
            break
        for name in orders.sample(names, len(names)):
            began = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - began)
    return times


def ratio(theirs: list[float], ours: list[float]) -> float:
    """Return how many times as fast we are: the median over rounds of theirs / ours."""
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, nan for none."""
    values = list(values)
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def exponent(sizes: Iterable[float], times: Iterable[float]) -> float:
    """Return b of the least-squares fit time = a * size^b."""
    return statistics.linear_regression(
        list(map(math.log, sizes)), list(map(math.log, times))
    ).slope


def machine(packages: Iterable[str]) -> dict[str, Any]:
    """Return the processor, its cores, the packages' versions and today's date."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.date.today().isoformat(),
    }
