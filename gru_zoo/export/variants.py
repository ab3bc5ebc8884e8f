"""The forms of a TFLite file, for whoever asks before TensorFlow is imported."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a file is made.

    Attributes:
        layout: "both" signatures, "step" alone, or "flat": steps written out one after the other.
        weights: type the weights are stored in. For "int4" and "int8" matrix products are partly
            in integers that are scaled anew at every step, and the rest is in float32.
        integer_only: whether all of it computes in integers, with scales from representative data.
    """

    layout: str = "both"
    weights: str = "float32"
    integer_only: bool = False


VARIANTS = {
    "float32": Variant(),
    "float16": Variant(weights="float16"),
    "int8": Variant(weights="int8"),
    "int4": Variant(weights="int4"),
    "int8_full": Variant("step", "int8", integer_only=True),
    "int16x8": Variant("step", "int8", integer_only=True),
    "mediapipe": Variant("flat"),
}
WITH_STEP = tuple(name for name, one in VARIANTS.items() if one.layout != "flat")
WITH_SEQUENCE = tuple(name for name, one in VARIANTS.items() if one.layout != "step")
INTEGER_ONLY = tuple(name for name, one in VARIANTS.items() if one.integer_only)
# What any model can have: they need no representative data, and no package but TensorFlow.
BASIC = tuple(name for name in WITH_STEP if name in WITH_SEQUENCE and name != "int4")
