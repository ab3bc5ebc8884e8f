"""What the artifact of a model of frames holds, for `folder.publish`.

A file is compared and scored on whole sequences, frame by frame through its step signature, as a
device would run it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gru_zoo.artifacts.file_names import SHIPPED, file_of, variant_of
from gru_zoo.artifacts.stepwise import open_steps
from gru_zoo.export.checks.inspection import Refused, inspect
from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import tflite

# What float32 may be off over some thousand steps, where every state has the rounding of those
# before it: 2e-5 was seen at 1,800. The exporter's own comparison, of some steps, is narrower.
_LONG = 1e-4
_SHARE = 0.01  # by which the loss of an integer-only file may differ
# Of a model of frames; "int16x8" is one integer-only step, for a microcontroller too: in the 8 bits
# of "int8_full" a probability below 1/512 is none at all, and most of a frame's are.
SHIPPED_OF_FRAMES = (*SHIPPED, "int16x8")


def frame_files(
    model: keras.Model, representative: Sequence[np.ndarray]
) -> dict[str, Callable[[Path], Any]]:
    """Return what writes each file: name -> function of the path.

    Args:
        model: from frames `[batch, time, features]` to probabilities of the same shape, causal.
        representative: sequences `[frames, features]` that integers are calibrated on, and files
            compared on.

    Example:
        >>> from gru_zoo.models.frames import frame_model
        >>> list(frame_files(frame_model(5, units=7), [np.ones((9, 5))]))[-1]
        'model_int16x8.tflite'
    """

    def writer(name: str) -> partial:
        if name == "saved_model":
            return partial(saved_model, model)
        given = [np.asarray(sequence, np.float32) for sequence in representative]
        return partial(tflite, model, variant=name, representative=given)

    return {file_of(name): writer(name) for name in SHIPPED_OF_FRAMES}


def frame_parts(
    model: keras.Model, sequences: Sequence[np.ndarray], representative: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Return `files`, `compare` and `assets` for `folder.publish` and `publish_again`.

    Args:
        model: as for `frame_files`.
        sequences: `[frames, features]` each, 0 or 1: what files are compared and scored on.
        representative: as for `frame_files`.

    Example:
        >>> from gru_zoo.models.frames import frame_model
        >>> parts = frame_parts(frame_model(5, units=7), [np.ones((9, 5))], [np.ones((9, 5))])
        >>> sorted(parts)
        ['assets', 'compare', 'files']
    """
    said = [model.predict_on_batch(_frames(sequence)[None])[0] for sequence in sequences]
    own = [_losses(each, sequence) for each, sequence in zip(said, sequences, strict=True)]
    model_loss = float(np.mean(np.concatenate(own)))

    def compare(path: Path, name: str) -> dict[str, Any]:
        kind, read = variant_of(name), open_steps(path)
        worst, losses, times = 0.0, [], []
        for sequence, wanted in zip(sequences, said, strict=True):
            start = time.perf_counter()
            given = read(_frames(sequence))
            times.append(1e3 * (time.perf_counter() - start) / len(given))
            worst = float(np.maximum(worst, np.abs(given - wanted).max()))  # NaN stays NaN
            losses.append(_losses(given, sequence))
        loss = float(np.mean(np.concatenate(losses)))
        _judge(path, kind, worst, loss, model_loss)
        return {
            **inspect(path),
            "largest_difference": worst,
            "latency_ms": None if path.is_dir() else statistics.median(times),
            "metric": loss,
            "model_metric": model_loss,
        }

    files = frame_files(model, representative)
    return {"files": files, "compare": compare, "assets": {}}


def frame_goldens(model: keras.Model, beginnings: np.ndarray) -> dict[str, np.ndarray]:
    """Return the beginnings of some sequences, and the model's probabilities.

    Args:
        model: as for `frame_files`.
        beginnings: `[sequences, time, features]`, 0 or 1.

    Returns:
        `inputs` uint8 and `outputs` float32, both `[sequences, time, features]`.

    Example:
        >>> from gru_zoo.models.frames import frame_model
        >>> frame_goldens(frame_model(5, units=7), np.ones((2, 9, 5)))["outputs"].shape
        (2, 9, 5)
    """
    frames = np.asarray(beginnings, np.float32)
    return {"inputs": frames.astype(np.uint8), "outputs": model.predict_on_batch(frames)}


def _judge(path: Path, kind: str, worst: float, loss: float, model_loss: float) -> None:
    """Raise Refused if a file is too far from the model.

    An integer-only file may predict one key in thousands of frames otherwise, and what follows it:
    there the mean counts, as accuracy does of a classifier's.
    """
    limit = max(LIMITS[kind].difference, _LONG)
    if worst <= limit:
        return
    if LIMITS[kind].on_goldens_only:
        if not abs(loss - model_loss) <= _SHARE * model_loss:  # NaN is refused too.
            raise Refused(
                f"{path} ({kind}) must be within {limit:g} of the model's probabilities or have "
                f"its {model_loss:.4f} nats per frame, within {_SHARE:.0%}; got a difference of "
                f"{worst:.3g} and {loss:.4f}."
            )
    else:
        raise Refused(
            f"{path} ({kind}) must be within {limit:g} of the model's probabilities; got a "
            f"difference of {worst:.3g}."
        )


def _frames(sequence: np.ndarray) -> np.ndarray:
    """Return what is read of a sequence: all but its last frame."""
    return np.asarray(sequence[:-1], np.float32)


def _losses(probabilities: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """Return each following frame's negative log-likelihood, [frames - 1]."""
    chance = np.where(sequence[1:] > 0, probabilities, 1 - probabilities.astype(np.float64))
    return -np.log(np.maximum(chance, 1e-7)).sum(axis=1)
