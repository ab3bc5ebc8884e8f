"""A pretrained model in the format asked for, opened after its checksums were compared."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from gru_zoo.arguments import one_of
from gru_zoo.card import Card
from gru_zoo.zoo.registry import card, models_folder, verify

FORMATS = ("keras", "saved_model", "tflite")
# Task -> what runs its TFLite files in Python, made of the variant's paths.
_LITE = {"text-classification": ("gru_zoo.export.lite", "LiteClassifier")}


def load(name: str, format: str = "keras", variant: str = "float32") -> Any:
    """Load a pretrained model, after its files' checksums have been compared.

    Args:
        name: one of `list_models()`.
        format: "keras" for a Keras model; "saved_model" for what `tf.saved_model.load` gives;
            "tflite" for what runs the file in Python: a `LiteClassifier` for a text classifier,
            else LiteRT's interpreter.
        variant: of the TFLite file: "float32", "float16", "int8" or "mediapipe".

    Returns:
        the model; its `card` attribute is the `Card`, and the Keras and the TFLite model of a text
        classifier have a `predict` that takes raw texts.

    Raises:
        ValueError: unknown name, format or variant, or a file that is not the card's.

    Example:
        >>> load("sentiment_imdb_gru_small").predict(["A quiet, wonderful film."], verbose=0).shape
        (1, 2)
    """
    one_of("format", format, FORMATS)
    about = card(name)
    folder = models_folder() / name
    if format == "tflite":
        model = _lite(folder, about, variant)
    elif format == "saved_model":
        verify(name, "saved_model/")
        import tensorflow as tf

        model = tf.saved_model.load(str(folder / "saved_model"))
    else:
        verify(name, "model.keras")
        from gru_zoo.models.keras_file import load_keras_file

        model = load_keras_file(folder / "model.keras")
    model.card = about
    return model


def _lite(folder: Path, about: Card, variant: str) -> Any:
    lite = [export for export in about.exports if export["file"].endswith(".tflite")]
    one_of("variant", variant, dict.fromkeys(export["variant"] for export in lite))
    files = [export["file"] for export in lite if export["variant"] == variant]
    for file in files:
        verify(about.name, file)
    module, name = _LITE.get(about.task, ("gru_zoo.zoo.loading", "_interpreter"))
    return getattr(importlib.import_module(module), name)(*(folder / file for file in files))


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path), num_threads=1)
