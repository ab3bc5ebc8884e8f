"""Whether a layer is being traced to be saved, by Keras or by TensorFlow, rather than to be run.

Keras passes no sign of it to a layer's `call`, so the callers are looked at: `model.export` traces
from `keras.src.export`, `tf.saved_model.save` from `tensorflow.python.saved_model`.

Both trace a `tf.function` anew. A concrete function that was made before is saved as it was traced,
with the kernel that the layer chose to run: `signatures=f.get_concrete_function(spec)`. Make it
inside `kernels.forced("loop")`, or use `gru_zoo.export.saved_model`.
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
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_SAVERS):
            return True
        frame = frame.f_back
    return False
