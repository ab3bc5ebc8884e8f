"""Keras' dtype policy: a scope for it, and no change of it in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

import keras


@contextlib.contextmanager
def dtype_policy_scope(dtype: Any) -> Iterator[None]:
    """Set the dtype policy of every layer that is created inside the `with` block.

    Without it a layer takes the policy of the process, which may be another one where a model is
    loaded, and a model whose parts disagree cannot be called. It is a matter of the thread, and no
    layer is left out, not even one that another one makes.

    Args:
        dtype: a policy or its name, such as "mixed_float16"; None leaves the process' own.

    Raises:
        ValueError: `dtype` is no policy.

    Example:
        >>> with dtype_policy_scope("mixed_bfloat16"):
        ...     layer = keras.layers.Dense(3)
        >>> layer.compute_dtype, keras.layers.Dense(3).compute_dtype
        ('bfloat16', 'float32')
    """
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(kept)


def refuse_quantize(model: keras.Model, mode: Any = None, config: Any = None, **_: Any) -> NoReturn:
    """Raise ValueError; a model's `quantize`.

    Keras' would quantize single layers of a model whose configuration has one policy for all: its
    file could not be read, and an embedding whose rows are the softmax's too would lose its scales.
    """
    raise ValueError(
        f"a {type(model).__name__} cannot be quantized in place; got mode={mode!r}. Export it with "
        "weights in int8 instead: gru_zoo.export, variant='int8'."
    )
