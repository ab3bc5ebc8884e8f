"""What the artifact of a translator holds, for `folder.publish`."""

from __future__ import annotations

import functools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gru_zoo.artifacts.file_names import variant_of
from gru_zoo.decoding.beam_search import Found
from gru_zoo.decoding.translating import translate
from gru_zoo.export import translator
from gru_zoo.export.checks.differences import relative_difference
from gru_zoo.export.checks.inspection import Refused, inspect
from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.export.runners.lite_translator import SUBWORDS, LiteTranslator
from gru_zoo.export.variants import BASIC
from gru_zoo.models.seq2seq import Seq2Seq
from gru_zoo.text.subwords import END, START, padded

# Sentences whose numbers are compared one by one, and whose time is taken.
COMPARED = 200
# A matrix of int8 is off by about one part in a hundred, and a GRU adds up what is.
ENCODER_INT8 = 0.25
# How far BLEU may fall over a split of at least so many sentences.
POINTS, ENOUGH = 0.5, 1000


class Task(NamedTuple):
    """What the files are compared and scored on.

    Attributes:
        sources: sentences, usually the whole test split.
        score: translations -> the metric.
        beams: of the search.
        alpha: of its length penalty.
    """

    sources: Sequence[str]
    score: Callable[[Sequence[str]], float]
    beams: int = 6
    alpha: float = 1.0


def translator_parts(model: Seq2Seq, task: Task) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    Args:
        model: a built translator.
        task: what the files are compared and scored on.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> parts = translator_parts(model, Task(["ein Haus"], score=len))
        >>> sorted(parts), sorted(parts["assets"])
        (['assets', 'compare', 'files'], ['subwords.json'])
    """
    subwords = json.dumps(model.subwords.get_config(), ensure_ascii=False).encode()
    return {
        "files": translator_files(model),
        "compare": _Comparison(model, task),
        "assets": {SUBWORDS: subwords},
    }


def translator_files(model: Seq2Seq) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: a built translator.

    Raises:
        ValueError: its cell has no such files.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> list(translator_files(model))[:3]
        ['saved_model', 'encoder_float32.tflite', 'decoder_float32.tflite']
    """
    if model.cell != "gru":
        raise ValueError(f"cell must be 'gru' for a translator's files; got {model.cell!r}.")
    files: dict[str, Callable[[Path], Any]] = {
        "saved_model": partial(translator.saved_model, model)
    }
    for kind in BASIC:
        files[f"encoder_{kind}.tflite"] = partial(translator.encoder_file, model, variant=kind)
        files[f"decoder_{kind}.tflite"] = partial(translator.decoder_file, model, variant=kind)
    return files


def translator_goldens(model: Seq2Seq, texts: Sequence[str], task: Task) -> dict[str, np.ndarray]:
    """Return golden texts, their translations, and the logits of each translation's subwords.

    Returns:
        `texts` and `translations` UTF-8 bytes [texts], `ids` int32 [texts, steps] from <s> on,
        `log_probabilities` float32 [texts, steps] of each id's successor.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> goldens = translator_goldens(model, ["ein Haus"], Task([], len))
        >>> goldens["ids"].shape == goldens["log_probabilities"].shape
        True
    """
    best = _best(model, texts, task)
    ids = padded([[START, *found.ids, END] for found in best])
    source = padded([[*row, END] for row in model.subwords.encode(texts)])
    logits = model({"source": source, "target": ids[:, :-1]})
    chosen = tf.gather(tf.nn.log_softmax(logits), ids[:, 1:], batch_dims=2).numpy()
    translations = [model.subwords.decode(found.ids) for found in best]
    return {
        "texts": np.array([text.encode() for text in texts]),
        "translations": np.array([text.encode() for text in translations]),
        "ids": ids[:, :-1],
        "log_probabilities": np.where(ids[:, 1:] == 0, 0, chosen).astype(np.float32),
    }


def translator_configuration(model: Seq2Seq) -> dict[str, Any]:
    """Return the model's configuration for a card, the subwords as their number.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> translator_configuration(model)["units"]
        6
    """
    config = model.get_config()
    names = ("cell", "dim", "units", "num_layers", "heads", "kind")
    return {**{name: config[name] for name in names}, "subwords": len(model.subwords)}


class _Translated(NamedTuple):
    translator: Any
    figures: dict[str, Any]


class _Wanted(NamedTuple):
    """What the model has for one sentence and its own translation of it."""

    source: list[int]
    keys: np.ndarray
    values: np.ndarray
    given: np.ndarray  # [1, steps] int32, the translation from <s> on
    features: tf.Tensor  # [steps, dim] float32, from which the logits are


class _Comparison:
    """Compares each file with the model: its numbers, then what its pair translates."""

    def __init__(self, model: Seq2Seq, task: Task) -> None:
        self.model, self.task = model, task
        self.scored: dict[str, _Translated] = {}  # by variant

    @functools.cached_property
    def best(self) -> list[Found]:
        """The model's own translations."""
        return _best(self.model, self.task.sources, self.task)

    @functools.cached_property
    def wanted(self) -> list[_Wanted]:
        """What files are compared with."""
        found = []
        rows = self.model.subwords.encode(self.task.sources[:COMPARED])
        for row, best in zip(rows, self.best, strict=False):
            source, given = [*row, END], np.array([[START, *best.ids]], np.int32)
            memory = self.model.read(np.array([source], np.int32))
            features = self.model.features(given, memory)[0]
            found.append(_Wanted(source, memory[0].numpy(), memory[1].numpy(), given, features))
        return found

    def __call__(self, path: Path, name: str) -> dict[str, Any]:
        """Return a file's record for the card; raise Refused if it differs."""
        kind = variant_of(name)
        translated = self._translated(path, kind)
        limit = LIMITS[kind].difference
        if path.is_dir():
            difference, latency = _saved_model(translated.translator, self.model, self.task.sources)
        elif name.startswith("encoder"):
            difference, latency = self._encoder(translated.translator)
            limit = ENCODER_INT8 if kind == "int8" else limit
        else:
            difference, latency = self._decoder(translated.translator)
        if not difference <= limit:
            raise Refused(
                f"path must differ by at most {limit:g}; {path} differs by {difference:g}."
            )
        return {
            **inspect(path),
            "largest_difference": difference,
            "latency_ms": latency,
            **translated.figures,
        }

    def _translated(self, path: Path, kind: str) -> _Translated:
        """Translate everything with a file, or with a pair of files, once."""
        if kind not in self.scored:
            if path.is_dir():
                served = translator.ServedTranslator(path, self.model)
                found, milliseconds = _timed(_best, served, self.task.sources, self.task)
                times = [milliseconds / len(found)]
                ours: Any = served
            else:
                files = (path.parent / f"{part}_{kind}.tflite" for part in ("encoder", "decoder"))
                ours, found, times = LiteTranslator(*files), [], []
                for text in self.task.sources:
                    one, milliseconds = _timed(ours.search, text, self.task.beams, self.task.alpha)
                    found.append(one[0])
                    times.append(milliseconds)
            self.scored[kind] = _Translated(ours, self._figures(found, times, kind))
        return self.scored[kind]

    def _figures(self, found: list[Found], times: list[float], kind: str) -> dict[str, Any]:
        """Return what translations are worth; raise Refused if that is much less than the model."""
        decode = self.model.subwords.decode
        metric = self.task.score([decode(one.ids) for one in found])
        of_model = self.task.score([decode(one.ids) for one in self.best])
        if len(found) >= ENOUGH and metric < of_model - POINTS:
            raise Refused(f"path must lose at most {POINTS} points; {kind} falls to {metric:.2f}.")
        same = np.mean([one.ids == other.ids for one, other in zip(found, self.best, strict=True)])
        return {
            "metric": metric,
            "model_metric": of_model,
            "same_translations": float(same),
            "sentence_ms": statistics.median(times),
        }

    def _encoder(self, lite: LiteTranslator) -> tuple[float, float]:
        worst, times = 0.0, []
        for wanted in self.wanted:
            memory, milliseconds = _timed(lite.read, wanted.source)
            times.append(milliseconds)
            off = _off(memory["keys"], wanted.keys), _off(memory["values"], wanted.values)
            worst = float(np.max([worst, *off]))  # NaN stays NaN
        return worst, statistics.median(times)

    def _decoder(self, lite: LiteTranslator) -> tuple[float, float]:
        worst, times = 0.0, []
        beams = self.task.beams
        for wanted in self.wanted:
            memory, state = {"keys": wanted.keys, "values": wanted.values}, lite.start(beams)
            logits = self.model.embedding.logits(wanted.features)
            for ids, expected in zip(wanted.given[0], tf.nn.softmax(logits).numpy(), strict=True):
                last = np.full((1, beams), ids, np.int32)
                (logits, state), milliseconds = _timed(lite.step, last, state, memory)
                times.append(milliseconds)
                got = tf.nn.softmax(logits[0]).numpy()
                worst = float(np.maximum(worst, np.abs(got - expected).max()))
        return worst, statistics.median(times)


def _best(model: Any, texts: Sequence[str], task: Task) -> list[Found]:
    found = translate(model, texts, beams=task.beams, alpha=task.alpha)
    return [row[0] for row in found]


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Return a result and the milliseconds it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, 1e3 * (time.perf_counter() - start)


def _saved_model(served: Any, model: Seq2Seq, sources: Sequence[str]) -> tuple[float, float]:
    """Return the largest difference of a SavedModel over some sentences, and a sentence's time."""
    source = padded([[*row, END] for row in model.subwords.encode(sources[:COMPARED])])
    got, milliseconds = _timed(served.read, tf.constant(source))
    memory = model.read(source)
    off = [_off(one, other) for one, other in zip(got[:2], memory[:2], strict=True)]
    ids = np.full((len(source), 2), START, np.int32)
    ids[:, 1] = END
    state = model.start(len(source), 2)
    for _ in range(3):
        logits, after = served.step(tf.constant(ids), state, memory)
        expected, state = model.step(ids, state, memory)
        off.append(_off(tf.nn.softmax(logits), tf.nn.softmax(expected)))
        off += [_off(one, other) for one, other in zip(after, state, strict=True)]
    return float(np.max(off)), milliseconds / len(source)


def _off(got: Any, expected: Any) -> float:
    """Return the largest difference, in proportion where numbers are beyond 1."""
    return float(relative_difference(np.asarray(got), np.asarray(expected)).max())
