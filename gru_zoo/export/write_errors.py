"""What TensorFlow says when a disk is full or read-only, as the error of the path it was about."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def writing(argument: str, path: str | os.PathLike) -> Iterator[None]:
    """Raise OSError with the argument's name if the block cannot write.

    Args:
        argument: the caller's name for the path.
        path: what is written.

    Raises:
        OSError: the disk is full, the folder read-only, or the like.

    Example:
        >>> with writing("path", "model.tflite"):
        ...     raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
        Traceback (most recent call last):
        OSError: path 'model.tflite' could not be written: No space left on device
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        raise  # A model's own operation says these, and no disk.
    except (OSError, tf.errors.OpError) as error:
        message = f"{argument} {os.fspath(path)!r} could not be written: {error}"
        raise OSError(message) from error
