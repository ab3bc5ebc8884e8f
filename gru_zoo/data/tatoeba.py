"""Tatoeba's sentences in French and English, everyday ones, with their translations.

167,130 pairs as manythings.org/anki chose them in April 2019, in the copy of one commit of a public
repository: manythings.org itself has the newest choice only, which is another one each month.

There are no official splits. Many sentences have several translations, and many translations
several sentences: the pairs are split by groups (`gru_zoo.data.pairs`), by a fixed hash.
"""

from __future__ import annotations

import functools
import hashlib
import zipfile
from pathlib import Path

from gru_zoo.arguments import one_of
from gru_zoo.data.pairs import Pairs, languages, split_by_groups
from gru_zoo.data.raw_files import found_or_fetched
from gru_zoo.data.source import Source

LANGUAGES = ("en", "fr")  # as in the file's columns
SPLITS = ("train", "validation", "test")
TEST, VALIDATION = 4_000, 2_000  # groups
FILE, MEMBER = "fra-eng.zip", "fra-eng/fra.txt"
VERSION = "2019-04-07"
COMMIT = "adddaf33ac35572bcfeb421efec29435e7ea9332"
ADDRESS = f"https://raw.githubusercontent.com/modelexlab/data/{COMMIT}/{FILE}"
ORIGIN = "https://www.manythings.org/anki"
LICENCE = "CC BY 2.0 (tatoeba.org)"
ARCHIVE_CHECKSUM = "161c93f18da3a7e6df611ed961426613260de8af06ccf8c79c977afe5135ac44"
# SHA-256 of the text in the archive.
CHECKSUM = "0bb85dbaa1c896844649094d7eaf2e34bee34e84fe362b26ce7e8f2e12aae104"
# French has a space before some marks, which is one of three characters here, and apostrophes are
# of two kinds, by the keyboard of who wrote: learnt and scored as one of each.
PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": "", "’": "'"})


def load(split: str, pair: str = "fr-en") -> tuple[Pairs, Source]:
    """Load one split, as sentences of one language and their translations into the other.

    The file is looked for where files are put by hand (`gru_zoo.data.manual`, in a folder
    `tatoeba_pairs`), else fetched and put there.

    Args:
        split: "train", "validation" or "test"; the last two have one pair a group.
        pair: "fr-en" or "en-fr".

    Returns:
        The pairs in the order of the file, spaces and apostrophes plain; and the record of where
        they came from.

    Raises:
        ValueError: an unknown split or pair, or a damaged file.
        FileNotFoundError: the file is nowhere to be had; the message names the ways.

    Example:
        >>> pairs, source = load("validation")  # doctest: +SKIP
        >>> len(pairs.source)  # doctest: +SKIP
        2000
    """
    one_of("split", split, SPLITS)
    order = [LANGUAGES.index(language) for language in languages(pair, LANGUAGES)]
    path, reason = found_or_fetched("tatoeba_pairs", FILE, ADDRESS, ARCHIVE_CHECKSUM)
    parts = _read(path, CHECKSUM)
    sizes = {name: len(part.source) for name, part in parts.items()}
    held = "one of each of {:,} groups of equal sentences, by a fixed hash"
    splits = {
        name: (
            size,
            f"{size:,} pairs of the other groups" if name == "train" else held.format(size),
        )
        for name, size in sizes.items()
    }
    # Copies: what is read once is kept, whatever a caller does with its own.
    found = Pairs(*(list(parts[split][place]) for place in order))
    source = Source("tatoeba_pairs", VERSION, ORIGIN, LICENCE, splits, {MEMBER: CHECKSUM}, reason)
    return found, source


@functools.lru_cache(maxsize=1)
def _read(path: Path, checksum: str) -> dict[str, Pairs]:
    """Return English and French of each split."""
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(MEMBER)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} must be a zip file with {MEMBER}; {error}.") from error
    if (found := hashlib.sha256(content).hexdigest()) != checksum:
        raise ValueError(f"{path}: {MEMBER} must have SHA-256 {checksum}; it has {found}.")
    rows = [line.split("\t") for line in content.decode().splitlines()]
    pairs = Pairs(
        *([text.translate(PLAIN) for text in column] for column in zip(*rows, strict=True))
    )
    return split_by_groups(pairs, TEST, VALIDATION)
