"""What the artifact of a language model holds, for `folder.publish`.

A file is compared and scored on the beginnings of some texts, token by token: a whole test split
would take a device's interpreter hours.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.artifacts.file_names import SHIPPED, file_of, variant_of
from gru_zoo.export.checks.inspection import Refused, inspect
from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.export.checks.saved_signature import open_signature
from gru_zoo.export.runners.lite_language_model import tokenizer_files
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import tflite
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.characters import CharacterTokenizer


def language_model_files(
    model: LanguageModel, variants: Sequence[str] = SHIPPED
) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: a built language model.
        variants: some of `SHIPPED`.

    Example:
        >>> from gru_zoo.text.characters import CharacterTokenizer
        >>> model = LanguageModel(CharacterTokenizer("abn"), embedding_dim=4, units=5)
        >>> list(language_model_files(model))[:2]
        ['saved_model', 'model_float32.tflite']
    """
    return {
        file_of(name): functools.partial(saved_model, model)
        if name == "saved_model"
        else functools.partial(tflite, model, variant=name)
        for name in variants
    }


def language_model_parts(
    model: LanguageModel, ids: np.ndarray, variants: Sequence[str] = SHIPPED
) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    Args:
        model: a built language model.
        ids: int32 `[texts, time]`, beginnings of texts from their `<START>` on.
        variants: some of `SHIPPED`.

    Example:
        >>> from gru_zoo.text.characters import CharacterTokenizer
        >>> model = LanguageModel(CharacterTokenizer("abn"), embedding_dim=4, units=5)
        >>> sorted(language_model_parts(model, np.array([[1, 3, 5, 3]])))
        ['assets', 'compare', 'files']
    """

    def compare(path: Path, name: str) -> dict[str, Any]:
        kind, read = variant_of(name), _open(path)
        worst, losses, model_losses, times = 0.0, [], [], []
        for row in ids:
            wanted = tf.nn.softmax(model(row[None, :-1]))[0].numpy()  # [time - 1, tokens]
            start = time.perf_counter()
            given = read(row[:-1])
            times.append(1e3 * (time.perf_counter() - start) / len(given))
            worst = float(np.maximum(worst, np.abs(given - wanted).max()))  # NaN stays NaN
            losses.append(-np.log(np.maximum(_next(given, row), 1e-30)))
            model_losses.append(-np.log(_next(wanted, row)))
        if not worst <= LIMITS[kind].difference:  # NaN is refused too.
            raise Refused(
                f"{path} ({kind}) must be within {LIMITS[kind].difference:g} of the model's "
                f"probabilities; got a difference of {worst:.3g}."
            )
        return {
            **inspect(path),
            "scored_on": f"the first {ids.shape[1] - 1} tokens of {len(ids)} test texts",
            "largest_difference": worst,
            "latency_ms": None if path.is_dir() else statistics.median(times),
            "metric": _metric(model, losses),
            "model_metric": _metric(model, model_losses),
        }

    assets = tokenizer_files(model.tokenizer)
    return {"files": language_model_files(model, variants), "compare": compare, "assets": assets}


def language_model_goldens(model: LanguageModel, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return golden ids and the probability of each next one, `[texts, time - 1]`.

    Example:
        >>> from gru_zoo.text.characters import CharacterTokenizer
        >>> model = LanguageModel(CharacterTokenizer("abn"), embedding_dim=4, units=5)
        >>> language_model_goldens(model, np.array([[1, 3, 5, 3]]))["probabilities"].shape
        (1, 3)
    """
    chances = tf.nn.softmax(model(ids[:, :-1])).numpy()
    following = np.stack([_next(one, row) for one, row in zip(chances, ids, strict=True)])
    return {"ids": np.asarray(ids, np.int32), "probabilities": following}


def _metric(model: LanguageModel, losses: Sequence[np.ndarray]) -> float:
    """Return what its card counts in: bits per character, or the perplexity of words."""
    mean = float(np.mean(losses))
    characters = isinstance(model.tokenizer, CharacterTokenizer)
    return mean / math.log(2) if characters else math.exp(mean)


def _next(probabilities: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return what was given to each token that came: [time - 1]."""
    return probabilities[np.arange(len(row) - 1), row[1:]]


def _open(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from ids [time] to the probabilities after each, [time, tokens]."""
    if path.is_dir():
        run = open_signature(path)

        def read_prefixes(row: np.ndarray) -> np.ndarray:
            prefixes = (tf.constant(row[None, :end], tf.int32) for end in range(1, len(row) + 1))
            return np.concatenate([run(ids=ids)["probabilities"].numpy() for ids in prefixes])

        return read_prefixes
    stream = Streamer(path)

    def read(row: np.ndarray) -> np.ndarray:
        stream.reset()
        return np.concatenate([stream.push(number)["probabilities"] for number in row])

    return read
