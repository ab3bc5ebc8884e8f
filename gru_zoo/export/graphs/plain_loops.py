"""GRU layers as plain loops: what a graph may hold that runs on any device."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from gru_zoo.layers import kernels

# Held while layers are changed: another thread must not take what it finds for the user's choice.
_CHANGED = threading.RLock()


@contextlib.contextmanager
def plain_loops(model: keras.Model) -> Iterator[None]:
    """Run the GRU layers of a model, ours and Keras', as a plain loop: no XLA and no cuDNN.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
        >>> with plain_loops(model):
        ...     model.layers[0].use_cudnn
        False
    """
    may = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    with _CHANGED:
        before = [layer.use_cudnn for layer in may]
        try:
            for layer in may:
                layer.use_cudnn = False
            with kernels.forced("loop"):
                yield
        finally:
            for layer, value in zip(may, before, strict=True):
                layer.use_cudnn = value


def run_plain(model: keras.Model, call: Callable[..., Any], *inputs: Any) -> Any:
    """Return what a call gives; no XLA island and no cuDNN operator is in the graph.

    Args:
        model: whose layers are run as plain loops.
        call: the model, or a function that calls it.
        *inputs: of the call.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), keras.layers.GRU(7)])
        >>> run_plain(model, model, keras.ops.ones((2, 5, 4))).shape
        TensorShape([2, 7])
    """
    with plain_loops(model):
        return call(*inputs)
