"""What the artifact of a tagger holds, for `folder.publish`."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.artifacts.file_names import file_of, variant_of
from gru_zoo.data.universal_dependencies import Sentence
from gru_zoo.export.checks.inspection import inspect
from gru_zoo.export.checks.limits import Expected, judge
from gru_zoo.export.names import WHOLE
from gru_zoo.export.onnx_file import onnx
from gru_zoo.export.runners.lite_tagger import FEATURES, TAGS
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.export.tagger_folder import tagger_saved_model
from gru_zoo.export.tflite_file import tflite
from gru_zoo.export.variants import BASIC
from gru_zoo.models.tagger import Tagger
from gru_zoo.training.tagged_batches import true_tags

# Steps that a TFLite file is made for where nobody resizes its inputs.
_LENGTH = 32
# Sentences whose time is taken.
_TIMED = 200


def tagger_parts(model: Tagger, sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    The files are those of `tagger_files`; the assets are vocabularies and tags.

    Args:
        model: a built tagger.
        sentences: what the files are compared and scored on, usually the whole test split.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> parts = tagger_parts(model, [Sentence(("a", "film"), ("DET", "NOUN"))])
        >>> sorted(parts), sorted(parts["assets"])
        (['assets', 'compare', 'files'], ['features.json', 'tags.txt'])
    """
    words = [sentence.words for sentence in sentences]
    expected = Expected(np.concatenate(model.probabilities(words)), true_tags(model, sentences))
    return {
        "files": tagger_files(model),
        "compare": partial(_compare, model, words, expected),
        "assets": tagger_assets(model),
    }


def tagger_assets(model: Tagger) -> dict[str, bytes]:
    """Return name -> content of what a device needs beside a file: vocabularies and tags.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> tagger_assets(model)["tags.txt"]
        b'DET\\nNOUN\\n'
    """
    return {
        FEATURES: json.dumps(model.features.get_config(), ensure_ascii=False).encode(),
        TAGS: ("\n".join(model.tags) + "\n").encode(),
    }


def tagger_files(model: Tagger) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: a built tagger.

    Raises:
        ValueError: its cell has no such files.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> list(tagger_files(model))[:2]
        ['saved_model', 'model.onnx']
    """
    cell = model.options["cell"]
    if cell != "gru":
        raise ValueError(f"cell must be 'gru' for a tagger's device files; got {cell!r}.")
    files: dict[str, Callable[[Path], Any]] = {
        "saved_model": partial(tagger_saved_model, model),
        "model.onnx": partial(onnx, model),
    }
    for name in BASIC:
        write = partial(tflite, model, variant=name, sequence_length=_LENGTH)
        files[file_of(name)] = write
    return files


def tagger_goldens(model: Tagger, sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Return golden sentences, one word after the other, and the model's probabilities.

    Args:
        model: a built tagger.
        sentences: words of each.

    Returns:
        `words` bytes [words], `lengths` int32 [sentences], `probabilities` float32 [words, tags].

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> tagger_goldens(model, [("a", "film"), ("film",)])["lengths"].tolist()
        [2, 1]
    """
    return {
        "words": np.array([word.encode() for words in sentences for word in words]),
        "lengths": np.array([len(words) for words in sentences], np.int32),
        "probabilities": np.concatenate(model.probabilities(sentences)),
    }


def tagger_configuration(model: Tagger) -> dict[str, Any]:
    """Return the model's configuration for a card, the vocabularies as their sizes.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> tagger_configuration(model)["units"]
        5
    """
    return {**model.options, "tags": list(model.tags), "vocabularies": model.features.sizes}


def _compare(
    model: Tagger,
    sentences: Sequence[Sequence[str]],
    expected: Expected,
    path: Path,
    name: str,
) -> dict[str, Any]:
    """Return a file's record for the card; raise Refused if it differs."""
    kind = "onnx" if path.suffix == ".onnx" else variant_of(name)
    read = _open(path, model)
    found, times = [], []
    for words in sentences:
        start = time.perf_counter()
        found.append(read(words))
        times.append(1e3 * (time.perf_counter() - start))
    probabilities = np.concatenate(found)
    return {
        **({} if kind == "onnx" else inspect(path)),
        "variant": kind,
        "sentences": len(sentences),
        "largest_difference": judge(path, probabilities, expected, kind),
        "latency_ms": statistics.median(times[:_TIMED]),
        "metric": expected.accuracy(probabilities),
        "model_metric": expected.accuracy(expected.probabilities),
    }


def _open(path: Path, model: Tagger) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from a sentence to probabilities [words, tags]."""
    if path.is_dir():
        loaded = tf.saved_model.load(os.fspath(path))
        return lambda words: loaded.words(tf.constant([words]))["probabilities"].numpy()[0]
    if path.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
        run: Callable[..., Any] = lambda **ids: session.run(None, ids)[0]  # noqa: E731
    else:
        # Kept by its signature's runner.
        signature = interpreter(path).get_signature_runner(WHOLE)
        run = lambda **ids: next(iter(signature(**ids).values()))  # noqa: E731
    return lambda words: run(**model.features.encode([words], len(words)))[0]
