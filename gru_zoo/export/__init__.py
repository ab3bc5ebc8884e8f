"""Trained models to files that run without this package.

Names are imported when first used, so `from gru_zoo import export` does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Streamer": "gru_zoo.export.streamer",
    "onnx": "gru_zoo.export.onnx_file",
    "saved_model": "gru_zoo.export.saved_model_folder",
    "tflite": "gru_zoo.export.tflite_file",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public function from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gru_zoo.export' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
