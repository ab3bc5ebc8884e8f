"""Universal Dependencies treebanks through TFDS: sentences as words and their UPOS tags.

Splits and tokenization are the treebank's own. A written token that stands for several words (UD's
ranges, "don't" over "do" and "n't") has no tag and is left out: its words have theirs.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from gru_zoo.arguments import one_of
from gru_zoo.data import manual, network
from gru_zoo.data.source import Source
from gru_zoo.data.split import checksum

# Name of each split -> what treebanks call it.
_OWN = {"train": "train", "validation": "dev", "test": "test"}
SPLITS = tuple(_OWN)
ORIGIN = "https://universaldependencies.org/"
LICENCES = {"en_ewt": "CC BY-SA 4.0", "fr_sequoia": "LGPL-LR"}
NO_TAG = "_"
# What is no word depends on none: a range, and an empty node ("8.1"), which has a tag.
_NO_HEAD = b"None"


class Sentence(NamedTuple):
    """Words of one sentence and a tag for each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def load(split: str, treebank: str = "en_ewt") -> tuple[list[Sentence], Source]:
    """Load one split of a treebank, downloading it through TFDS if it is not prepared yet.

    Args:
        split: "train", "validation" or "test", the treebank's official ones.
        treebank: one of TFDS' configurations of `universal_dependencies`, such as "en_ewt".

    Returns:
        The sentences in the order of their names, without empty nodes, and the record of where they
        came from.

    Raises:
        ValueError: an unknown split or treebank, or one without that split: many have a test alone.
        FileNotFoundError: the treebank is neither prepared, see `gru_zoo.data.manual`, nor to be
            downloaded.

    Example:
        >>> sentences, source = load("train")  # doctest: +SKIP
        >>> len(sentences)  # doctest: +SKIP
        12543
    """
    one_of("split", split, SPLITS)
    builder, reason = _builder(treebank)
    there = [name for name, own in _OWN.items() if own in builder.info.splits]
    if split not in there:
        raise ValueError(
            f"treebank must have a {split} split (a training needs {', '.join(SPLITS)}); "
            f"{treebank} has {' and '.join(there)} alone."
        )
    return list(_read(builder.data_dir, split)), _record(builder, treebank, reason)


@functools.lru_cache(maxsize=6)
def _read(folder: str, split: str) -> list[Sentence]:
    """Return a split's sentences in the order of their names."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    sentences = []
    tags = builder.info.features["upos"].feature.names
    wanted = dict.fromkeys(("idx", "tokens", "upos", "head"), True)  # a quarter of the time of all
    decoders = tfds.decode.PartialDecoding(wanted)
    with _without_warnings():
        dataset = builder.as_dataset(split=_OWN[split], decoders=decoders)
    for row in tfds.as_numpy(dataset):
        pairs = [
            (word.decode(), tags[tag])
            for word, tag, head in zip(row["tokens"], row["upos"], row["head"], strict=True)
            if tags[tag] != NO_TAG and head != _NO_HEAD
        ]
        sentences.append((row["idx"], Sentence(*map(tuple, zip(*pairs, strict=True)))))
    # TFDS shuffles when it prepares; the names of sentences give one order on every machine.
    sentences.sort(key=lambda pair: pair[0])
    return [sentence for _, sentence in sentences]


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave out TFDS' warnings of itself: partial decoding asks for what it calls deprecated."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _builder(treebank: str) -> tuple[Any, str]:
    import tensorflow_datasets as tfds

    name = f"universal_dependencies/{treebank}"
    known = tfds.builder_cls("universal_dependencies").builder_configs
    one_of("treebank", treebank, sorted(known))
    builder = manual.prepared_builder(lambda folder: tfds.builder(name, data_dir=folder))
    if builder.is_prepared():
        return builder, "a prepared folder was found"
    what = f"treebank {treebank!r} is not prepared in {manual.looked_in()} and"
    ways = (
        "Set TFDS_DATA_DIR to a folder in which TFDS has prepared it, or have a network and "
        'pip install "gru-zoo[treebanks]".'
    )
    with network.downloading(what, ways):
        builder.download_and_prepare()
    return builder, "downloaded"


def _record(builder: Any, treebank: str, reason: str) -> Source:
    there = builder.info.splits
    sizes = {name: there[own].num_examples for name, own in _OWN.items() if own in there}
    return Source(
        f"universal_dependencies/{treebank} (TFDS)",
        str(builder.info.version),
        ORIGIN,
        LICENCES.get(treebank, "see the treebank's page"),
        {name: (size, f"the official {name} split") for name, size in sizes.items()},
        {f"{name} sentences": _checksum(builder.data_dir, name) for name in sizes},
        reason,
    )


def _checksum(folder: str, split: str) -> str:
    """Return the SHA-256 of a split's words and tags."""
    lines = ["\n".join(map("\t".join, zip(*pairs, strict=True))) for pairs in _read(folder, split)]
    return checksum([line.encode() for line in lines])
