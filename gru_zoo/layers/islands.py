"""Functions that XLA compiles inside of a larger graph, with gradients that are somebody else's.

TensorFlow cannot differentiate a loop that XLA has compiled by itself, and sometimes tries: a tape
that is asked twice, or two of them, around a `tf.function` differentiates every result that its
gradient reads, an island's saved ones too, whatever custom gradient stands around.

Nor does a custom gradient in a graph have all that TensorFlow asks of one: it finds nothing from
another graph, which second derivatives, branches and loops need, and forward mode passes it by.
Functions of their own, and arguments instead of captured tensors, make up for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager.forwardprop_util import pack_tangents


def island(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function as an XLA program of its own whose results have no gradient.

    Args:
        function: of nested tensors, or None in their places; its results are nested tensors.
        **options: of `function`.

    Example:
        >>> double = island(lambda x: (x + x, x * x))
        >>> [float(y) for y in double(tf.constant(3.0))]
        [6.0, 9.0]
    """
    compiled = tf.function(
        functools.partial(function, **options), jit_compile=True, autograph=False
    )

    def run(*arguments: Any) -> Any:
        if tf.executing_eagerly():  # A tape sees none of the arguments: its owner stops them.
            return compiled(*arguments)

        @tf.custom_gradient
        def alone(*tensors: tf.Tensor) -> Any:
            results = compiled(*_filled(arguments, tensors))
            return results, lambda *upstream: [None] * len(tensors)

        return alone(*_tensors(arguments))

    return run


def with_all_it_reads(function: Callable[..., Any], read: Any, *given: tf.Tensor) -> Any:
    """Return `function(read, *given)`, from inside a gradient that is to have one itself.

    That one may be asked for in another graph, from which nothing of this one can be captured. So
    all that the function reads are arguments, in a graph those of a function of its own.

    Args:
        function: returns tensors and the function that makes the gradients of `given` of theirs.
        read: nested tensors, which get no gradient, and whatever else.
        *given: what the results are differentiated in.

    Example:
        >>> def scaled(read, x):
        ...     return read["factor"] * x, lambda upstream: [read["factor"] * upstream]
        >>> read = {"factor": tf.constant(3.0), "mask": None}
        >>> float(with_all_it_reads(scaled, read, tf.constant(2.0)))
        6.0
    """
    tensors = _tensors(read)

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> Any:
        fixed, rest = arguments[: len(tensors)], arguments[len(tensors) :]
        results, gradient = function(_filled(read, fixed), *rest)
        return results, lambda *upstream: [None] * len(fixed) + list(gradient(*upstream))

    if tf.executing_eagerly():  # Stopped, or a tape would record what is done with them.
        return run(*map(tf.stop_gradient, tensors), *given)
    return tf.function(run, autograph=False)(*tensors, *given)


def within_a_function(run: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Return what a function with a custom gradient gives, also where TensorFlow does without it.

    From inside a branch or a loop such a gradient cannot reach the tensors it was given; inside a
    function it can, if they are the function's arguments: from a branch within a branch it would
    not find what it captures. Forward mode in a graph asks a function, and no custom gradient.

    Args:
        run: of arrays or None; returns tensors.
        *arrays: that it is differentiated in.
        **options: of `run`.

    Example:
        >>> int(within_a_function(tf.negative, tf.constant(1)))
        -1
    """
    if tf.executing_eagerly():
        return run(*arrays, **options)
    tensors = [None if array is None else tf.convert_to_tensor(array) for array in arrays]
    graph = type(tf.compat.v1.get_default_graph()).__name__
    branch = graph in ("CondBranchFuncGraph", "WhileBodyFuncGraph")
    if branch or pack_tangents(_tensors(tensors)).tangents:
        return tf.function(lambda *given: run(*given, **options), autograph=False)(*tensors)
    return run(*arrays, **options)


def _tensors(nested: Any) -> list[tf.Tensor]:
    return [value for value in tf.nest.flatten(nested) if tf.is_tensor(value)]


def _filled(nested: Any, tensors: Iterable[tf.Tensor]) -> Any:
    """Return `nested` with other tensors; what is no tensor stays as it is."""
    others = iter(tensors)
    return tf.nest.map_structure(lambda old: next(others) if tf.is_tensor(old) else old, nested)
