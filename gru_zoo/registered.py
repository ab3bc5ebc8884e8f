"""Keras finds this package's classes in a `.keras` file, though none of them is imported yet.

Keras looks a class up by its registered name, and registering ours takes importing them, and with
them TensorFlow. So Keras' public table of custom objects gets a stand-in for each name as soon as
Keras itself is imported; a stand-in imports its class when Keras first asks for one, and the
class' own registration then takes its place.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from gru_zoo.imports import Execute, when_imported

# Every class of the package that Keras registers -> its module.
HOMES = {
    "GRU": "gru_zoo.layers.gru",
    "GRUCell": "gru_zoo.layers.gru",
    "StackedGRU": "gru_zoo.layers.stacked",
    "Stack": "gru_zoo.layers.encoders",
    "Transformer": "gru_zoo.layers.encoders",
    "Attention": "gru_zoo.layers.attention",
    "AttentionGRU": "gru_zoo.layers.attention_gru",
    "MaskedPooling": "gru_zoo.layers.pooling",
    "SequenceClassifier": "gru_zoo.models.classifier",
    "LanguageModel": "gru_zoo.models.language_model",
    "Seq2Seq": "gru_zoo.models.seq2seq",
    "TiedEmbedding": "gru_zoo.models.seq2seq",
    "Reader": "gru_zoo.models.reader",
    "SpanReader": "gru_zoo.models.span_reader",
    "SupportLoss": "gru_zoo.models.reader",
    "Tagger": "gru_zoo.models.tagger",
}


def announce() -> None:
    """Give Keras the stand-ins, now or when it is imported.

    Example:
        >>> import keras
        >>> announce()
        >>> "gru_zoo>GRU" in keras.saving.get_custom_objects()
        True
    """
    keras = sys.modules.get("keras")
    if hasattr(keras, "saving"):
        _register(keras)
    else:
        when_imported("keras", _then_register)


def _then_register(execute: Execute) -> Execute:
    def execute_and_register(module: ModuleType) -> None:
        execute(module)
        _register(module)

    return execute_and_register


def _register(keras: ModuleType) -> None:
    known = keras.saving.get_custom_objects()
    for name, home in HOMES.items():
        known.setdefault(f"gru_zoo>{name}", SimpleNamespace(from_config=_importer(name, home)))


def _importer(name: str, home: str) -> Callable[[dict[str, Any]], Any]:
    def from_config(config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(home), name).from_config(config)

    return from_config
