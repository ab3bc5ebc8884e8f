"""GRU layers as plain loops: what a graph may hold that runs on any device.

Keras' TimeDistributed loses steps in a graph where neither batch nor time is known, so in such a
graph it runs all steps of all sequences as one batch.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

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


@contextlib.contextmanager
def _steps_at_once(model: keras.Model) -> Iterator[None]:
    """Let each TimeDistributed of a model take all steps of all sequences as one batch."""
    stepwise = [
        layer for layer in model._flatten_layers() if type(layer) is keras.layers.TimeDistributed
    ]
    with _CHANGED:
        try:
            for layer in stepwise:
                layer.call = functools.partial(_all_steps, layer)
            yield
        finally:
            for layer in stepwise:
                vars(layer).pop("call", None)


def _all_steps(
    layer: keras.layers.TimeDistributed, inputs: Any, training: bool | None = None, mask: Any = None
) -> Any:
    """Do what a TimeDistributed does to inputs [batch, time, ...], all steps as one batch."""
    inner, options = layer.layer, {}
    sizes = ops.shape(inputs)[:2]
    if mask is not None and inner._call_has_mask_arg:
        options["mask"] = ops.reshape(mask, (-1, *ops.shape(mask)[2:]))
    if inner._call_has_training_arg:
        options["training"] = training
    outputs = inner.call(ops.reshape(inputs, (-1, *inputs.shape[2:])), **options)
    return ops.reshape(outputs, (*sizes, *outputs.shape[1:]))


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
    with plain_loops(model), _steps_at_once(model):
        return call(*inputs)
