"""A recording of the user's own, and what is done when: a CSV file in, stretches of time out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes.shared.lines import read_lines


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


def read_recording(path: Path, channels: Sequence[str]) -> np.ndarray:
    """Read a recording, one sample per row.

    Args:
        path: UTF-8, values parted by commas, the first row naming the columns, in any order;
            columns that are no channel are ignored.
        channels: names of the columns that the model takes, in its order.

    Returns:
        float32 `[samples, channels]`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a channel is missing, or a row is not as described (the message names file,
            line and column).

    Example:
        >>> _ = Path("walk.csv").write_text("time,y,x\\n0.00,1,2\\n0.02,3,4\\n")
        >>> read_recording(Path("walk.csv"), ["x", "y"]).tolist()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    if not path.is_file():
        raise FileNotFoundError(f"recording must be a file; {path} does not exist.")
    rows = csv.reader(io.StringIO("\n".join(read_lines(path, strict=True)), newline=""))
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in channels if header.count(name) != 1]
    if missing:
        raise ValueError(
            f"{path} must have a first row that names {', '.join(channels)} once each; "
            f"{missing[0]} is there {header.count(missing[0])} times."
        )
    found = list(_samples(path, rows, header, channels))
    if not found:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    return np.array(found, np.float32)


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
    if not 0 <= smooth < math.inf:
        raise ValueError(f"smooth must be a number of at least 0; got {smooth}.")
    span = max(1, round(smooth * rate))
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


def _samples(
    path: Path, rows: Iterator[list[str]], header: list[str], channels: Sequence[str]
) -> Iterator[list[float]]:
    places = [header.index(name) for name in channels]
    for row in rows:
        if not row:  # an empty line
            continue
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {rows.line_num}: must have {len(header)} values, as the header has; "
                f"it has {len(row)}."
            )
        sample = []
        for name, place in zip(channels, places, strict=True):
            try:
                value = float(row[place])
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise ValueError(
                    f"{path}, line {rows.line_num}: {name} must be a finite number; "
                    f"got {row[place]!r}."
                )
            sample.append(value)
        yield sample
