"""Names in exported files that whoever runs them goes by."""

from __future__ import annotations

# Signatures: a whole sequence, and one step. TensorFlow Serving asks for the first by itself.
WHOLE, STEP = "serving_default", "step"
# How the name of a state begins, which goes into a step and comes out of it.
STATE = "state_"


def initial_value(state: str) -> float:
    """Return what each number of a state is before the first step.

    A running maximum begins below all that a GRU can give, everything else at zero.

    Example:
        >>> initial_value("state_gru"), initial_value("state_pooling_max")
        (0.0, -1.0)
    """
    return -1.0 if state.endswith("max") else 0.0
