"""Trained models to files that run without this package.

    tflite_file, saved_model_folder, onnx_file       a Keras model to a file, compared with it
    mediapipe, micro, translator, tagger_folder      files for one runtime, or of one kind of model
    signatures, integer_step                         graphs to the bytes of a `.tflite` file
    graphs/       a model as TensorFlow graphs: one step, a whole sequence
    flatbuffer/   changes to the bytes of a `.tflite` file
    onnx_writer/  a model as an ONNX graph
    checks/       an exported file against the model; a file that differs is refused
    workers/      conversions that may crash, in processes of their own
    runners/      exported files run as a device runs them

Names are imported when first used, so `from gru_zoo import export` does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "ConversionFailed": "gru_zoo.export.workers.isolated",
    "LiteClassifier": "gru_zoo.export.runners.lite_classifier",
    "LiteLanguageModel": "gru_zoo.export.runners.lite_language_model",
    "LiteReader": "gru_zoo.export.runners.lite_reader",
    "LiteTagger": "gru_zoo.export.runners.lite_tagger",
    "LiteTranslator": "gru_zoo.export.runners.lite_translator",
    "Refused": "gru_zoo.export.checks.inspection",
    "Streamer": "gru_zoo.export.runners.streamer",
    "onnx": "gru_zoo.export.onnx_file",
    "saved_model": "gru_zoo.export.saved_model_folder",
    "tflite": "gru_zoo.export.tflite_file",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gru_zoo.export' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
