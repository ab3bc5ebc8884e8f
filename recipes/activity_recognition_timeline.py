"""What is done when: the answers after every sample of a recording, as stretches of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Stretch(NamedTuple):
    """Some time with one label.

    Attributes:
        start: of its first sample, in seconds.
        end: of the first sample that is no longer in it, in seconds.
        label: what the model names most often, weighed by how sure it is.
        probability: of that label, the mean over the stretch's samples.
    """

    start: float
    end: float
    label: str
    probability: float


def stretches(
    probabilities: np.ndarray, labels: Sequence[str], rate: float, smooth: float
) -> list[Stretch]:
    """Return a recording's labels, neighbours of one label as one stretch.

    Args:
        probabilities: `[samples, labels]`, after each sample.
        labels: name of each class.
        rate: samples per second.
        smooth: seconds whose answers are averaged, the last of them being the sample's own. 0
            takes each answer alone.

    Example:
        >>> sure = np.array([[0.75, 0.25], [0.25, 0.75], [0.25, 0.75]])
        >>> for each in stretches(sure, ["rest", "walk"], rate=2, smooth=0): print(*each)
        0.0 0.5 rest 0.75
        0.5 1.5 walk 0.75
    """
    require_smooth(smooth)
    span = max(1, round(min(smooth * rate, len(probabilities))))
    total = np.cumsum(np.pad(probabilities.astype(np.float64), [(1, 0), (0, 0)]), axis=0)
    ends = np.arange(1, len(probabilities) + 1)
    mean = total[ends] - total[np.maximum(ends - span, 0)]
    best = mean.argmax(axis=1)
    borders = [0, *(np.flatnonzero(np.diff(best)) + 1), len(best)]
    return [
        Stretch(
            float(start / rate),
            float(end / rate),
            labels[best[start]],
            float(probabilities[start:end, best[start]].mean()),
        )
        for start, end in zip(borders, borders[1:], strict=False)
    ]


def require_smooth(smooth: float) -> None:
    """Raise ValueError unless so many seconds can be averaged over."""
    if not 0 <= smooth < math.inf:
        raise ValueError(f"smooth must be a number of at least 0; got {smooth}.")
