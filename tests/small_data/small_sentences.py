"""A small stand-in for Tatoeba's sentences, written for the tests."""

from __future__ import annotations

import hashlib
import itertools
import zipfile
from pathlib import Path

from gru_zoo.data import tatoeba

_WHO = (("Je", "I"), ("Tu", "You"), ("Il", "He"), ("Nous", "We"))
_DOES = (("vois", "see"), ("veux", "want"), ("cherche", "look for"))
_WHAT = (("le train", "the train"), ("l'eau", "the water"), ("un lit", "a bed"))


def rows() -> list[tuple[str, str]]:
    """Return English and French, as in the file; some English has a second French."""
    first = [
        (f"{who[1]} {does[1]} {what[1]}.", f"{who[0]} {does[0]} {what[0]}.")
        for who, does, what in itertools.product(_WHO, _DOES, _WHAT)
    ]
    second = [(english, f"{french[:-1]}\u202f!") for english, french in first[::4]]
    return sorted([*first, *second])


def write_raw(folder: Path) -> str:
    """Write the archive as upstream names it; return the checksum of the text in it."""
    folder.mkdir(parents=True)
    content = "".join(f"{english}\t{french}\n" for english, french in rows()).encode()
    with zipfile.ZipFile(folder / tatoeba.FILE, "w") as archive:
        archive.writestr(tatoeba.MEMBER, content)
    return hashlib.sha256(content).hexdigest()
