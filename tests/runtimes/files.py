"""A keyword model and a text classifier in every variant, with inputs for each."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.tflite_files import FEATURES, STEPS, keyword
from gru_zoo import export
from gru_zoo.export.checks.inspection import inspect
from gru_zoo.export.variants import VARIANTS
from tests.export.conftest import WORDS, make_classifier

# int8 matrices with one scale each, for runtimes that do not know one a row.
PER_TENSOR = "int8 for 2.3"
ROWS = 4


class Made(NamedTuple):
    """A file, and what it is."""

    model: str
    variant: str
    path: Path
    goldens: Path
    min_runtime: str  # as the file says it


def make(into: Path) -> list[Made]:
    """Write every variant of both models; int4 only where its quantizer is there."""
    random = np.random.default_rng(0)
    frames = random.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)
    text = make_classifier(length=30)
    ids = random.integers(1, len(WORDS), (ROWS, 30), np.int32)
    return [
        *_variants("keyword", keyword(), "inputs", frames, into),
        *_variants("text", text, "ids", ids, into),
    ]


def _variants(name: str, model: Any, given: str, rows: np.ndarray, into: Path) -> list[Made]:
    goldens = into / f"{name}.npz"
    np.savez(goldens, **{given: rows})
    made = []
    for variant in (*VARIANTS, PER_TENSOR):
        if variant == "mediapipe" and name != "text":
            continue
        if variant == "int4" and importlib.util.find_spec("ai_edge_quantizer") is None:
            continue
        options: dict[str, Any] = {"min_runtime": "2.3"} if variant == PER_TENSOR else {}
        if variant in VARIANTS and VARIANTS[variant].integer_only:
            options["representative"] = list(rows)
        path = into / f"{name}-{variant.replace(' ', '-')}.tflite"
        export.tflite(model, path, variant.split()[0], **options)
        made.append(Made(name, variant, path, goldens, inspect(path)["min_runtime_version"]))
    return made
