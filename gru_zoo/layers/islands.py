"""Functions that XLA compiles inside of a larger graph, with gradients that are somebody else's.

TensorFlow cannot differentiate a loop that XLA has compiled by itself, and sometimes tries: a tape
that is asked twice, or two of them, around a `tf.function` differentiates every result that its
gradient reads, an island's saved ones too, whatever custom gradient stands around.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


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
        given = tf.nest.flatten(arguments)
        places = [place for place, value in enumerate(given) if value is not None]

        @tf.custom_gradient
        def alone(*tensors: tf.Tensor) -> Any:
            filled = list(given)
            for place, tensor in zip(places, tensors, strict=True):
                filled[place] = tensor
            results = compiled(*tf.nest.pack_sequence_as(arguments, filled))
            return results, lambda *upstream: [None] * len(tensors)

        return alone(*(given[place] for place in places))

    return run
