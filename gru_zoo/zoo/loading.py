"""A pretrained model in the format asked for, opened after its checksums were compared."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from gru_zoo.arguments import one_of
from gru_zoo.artifacts.card import Card
from gru_zoo.zoo import hub
from gru_zoo.zoo.registry import card, files_under, place

FORMATS = ("keras", "saved_model", "tflite")
# Class of the model -> what runs its TFLite files in Python, made of the variant's paths; and what
# it reads beside them.
_LITE = {
    "SequenceClassifier": ("gru_zoo.export.runners.lite_classifier", "LiteClassifier", ()),
    "Tagger": ("gru_zoo.export.runners.lite_tagger", "LiteTagger", ("assets/",)),
    "Reader": ("gru_zoo.export.runners.lite_reader", "LiteReader", ("assets/",)),
    "Seq2Seq": ("gru_zoo.export.runners.lite_translator", "LiteTranslator", ()),
    "LanguageModel": ("gru_zoo.export.runners.lite_language_model", "LiteLanguageModel", ()),
    "Functional": ("gru_zoo.export.runners.streamer", "Streamer", ()),
}
# What the files of the other formats begin with.
_FILES = {"keras": "model.keras", "saved_model": "saved_model/"}
_PLAIN = ("gru_zoo.export.runners.runtime", "interpreter", ())


def load(name: str | os.PathLike, format: str = "keras", variant: str = "float32") -> Any:
    """Load a pretrained model, after its files' checksums have been compared.

    Args:
        name: one of `list_models()`; the path of an artifact's folder, such as
            `runs/sentiment/mine/artifact`; or `hf://user/repository` on Hugging Face's hub (the
            extra `hub`), with `@revision` behind it if it is not the newest.
        format: "keras" for a Keras model; "saved_model" for what `tf.saved_model.load` gives;
            "tflite" for what runs the file in Python: a `LiteClassifier`, `LiteTagger`,
            `LiteReader`, `LiteTranslator`, `LiteLanguageModel` or `Streamer`, else LiteRT's
            interpreter.
        variant: of the TFLite file: one of the card's `exports`, such as "float32", "float16",
            "int8", "int16x8" or "mediapipe"; for format "tflite" only.

    Returns:
        the model; its `card` attribute is the `Card`, and the Keras and the TFLite model of a text
        classifier have a `predict` that takes raw texts.

    Raises:
        ValueError: unknown name, format or variant, a format that the model is not there in, or a
            file that is not the card's.
        ConnectionError: a file is to be fetched, and cannot be; the message says what to do.

    Example:
        >>> load("sentiment_imdb_gru_small").predict(["A quiet, wonderful film."], verbose=0).shape
        (1, 2)
    """
    one_of("format", format, FORMATS)
    if format != "tflite" and variant != "float32":
        raise ValueError(
            f"variant must be left out unless format='tflite'; got {variant!r} with {format!r}."
        )
    if format == "tflite":
        model, about = _lite(name, variant)
    elif format == "saved_model":
        about, folder = _find(name, _FILES[format])
        _require_format(about, format)
        import tensorflow as tf

        model = tf.saved_model.load(str(folder / "saved_model"))
    else:
        about, folder = _find(name, _FILES[format])
        _require_format(about, format)
        from gru_zoo.models.keras_file import load_keras_file

        model = load_keras_file(folder / "model.keras")
    model.card = about
    return model


def _require_format(about: Card, format: str) -> None:
    """Raise ValueError if a card has no file of a format, naming those it has."""
    has = [name for name, begin in _FILES.items() if files_under(about, begin)]
    has += ["tflite"] * any(path.endswith(".tflite") for path in about.files)
    one_of(f"format of {about.name}", format, has)


def _find(name: str | os.PathLike, under: str | tuple[str, ...]) -> tuple[Card, Path]:
    """Return a card and a folder that holds the files it has under `under`, compared."""
    if isinstance(name, str) and name.startswith(hub.PREFIX):
        return hub.download(name, under)
    return card(name), place(name, under)


def _lite(name: str, variant: str) -> tuple[Any, Card]:
    about, _ = _find(name, "card.json")
    lite = [export for export in about.exports if export["file"].endswith(".tflite")]
    one_of("variant", variant, dict.fromkeys(export["variant"] for export in lite))
    files = [export["file"] for export in lite if export["variant"] == variant]
    module, runner, beside = _LITE.get(about.model["class"], _PLAIN)
    _, folder = _find(name, (*files, *beside))
    make = getattr(importlib.import_module(module), runner)
    return make(*(folder / file for file in files)), about
