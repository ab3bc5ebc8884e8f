"""Where a data set's examples came from: the record that runs, cards and tables carry."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Source:
    """What was read, from where, under which terms, and which bytes exactly.

    Args:
        name: the data set and the form of it, such as "imdb_reviews (packaged)".
        version: of the builder or package that was read.
        origin: where the data was first published.
        licence: the terms, in words.
        splits: for each split its number of examples and what it is, in plain words.
        sha256: for each file that was read its name and checksum.
        reason: why this source was used and no other.

    Example:
        >>> source = Source("toy", "1", "https://example.org", "CC0", {"train": (2, "both")}, {})
        >>> source.as_dict()["splits"]
        {'train': {'size': 2, 'description': 'both'}}
    """

    name: str
    version: str
    origin: str
    licence: str
    splits: dict[str, tuple[int, str]]
    sha256: dict[str, str]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the record in types JSON has."""
        record = dataclasses.asdict(self)
        record["splits"] = {
            split: {"size": size, "description": description}
            for split, (size, description) in self.splits.items()
        }
        return record
