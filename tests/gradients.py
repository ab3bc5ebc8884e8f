"""A layer's outputs and gradients as NumPy arrays, on whichever backend Keras runs."""

from __future__ import annotations

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

    def run(**tensors: Any) -> tuple[Any, Any, Any]:
        options = {"initial_state": tensors.get("h0"), "mask": mask, "training": training}
        outputs, last = layer(tensors["x"], **options)
        loss = ops.sum(ops.multiply(outputs, d_states)) + ops.sum(ops.multiply(last, d_last))
        return outputs, last, loss

    backend = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    outputs, last, gradients = backend(layer, run, arrays)
    gradients = [np.asarray(ops.convert_to_numpy(g)) for g in gradients]
    return (
        ops.convert_to_numpy(outputs),
        ops.convert_to_numpy(last),
        dict(zip([*arrays, *names], gradients, strict=True)),
    )


def _tensorflow(layer: Any, run: Any, arrays: dict[str, np.ndarray]) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs, last, loss = run(**tensors)
    sources = [*tensors.values(), *(weight.value for weight in layer.trainable_weights)]
    return outputs, last, tape.gradient(loss, sources)


def _jax(layer: Any, run: Any, arrays: dict[str, np.ndarray]) -> tuple[Any, Any, Any]:
    import jax

    def loss(tensors: Any, values: Any) -> Any:
        with keras.StatelessScope(zip(layer.trainable_weights, values, strict=True)):
            outputs, last, loss = run(**tensors)
        return loss, (outputs, last)

    values = [weight.value for weight in layer.trainable_weights]
    tensors = {name: jax.numpy.asarray(array) for name, array in arrays.items()}
    (by_tensor, by_weight), (outputs, last) = jax.grad(loss, argnums=(0, 1), has_aux=True)(
        tensors, values
    )
    return outputs, last, [*(by_tensor[name] for name in arrays), *by_weight]


def _torch(layer: Any, run: Any, arrays: dict[str, np.ndarray]) -> tuple[Any, Any, Any]:
    import torch

    # On Keras' device: PyTorch's cuDNN is asked for there only.
    tensors = {
        name: ops.convert_to_tensor(array).detach().requires_grad_()
        for name, array in arrays.items()
    }
    outputs, last, loss = run(**tensors)
    sources = [*tensors.values(), *(weight.value for weight in layer.trainable_weights)]
    return outputs, last, torch.autograd.grad(loss, sources)
