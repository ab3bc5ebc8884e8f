"""A small stand-in for Multi30k, written for the tests."""

from __future__ import annotations

import gzip
import hashlib
import itertools
from pathlib import Path

from gru_zoo.data import multi30k
from gru_zoo.data.pairs import Pairs, languages
from gru_zoo.data.source import Source

_WHO = (("Ein Mann", "A man"), ("Eine Frau", "A woman"), ("Ein Hund", "A dog"))
_DOES = (("sieht", "sees"), ("malt", "paints"), ("jagt", "chases"), ("trägt", "carries"))
_WHAT = (("ein Haus", "a house"), ("einen Ball", "a ball"), ("die Katze", "the cat"))


def pairs(split: str) -> Pairs:
    """Return German and English; the splits differ in their words' combinations."""
    rows = [
        (f"{who[0]} {does[0]} {what[0]}.", f"{who[1]} {does[1]} {what[1]}.")
        for who, does, what in itertools.product(_WHO, _DOES, _WHAT)
    ]
    part = {"train": lambda i: i % 6 < 4, "validation": lambda i: i % 6 == 4}
    keep = part.get(split, lambda i: i % 6 == 5)
    kept = [row for number, row in enumerate(rows) if keep(number)]
    return Pairs(*map(list, zip(*kept, strict=True)))


def load(split: str, pair: str = "de-en") -> tuple[Pairs, Source]:
    """Stand in for `multi30k.load`."""
    both = languages(pair, multi30k.LANGUAGES)
    given = pairs(split)
    texts = {"de": given.source, "en": given.target}
    sizes = {s: (len(pairs(s).source), f"its {s}") for s in ("train", "validation", "test")}
    record = Source("small captions", "0", "https://example.org", "CC0", sizes, {})
    return Pairs(*(texts[language] for language in both)), record


def write_raw(folder: Path) -> dict[str, str]:
    """Write raw files as upstream names them; return their checksums. French is "le" + English."""
    folder.mkdir(parents=True)
    checksums = {}
    for split in multi30k.FILES:
        german, english = pairs(split)
        texts = {"de": german, "en": english, "fr": [f"le {text}" for text in english]}
        for language, lines in texts.items():
            name = multi30k.raw_name(split, language)
            content = "".join(f"{line}\n" for line in lines).encode()
            (folder / name).write_bytes(gzip.compress(content))
            checksums[name.removesuffix(".gz")] = hashlib.sha256(content).hexdigest()
    return checksums
