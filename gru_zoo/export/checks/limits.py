"""How far an exported file's probabilities may be from its model's; one that is farther is refused.

difference = max over inputs and labels of |p_file - p_keras|
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.export.checks.inspection import Refused

# "Goldens" of the limits below: the first inputs of a comparison.
GOLDENS = 200
# With fewer texts than this, half a point of accuracy is fewer than five of them: noise.
ENOUGH_TEXTS = 1000


@dataclasses.dataclass(frozen=True)
class Limit:
    """How far a file may be from the model.

    Attributes:
        difference: largest difference of a probability, on every text or on the goldens.
        on_goldens_only: the difference holds for the goldens, not for every text.
        same_label: goldens keep their label, unless the model itself was undecided.
        points: how much accuracy may fall on a split of at least `ENOUGH_TEXTS`, as a fraction.
    """

    difference: float
    on_goldens_only: bool = False
    same_label: bool = False
    points: float | None = None


LIMITS = {
    "saved_model": Limit(1e-5),
    "onnx": Limit(1e-5),
    "float32": Limit(1e-5),
    "mediapipe": Limit(1e-5),
    "float16": Limit(1e-2, same_label=True),
    "int8": Limit(1e-1, on_goldens_only=True, points=0.005),
    "int8_full": Limit(1e-1, on_goldens_only=True, points=0.005),
    "int16x8": Limit(1e-1, on_goldens_only=True, points=0.005),
    "int4": Limit(3e-1, on_goldens_only=True),
}
# A lead of the first label over the second that counts as decided, for `same_label`.
DECIDED = 1e-3


@dataclasses.dataclass(frozen=True)
class Expected:
    """What the Keras model gives for the inputs that a file is compared on.

    Attributes:
        probabilities: [inputs, labels], of the type that the model computes in.
        labels: [inputs] int64 true classes, or None if they are not known.

    Example:
        >>> Expected(np.array([[0.9, 0.1]]), np.array([0])).accuracy(np.array([[0.4, 0.6]]))
        0.0
    """

    probabilities: np.ndarray
    labels: np.ndarray | None = None

    def accuracy(self, probabilities: np.ndarray) -> float | None:
        """Return the share of inputs with the right label, None without `labels`."""
        if self.labels is None:
            return None
        return float(np.mean(probabilities.argmax(axis=1) == self.labels))


def judge(
    path: str | os.PathLike,
    probabilities: np.ndarray,
    expected: Expected,
    variant: str,
    limits: Mapping[str, Limit] = LIMITS,
) -> float:
    """Return the largest difference of a file's probabilities, if they are near enough.

    Args:
        path: of the file, for the message.
        probabilities: what it gave, [inputs, labels].
        expected: what the model gave.
        variant: one of `limits`.
        limits: of another kind of model than a text classifier.

    Raises:
        Refused: a limit is broken; the message says which.
    """
    limit = limits[one_of("variant", variant, limits)]
    if (
        expected.probabilities.dtype.itemsize < 4
        and limit.difference < limits["float16"].difference
    ):
        limit = limits["float16"]  # The model itself is as far off.
    model = expected.probabilities.astype(np.float32)  # [texts, labels]
    differences = np.abs(probabilities - model).max(axis=1)  # [texts]
    judged = differences[:GOLDENS] if limit.on_goldens_only else differences
    if not judged.max() <= limit.difference:  # NaN is refused too.
        worst = int(np.argmax(np.nan_to_num(judged, nan=np.inf)))
        raise Refused(
            f"{path} ({variant}) must be within {limit.difference:g} of the model's probabilities; "
            f"got a difference of {judged[worst]:.3g} on text {worst}."
        )
    if limit.same_label:
        leads = np.sort(model[:GOLDENS], axis=1)
        decided = leads[:, -1] - leads[:, -2] > DECIDED
        changed = (probabilities.argmax(1) != model.argmax(1))[:GOLDENS] & decided
        if changed.any():
            raise Refused(
                f"{path} ({variant}) must give the model's label; "
                f"got another one on text {int(np.argmax(changed))}."
            )
    if limit.points is not None and expected.labels is not None:
        right = [p.argmax(axis=1) == expected.labels for p in (model, probabilities)]
        fall = (int(right[0].sum()) - int(right[1].sum())) / len(expected.labels)
        if fall > limit.points and len(expected.labels) >= ENOUGH_TEXTS:
            raise Refused(
                f"{path} ({variant}) must not lose more than {100 * limit.points:g} points of "
                f"accuracy; got a fall of {100 * fall:.2f}."
            )
    return float(np.nanmax(differences))
