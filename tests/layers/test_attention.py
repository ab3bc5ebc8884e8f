"""Attention against a loop written from its equations."""

import numpy as np
import pytest
from keras import ops

from gru_zoo.layers.attention import Attention

B, S, T, Q, M, U = 3, 5, 7, 4, 6, 8


def weighted(layer, random):
    """Random weights, biases too, far from symmetric."""
    layer.build((B, S, Q), (B, T, M))
    layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
    return {w.path.split("/", 1)[1]: np.asarray(w, np.float64) for w in layer.weights}


def reference(w, kind, heads, query, memory, mask):
    """Contexts [B, S, U] and weights [B, heads, S, T], one number after the other."""
    size = U // heads
    q = query @ w["query/kernel"] + w["query/bias"]
    k, v = memory @ w["key/kernel"], memory @ w["value/kernel"] + w["value/bias"]
    contexts, weights = np.zeros((B, S, U)), np.zeros((B, heads, S, T))
    for b, h, i in np.ndindex(B, heads, S):
        part = slice(h * size, (h + 1) * size)
        steps = [j for j in range(T) if mask[b, j]]
        if kind == "dot":
            scores = [q[b, i, part] @ k[b, j, part] / np.sqrt(size) for j in steps]
        else:
            combine = w["combine"][h, 0, 0]
            scores = [combine @ np.tanh(q[b, i, part] + k[b, j, part]) for j in steps]
        shares = np.exp(scores) / np.exp(scores).sum()
        for j, share in zip(steps, shares, strict=True):
            weights[b, h, i, j] = share
            contexts[b, i, part] += share * v[b, j, part]
    return contexts, weights


@pytest.mark.parametrize("kind", ["dot", "additive"])
@pytest.mark.parametrize("heads", [1, 2])
def test_equations_and_mask(kind, heads):
    random = np.random.default_rng(heads)
    layer = Attention(U, kind, heads, name="attention")
    w = weighted(layer, random)
    query, memory = random.normal(size=(B, S, Q)), random.normal(size=(B, T, M))
    mask = np.arange(T) < np.array([[7], [2], [4]])
    mask[0, 3] = False  # Any pattern will do.
    expected, shares = reference(w, kind, heads, query, memory, mask)
    memory[~mask] = 1e3  # What is hidden must not come through.
    got = layer(query.astype("float32"), memory.astype("float32"), memory_mask=mask)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    keys, values = layer.prepare(memory.astype("float32"))
    contexts, weights = layer.attend(query.astype("float32"), keys, values, mask)
    np.testing.assert_allclose(contexts, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights, shares, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["dot", "additive"])
@pytest.mark.parametrize("policy", ["float64", "mixed_float16", "mixed_bfloat16", "float16"])
def test_every_type_hides_what_is_masked(kind, policy):
    random = np.random.default_rng(3)
    query, memory = random.normal(size=(B, S, Q)), random.normal(size=(B, T, M))
    mask = np.arange(T) < np.array([[7], [2], [0]])
    layer = Attention(U, kind, 2, dtype=policy, name="attention")
    w = weighted(layer, random)
    _, shares = reference(w, kind, 2, query, memory, mask | (mask.sum(1) == 0)[:, None])
    shares[2] = 1 / T  # all hidden: the mean
    dtype = layer.compute_dtype
    keys, values = layer.prepare(ops.cast(memory, dtype))
    contexts, weights = layer.attend(ops.cast(query, dtype), keys, values, mask)
    assert {contexts.dtype.name, weights.dtype.name} == {dtype}
    near = {"float64": 1e-12, "float16": 2e-2, "bfloat16": 1e-1}[dtype]
    np.testing.assert_allclose(ops.cast(weights, "float64"), shares, atol=near)
    assert not np.any(ops.cast(weights, "float64")[1, :, :, 2:])


def test_config_comes_back():
    layer = Attention(U, "additive", 2, name="a")
    again = Attention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "units must be an integer"),
        ((8, "dott"), "kind must be one of .* Did you mean 'dot'"),
        ((8, "dot", 3), "units must be a multiple of heads=3; got 8"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Attention(*arguments)
