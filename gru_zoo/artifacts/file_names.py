"""Which files an artifact may hold, and how they are named."""

from __future__ import annotations

from pathlib import Path

from gru_zoo.export.variants import BASIC

# Files of a model of one part, in the order of a card's table.
SHIPPED = ("saved_model", *BASIC)
# A text classifier's; TFLite variants of a step alone take no whole texts.
SHIPPED_OF_TEXTS = (*SHIPPED, "mediapipe")


def file_of(variant: str) -> str:
    """Return the name of a one-part model's file of a variant.

    Example:
        >>> file_of("int8"), file_of("saved_model")
        ('model_int8.tflite', 'saved_model')
    """
    return variant if variant == "saved_model" else f"model_{variant}.tflite"


def variant_of(file: str) -> str:
    """Return the variant that a file's name tells.

    Example:
        >>> [variant_of(file) for file in ("encoder_float16.tflite", "model.onnx", "saved_model")]
        ['float16', 'onnx', 'saved_model']
    """
    kind = Path(file).suffix[1:]
    return Path(file).stem.partition("_")[2] or kind if kind else file
