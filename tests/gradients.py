"""A layer's outputs and gradients as NumPy arrays, on whichever backend Keras runs."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops


def outputs_and_gradients(
    layer: Any,
    x: np.ndarray,
    h0: np.ndarray | None,
    mask: Any,
    d_states: Any,
    d_last: Any,
    training: bool = False,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return outputs, last state and the gradient of sum(d_states * outputs) + sum(d_last * last).

    `layer` returns sequences and state and is built; gradients are named as in tests/reference.py.
    """
    names = [weight.name for weight in layer.trainable_weights]
    arrays = {"x": x} if h0 is None else {"x": x, "h0": h0}

    given = {"mask": mask, "d_states": d_states, "d_last": d_last}
    backend = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    outputs, last, gradients = backend(layer, training, arrays, given)
    gradients = [np.asarray(ops.convert_to_numpy(g)) for g in gradients]
    return (
        ops.convert_to_numpy(outputs),
        ops.convert_to_numpy(last),
        dict(zip([*arrays, *names], gradients, strict=True)),
    )


def _run(layer: Any, training: bool, tensors: Any, given: Any) -> tuple[Any, Any, Any]:
    options = {"initial_state": tensors.get("h0"), "mask": given["mask"], "training": training}
    outputs, last = layer(tensors["x"], **options)
    by_step = ops.sum(ops.multiply(outputs, given["d_states"]))
    return outputs, last, by_step + ops.sum(ops.multiply(last, given["d_last"]))


def _tensorflow(layer: Any, training: bool, arrays: Any, given: Any) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs, last, loss = _run(layer, training, tensors, given)
    sources = [*tensors.values(), *(weight.value for weight in layer.trainable_weights)]
    return outputs, last, tape.gradient(loss, sources)


def _jax(layer: Any, training: bool, arrays: Any, given: Any) -> tuple[Any, Any, Any]:
    import jax

    values = [weight.value for weight in layer.trainable_weights]
    tensors = {name: jax.numpy.asarray(array) for name, array in arrays.items()}
    gradient = _jax_gradient(layer, training)
    # Compiling pays with several masks, but not for a step written out many times.
    if given["mask"] is None or getattr(layer, "kernel", None) == "unrolled":
        gradient = gradient.__wrapped__
    (by_tensor, by_weight), (outputs, last) = gradient(tensors, values, given)
    return outputs, last, [*(by_tensor[name] for name in arrays), *by_weight]


@functools.lru_cache(maxsize=2)  # One program for all masks that a layer, or a pair, is given.
def _jax_gradient(layer: Any, training: bool) -> Any:
    """Return (tensors, values, given) -> gradients and results, compiled; `__wrapped__` is not."""
    import jax

    def loss(tensors: Any, values: Any, given: Any) -> Any:
        with keras.StatelessScope(zip(layer.trainable_weights, values, strict=True)):
            outputs, last, loss = _run(layer, training, tensors, given)
        return loss, (outputs, last)

    return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))


def _torch(layer: Any, training: bool, arrays: Any, given: Any) -> tuple[Any, Any, Any]:
    import torch

    # On Keras' device: PyTorch's cuDNN is asked for there only.
    tensors = {
        name: ops.convert_to_tensor(array).detach().requires_grad_()
        for name, array in arrays.items()
    }
    outputs, last, loss = _run(layer, training, tensors, given)
    sources = [*tensors.values(), *(weight.value for weight in layer.trainable_weights)]
    return outputs, last, torch.autograd.grad(loss, sources)
