"""An exported model that is asked for a whole sequence, and runs it a step at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from gru_zoo.export.checks.saved_signature import open_signature
from gru_zoo.export.runners.streamer import Streamer


def open_steps(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from a sequence `[time, features]` to a file's outputs after each step.

    A TFLite file runs its step signature, as a device would; a SavedModel has whole sequences only.

    Args:
        path: a TFLite file with a step signature, or a SavedModel's folder.

    Example:
        >>> import keras
        >>> from gru_zoo.export import tflite
        >>> from gru_zoo.models.frames import frame_model
        >>> _ = tflite(frame_model(5, units=7), "frames.tflite")
        >>> open_steps(Path("frames.tflite"))(np.ones((9, 5), np.float32)).shape
        (9, 5)
    """
    if path.is_dir():
        run = open_signature(path)
        return lambda steps: run(inputs=tf.constant(steps[None]))["outputs"][0].numpy()
    stream = Streamer(path)

    def read(steps: np.ndarray) -> np.ndarray:
        stream.reset()
        return np.concatenate([stream.push(step)["outputs"] for step in steps])

    return read
