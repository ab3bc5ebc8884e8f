"""A SavedModel's signature as a function."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.names import WHOLE


def open_signature(
    folder: str | os.PathLike, key: str = WHOLE
) -> Callable[..., dict[str, tf.Tensor]]:
    """Return a signature as a function of tensors by name.

    Args:
        folder: the SavedModel.
        key: the signature's name.

    Raises:
        Refused: there is no SavedModel, or it has no such signature.

    Example:
        >>> open_signature("missing")
        Traceback (most recent call last):
        gru_zoo.export.Refused: path must be a SavedModel's folder; missing: ...
    """
    try:
        loaded = tf.saved_model.load(os.fspath(folder))
        loaded.signatures[key]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise Refused(f"path must be a SavedModel's folder; {folder}: {error}") from error
    # Through `loaded`, which owns the variables and must live as long as this function.
    return lambda **tensors: loaded.signatures[key](**tensors)
