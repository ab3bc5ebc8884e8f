"""What the artifact of a text classifier holds, for `folder.publish`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gru_zoo.artifacts.file_names import SHIPPED_OF_TEXTS, file_of, variant_of
from gru_zoo.export.checks import classifier_check
from gru_zoo.export.checks.inspection import steps_of
from gru_zoo.export.mediapipe import resized
from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import tflite
from gru_zoo.export.variants import VARIANTS
from gru_zoo.models.classifier import SequenceClassifier


def classifier_parts(
    model: SequenceClassifier,
    texts: Sequence[bytes],
    targets: np.ndarray,
    variants: Sequence[str] = SHIPPED_OF_TEXTS,
    scored_on: str = "",
    mediapipe_length: int | None = None,
) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    The files are `saved_model/` and `model_<variant>.tflite`; the assets are vocabulary and labels.

    Args:
        model: a built classifier.
        texts: raw texts the files are compared and scored on, usually the whole test split.
        targets: `[texts]` true classes.
        variants: some of `SHIPPED_OF_TEXTS`.
        scored_on: what the texts are, where they are not what the card's scores were measured on.
        mediapipe_length: words that MediaPipe's file reads, which pads every text to so many; None
            for as many as the model. It is compared with the model as it reads so many.

    Raises:
        ValueError: no texts, another number of targets, or probabilities that are not finite.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> parts = classifier_parts(SequenceClassifier(words, units=5), ["fine"], [1])
        >>> sorted(parts), list(parts["files"])[:2]
        (['assets', 'compare', 'files'], ['saved_model', 'model_float32.tflite'])
    """
    reference = classifier_check.Reference.of(model, texts, targets)

    def compare(path: Path, name: str) -> dict[str, Any]:
        variant, wanted = variant_of(name), reference
        more: dict[str, Any] = {"scored_on": scored_on} if scored_on else {}
        # The file itself says its length, for whoever compares it later.
        if variant == "mediapipe" and (steps := steps_of(path)) != model.tokenizer.sequence_length:
            wanted = classifier_check.Reference.of(resized(model, steps), texts, targets)
            more["sequence_length"] = steps
        return classifier_check.check(path, wanted, variant) | more

    return {
        "files": classifier_files(model, texts[:32], variants, mediapipe_length),
        "compare": compare,
        "assets": {
            "vocabulary.txt": model.tokenizer.vocabulary_bytes(),
            "labels.txt": ("\n".join(model.labels) + "\n").encode(),
        },
    }


def classifier_files(
    model: SequenceClassifier,
    texts: Sequence[bytes],
    variants: Sequence[str] = SHIPPED_OF_TEXTS,
    mediapipe_length: int | None = None,
) -> dict[str, Any]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: a built classifier.
        texts: some texts, for the files' own comparison with the model.
        variants: some of `SHIPPED_OF_TEXTS`.
        mediapipe_length: as for `classifier_parts`.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> list(classifier_files(SequenceClassifier(words, units=5), ["fine"]))[-1]
        'model_mediapipe.tflite'
    """

    def writer(name: str) -> partial:
        if name == "saved_model":
            return partial(saved_model, model)
        # The demo page draws the gates of a model that reads from left to right.
        gates = VARIANTS[name].layout == "both" and not model.bidirectional
        length = mediapipe_length if name == "mediapipe" else None
        options = {"texts": texts, "gates": gates, "sequence_length": length}
        return partial(tflite, model, variant=name, **options)

    return {file_of(name): writer(name) for name in variants}


def classifier_goldens(model: SequenceClassifier, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return golden texts, their ids and the model's probabilities.

    Args:
        model: a built classifier.
        texts: what is kept.

    Returns:
        `texts` bytes [texts], `ids` int32 [texts, time], `probabilities` float32 [texts, labels].

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> classifier_goldens(SequenceClassifier(words, units=5), ["fine"])["ids"].shape
        (1, 8)
    """
    ids = model.tokenizer.encode(texts)
    return {
        "texts": np.array([text.encode() for text in texts]),
        "ids": ids,
        "probabilities": model.predict(ids, verbose=0),
    }


def classifier_configuration(model: SequenceClassifier) -> dict[str, Any]:
    """Return the model's configuration for a card, the vocabulary as its size.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> classifier_configuration(SequenceClassifier(words, units=5))["vocabulary_size"]
        4
    """
    return {
        "cell": model.cell,
        "units": model.units,
        "embedding_dim": model.embedding_dim,
        "bidirectional": model.bidirectional,
        "labels": list(model.labels),
        "vocabulary_size": len(model.tokenizer.vocabulary),
        "sequence_length": model.tokenizer.sequence_length,
    }
