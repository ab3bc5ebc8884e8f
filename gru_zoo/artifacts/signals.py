"""What the artifact of a model of signals holds, for `folder.publish`.

A file is compared and scored on windows: each is pushed sample by sample through the step
signature, as a device would do it, and the answer after the last sample counts.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gru_zoo.artifacts.file_names import SHIPPED, file_of, variant_of
from gru_zoo.artifacts.stepwise import open_steps
from gru_zoo.export.checks.inspection import inspect
from gru_zoo.export.checks.limits import LIMITS, Expected, judge
from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import tflite
from gru_zoo.training.signal_windows import last_answers

# The last one is a step of integers alone, for a microcontroller too. In the 8 bits of `int8_full`
# states lose so much over hundreds of samples that single probabilities are another's.
SHIPPED_OF_SIGNALS = (*SHIPPED, "int16x8")
# Every state has the rounding of those before it, over hundreds of samples: a probability is off by
# ten times as much as after a text's few words. The label must stay the same all the same.
_LIMITS = {
    name: dataclasses.replace(limit, difference=min(10 * limit.difference, 1e-1))
    for name, limit in LIMITS.items()
}


def signal_files(
    model: keras.Model, representative: Sequence[np.ndarray]
) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: from samples `[batch, time, channels]` to probabilities `[batch, time, labels]`,
            causal.
        representative: windows `[time, channels]` that integers are calibrated on, and files
            compared on.

    Example:
        >>> from gru_zoo.models.signals import signal_model
        >>> model = signal_model([0, 0, 0], [1, 1, 1], labels=2, units=5)
        >>> list(signal_files(model, [np.ones((9, 3))]))[-1:]
        ['model_int16x8.tflite']
    """

    def writer(name: str) -> partial:
        if name == "saved_model":
            return partial(saved_model, model)
        given = [np.asarray(window, np.float32) for window in representative]
        return partial(tflite, model, variant=name, representative=given)

    return {file_of(name): writer(name) for name in SHIPPED_OF_SIGNALS}


def signal_parts(
    model: keras.Model,
    windows: np.ndarray,
    targets: np.ndarray,
    representative: Sequence[np.ndarray],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    Args:
        model: as for `signal_files`.
        windows: `[windows, time, channels]` that files are compared and scored on.
        targets: `[windows]` class numbers.
        representative: as for `signal_files`.
        labels: name of each class.

    Example:
        >>> from gru_zoo.models.signals import signal_model
        >>> model = signal_model([0, 0, 0], [1, 1, 1], labels=2, units=5)
        >>> given = np.ones((4, 9, 3), np.float32)
        >>> sorted(signal_parts(model, given, np.array([0, 1, 0, 1]), given, ["rest", "walk"]))
        ['assets', 'compare', 'files']
    """
    expected = Expected(last_answers(model, windows), targets)

    def compare(path: Path, name: str) -> dict[str, Any]:
        variant, read = variant_of(name), open_steps(path)
        answers, times = [], []
        for window in windows:
            start = time.perf_counter()
            answers.append(read(window)[-1])
            times.append(1e3 * (time.perf_counter() - start) / len(window))
        answers = np.stack(answers)
        return {
            **inspect(path),
            "largest_difference": judge(path, answers, expected, variant, _LIMITS),
            "latency_ms": None if path.is_dir() else statistics.median(times),
            "metric": expected.accuracy(answers),
            "model_metric": expected.accuracy(expected.probabilities),
        }

    names = ("\n".join(labels) + "\n").encode()
    files = signal_files(model, representative)
    return {"files": files, "compare": compare, "assets": {"labels.txt": names}}


def signal_goldens(model: keras.Model, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Return some windows, and the model's probabilities after every sample.

    Args:
        model: as for `signal_files`.
        windows: `[windows, time, channels]`.

    Returns:
        `inputs` float32 `[windows, time, channels]`, `outputs` float32 `[windows, time, labels]`.

    Example:
        >>> from gru_zoo.models.signals import signal_model
        >>> model = signal_model([0, 0, 0], [1, 1, 1], labels=2, units=5)
        >>> signal_goldens(model, np.ones((2, 9, 3)))["outputs"].shape
        (2, 9, 2)
    """
    inputs = np.asarray(windows, np.float32)
    return {"inputs": inputs, "outputs": model.predict_on_batch(inputs)}
