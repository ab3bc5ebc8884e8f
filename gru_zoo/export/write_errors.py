"""A path that is written to: whether it may be, and errors that name it and no other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from gru_zoo.arguments import pathlike
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.workers.isolated import ConversionFailed


def require_new(argument: str, path: str | os.PathLike, overwrite: bool) -> None:
    """Raise unless something may be written to a path.

    Args:
        argument: the caller's name for the path.
        path: where to.
        overwrite: whether what is there may be replaced.

    Raises:
        ValueError: it is no path.
        FileExistsError: something is there, if only a link to nothing.

    Example:
        >>> require_new("path", ".", False)
        Traceback (most recent call last):
        FileExistsError: path must be new, or overwrite=True; '.' exists.
    """
    given = pathlike(argument, path)
    if os.path.lexists(given) and not overwrite:
        raise FileExistsError(f"{argument} must be new, or overwrite=True; {given!r} exists.")


@contextlib.contextmanager
def judged(partial: str | os.PathLike, path: str | os.PathLike) -> Iterator[None]:
    """Let errors about a file that is compared name the path that it is to get.

    Args:
        partial: where it is until then.
        path: the user's.

    Example:
        >>> with judged(".tiny.1/tiny.tflite", "tiny.tflite"):
        ...     raise Refused(".tiny.1/tiny.tflite must be within 1e-05 of the model.")
        Traceback (most recent call last):
        gru_zoo.export.Refused: tiny.tflite must be within 1e-05 of the model.
    """
    try:
        yield
    except (Refused, ConversionFailed) as error:
        message = str(error).replace(os.fspath(partial), os.fspath(path))
        raise type(error)(message) from error


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
