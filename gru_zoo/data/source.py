"""Where a data set's examples came from: the record that runs, cards and tables carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
        sha256: for each file that was read its name and checksum; or for each split, where files
            of the same examples differ (`gru_zoo.data.split.checksum`); or of such a file.
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


def other_data(known: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return what was found in the place of known data, for an error; "" if it is the same.

    Args:
        known: `Source.as_dict` of what is wanted.
        found: that of what was read.

    Example:
        >>> toy = {"name": "toy", "version": "1", "sha256": {"a.csv": "9f"}}
        >>> other_data(toy, {**toy, "version": "2"}), other_data(toy, {**toy, "sha256": {}})
        ('toy 2', 'other contents of a.csv')
    """
    if any(known[key] != found[key] for key in ("name", "version")):
        return f"{found['name']} {found['version']}"
    parts = sorted({name for name, _ in known["sha256"].items() ^ found["sha256"].items()})
    return f"other contents of {', '.join(parts)}" if parts else ""
