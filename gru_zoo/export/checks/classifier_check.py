"""Comparison of a text classifier's file with the Keras model it came from, and its measurement.

    difference = max over texts and labels of |p_file - p_keras|

Difference, operators, size, latency and accuracy of a file are measured here.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import one_of
from gru_zoo.export.checks.inspection import Refused, inspect
from gru_zoo.export.checks.limits import GOLDENS, LIMITS, Expected, judge
from gru_zoo.export.checks.saved_signature import open_signature
from gru_zoo.export.graphs.programs import require_finite
from gru_zoo.export.runners.lite_classifier import feeds
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.models.classifier import SequenceClassifier


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference(Expected):
    """Texts and what the Keras model says about them: made once, used for every file.

    Attributes:
        texts: raw texts.
        ids: [texts, time] int32.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = SequenceClassifier(words, units=5)
        >>> reference = Reference.of(model, ["fine", "not fine"], labels=[1, 0])
        >>> reference.ids.shape, reference.probabilities.shape
        ((2, 8), (2, 2))
    """

    texts: tuple[bytes, ...]
    ids: np.ndarray

    @classmethod
    def of(
        cls,
        model: SequenceClassifier,
        texts: Sequence[str | bytes],
        labels: Sequence[int] | None = None,
    ) -> Reference:
        """Run `model` over `texts`.

        Raises:
            ValueError: no texts; another number of labels than of texts; or the model gives a
                probability that is not finite.
        """
        if isinstance(texts, str | bytes) or not len(texts):
            raise ValueError(f"texts must be at least one text in a list; got {texts!r:.60}.")
        if labels is not None and len(labels) != len(texts):
            raise ValueError(f"labels must be one for each of {len(texts)}; got {len(labels)}.")
        texts = tuple(t.encode() if isinstance(t, str) else t for t in texts)
        batches = range(0, len(texts), 1024)
        ids = np.concatenate(
            [model.tokenizer(tf.constant(texts[i : i + 1024], tf.string)) for i in batches]
        )
        probabilities = model.predict(ids, batch_size=256, verbose=0)
        if not np.isfinite(probabilities).all():
            raise ValueError("model must give finite probabilities; got NaN or infinity.")
        truth = None if labels is None else np.asarray(labels)
        return cls(probabilities, truth, texts=texts, ids=ids)


def exportable(model: SequenceClassifier) -> None:
    """Raise unless a model can be exported at all.

    Raises:
        ValueError: not a `SequenceClassifier`; a vocabulary of another size than the embedding; a
            weight that is NaN or infinite.
    """
    if not isinstance(model, SequenceClassifier):
        raise ValueError(f"model must be a SequenceClassifier; got {type(model).__name__}.")
    words, rows = len(model.tokenizer.vocabulary), model.embedding.embeddings.shape[0]
    if words != rows:
        raise ValueError(
            f"model.tokenizer must have a word for each of the {rows} rows of model.embedding; "
            f"got {words}."
        )
    require_finite(model)


def probe_texts(model: SequenceClassifier, count: int = 32) -> list[str]:
    """Return texts made of the vocabulary's words, from empty to longer than the model reads."""
    random = np.random.default_rng(0)
    words = (*model.tokenizer.vocabulary[3:], "qqunknownqq")
    lengths = np.linspace(0, model.tokenizer.sequence_length + 2, count).astype(int)
    return [" ".join(words[i] for i in random.integers(len(words), size=n)) for n in lengths]


def check(
    path: str | os.PathLike,
    reference: Reference,
    variant: str,
    *,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compare a file with the model, measure it, and refuse it if it differs.

    Args:
        path: a `.tflite` file, or a SavedModel's folder.
        reference: the texts and the model's probabilities, for instance on a whole test split.
        variant: one of `LIMITS`, which decides how far the file may be off.
        threads: how many interpreters share the texts; latency is measured on one thread.
        progress: called with (texts done, texts) now and then.

    Returns:
        A record for JSON: variant, bytes, operators (name -> count), largest_difference, texts,
        latency_ms (median for one text on one thread), metric and model_metric (accuracy, None
        without labels), and for TFLite min_runtime_version (None if the file does not say) and
        subgraphs.

    Raises:
        Refused: the file is cut short, changed or cannot be read; needs an operator that is not
            built in; or differs by more than the limit.
        ValueError: unknown variant.

    Example:
        >>> from gru_zoo.export import tflite
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> model = SequenceClassifier(words, units=5)
        >>> _ = tflite(model, "fine.tflite", "float16")
        >>> record = check("fine.tflite", Reference.of(model, ["fine"], [1]), "float16")
        >>> record["largest_difference"] < 1e-2
        True
    """
    one_of("variant", variant, LIMITS)
    record = inspect(path)
    probabilities = run(path, reference, threads=threads, progress=progress)
    difference = judge(path, probabilities, reference, variant)
    return {
        "variant": variant,
        **record,
        "texts": len(reference.texts),
        "largest_difference": difference,
        "latency_ms": latency_ms(path, reference),
        "metric": reference.accuracy(probabilities),
        "model_metric": reference.accuracy(reference.probabilities),
    }


def compare(path: str | os.PathLike, reference: Reference, variant: str) -> float:
    """Return the largest difference of a file's probabilities; raise as `check` does."""
    inspect(path)
    return judge(path, run(path, reference), reference, variant)


def run(
    path: str | os.PathLike,
    reference: Reference,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return a file's probabilities [texts, labels] for every text of `reference`.

    Raises:
        Refused: the file cannot be read or run.
    """
    results = np.empty_like(reference.probabilities)
    if Path(path).is_dir():
        classify, size = _open_saved_model(path), 64
        for i in range(0, len(results), size):
            results[i : i + size] = classify(reference.texts[i : i + size])
            if progress:
                progress(min(i + size, len(results)), len(results))
        return results
    done = collections.Counter()

    def work(share: int) -> None:
        classify = _open_tflite(path)
        for i in range(share, len(results), threads):
            results[i] = classify(reference.ids[i : i + 1])
            done[share] += 1
            if progress and share == 0 and done[0] % 100 == 0:
                progress(sum(done.values()), len(results))

    # LiteRT releases the interpreter lock while it computes.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    if progress:
        progress(len(results), len(results))
    return results


def latency_ms(path: str | os.PathLike, reference: Reference) -> float:
    """Return the median time for one text, in milliseconds, on one thread, over the goldens."""
    saved = Path(path).is_dir()
    classify = _open_saved_model(path) if saved else _open_tflite(path)
    texts = reference.texts if saved else reference.ids
    times = []
    for i in [*range(min(10, len(texts))), *range(min(GOLDENS, len(texts)))]:
        start = time.perf_counter()
        classify(texts[i : i + 1])
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[min(10, len(texts)) :])


def _open_tflite(path: str | os.PathLike) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from ids [1, time] to probabilities [1, labels]."""
    try:
        opened = interpreter(path)
        opened.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(f"path must be a TFLite file; LiteRT cannot open {path}: {error}") from error
    places = {about["name"]: about["index"] for about in opened.get_input_details()}
    (result,) = opened.get_output_details()

    def classify(ids: np.ndarray) -> np.ndarray:
        for name, array in feeds(ids).items():
            if name in places:
                opened.set_tensor(places[name], array)
        opened.invoke()
        return opened.get_tensor(result["index"])

    return classify


def _open_saved_model(path: str | os.PathLike) -> Callable[[Sequence[bytes]], np.ndarray]:
    """Return a function from texts [batch] to probabilities [batch, labels]."""
    run = open_signature(path)
    return lambda texts: run(text=tf.constant(list(texts), tf.string))["probabilities"].numpy()
