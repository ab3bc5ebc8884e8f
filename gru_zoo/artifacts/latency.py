"""A file's latency as text: what it is of differs by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Hugging Face's name of a task -> what one run of a file takes.
_UNITS = {
    "question-answering": "question",
    "tabular-classification": "sample",
    "text-classification": "text",
    "text-generation": "token",
    "time-series-forecasting": "frame",
    "token-classification": "sentence",
}
# A translator's files by the beginning of their names; its SavedModel holds both parts.
_PARTS = {"encoder": "sentence", "decoder": "decoding step", "saved": "sentence (encoder only)"}


def latency(export: Mapping[str, Any], task: str) -> str:
    """Return a file's latency with its unit, empty if it was not measured.

    Args:
        export: the file's record in a card: "file" and "latency_ms".
        task: Hugging Face's name of the model's task.

    Example:
        >>> latency({"file": "model_int8.tflite", "latency_ms": 0.451}, "text-classification")
        '0.45 ms per text'
        >>> latency({"file": "decoder_int8.tflite", "latency_ms": 0.34}, "translation")
        '0.34 ms per decoding step'
    """
    if export.get("latency_ms") is None:
        return ""
    unit = _UNITS.get(task, "input")
    if task == "translation":
        unit = _PARTS.get(export["file"].partition("_")[0], unit)
    return f"{export['latency_ms']:.2f} ms per {unit}"
