"""Whether a layer is being traced to be saved, or to be vectorized, rather than to be run as it is.

Nothing says so to a layer's `call`, so the callers are looked at: `model.export` traces from
`keras.src.export`, `tf.saved_model.save` from `tensorflow.python.saved_model`, and
`tf.vectorized_map` from `tensorflow.python.ops.parallel_for`.

All of them trace a `tf.function` anew, but a function that was traced before stays as it was, with
the kernel that the layer chose to run. To save such a concrete function,
`signatures=f.get_concrete_function(spec)`, make it inside `kernels.forced("loop")`, or use
`gru_zoo.export.saved_model`; trace one for `tf.vectorized_map` inside `kernels.forced("loop")` too.
"""

from __future__ import annotations

import sys

_SAVERS = (
    "keras.src.export.",
    "keras.src.backend.tensorflow.export",
    "tensorflow.python.saved_model.",
)


def exporting() -> bool:
    """Return whether one of the callers is saving a graph.

    Example:
        >>> exporting()
        False
    """
    return _called_from(_SAVERS)


def vectorizing() -> bool:
    """Return whether one of the callers is `tf.vectorized_map`, which `keras.ops`' calls too.

    It makes each operation anew for the whole batch, without the custom gradient that it had.

    Example:
        >>> vectorizing()
        False
    """
    return _called_from("tensorflow.python.ops.parallel_for.control_flow_ops")


def _called_from(modules: str | tuple[str, ...]) -> bool:
    """Return whether the name of a caller's module begins with one of these."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(modules):
            return True
        frame = frame.f_back
    return False
