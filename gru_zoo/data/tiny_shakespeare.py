"""Tiny Shakespeare through TFDS: a million characters of plays (Karpathy 2015, char-rnn).

One text, cut by TFDS into its first 90 % (train) and twice 5 % (validation, test), so a model is
tested on other plays than it has read.
"""

from __future__ import annotations

import hashlib

from gru_zoo.arguments import one_of
from gru_zoo.data import manual, network
from gru_zoo.data.source import Source

SPLITS = ("train", "validation", "test")
ORIGIN = "https://github.com/karpathy/char-rnn"
LICENCE = "the plays are in the public domain"


def load(split: str) -> tuple[str, Source]:
    """Load one split, downloading it through TFDS if it is not prepared yet.

    Args:
        split: "train", "validation" or "test".

    Returns:
        The text, and the record of where it came from.

    Raises:
        ValueError: an unknown split.
        FileNotFoundError: it is neither prepared, see `gru_zoo.data.manual`, nor to be downloaded.

    Example:
        >>> text, source = load("train")  # doctest: +SKIP
        >>> len(text)  # doctest: +SKIP
        1003854
    """
    one_of("split", split, SPLITS)
    builder, reason = _builder()
    import tensorflow_datasets as tfds

    (row,) = tfds.as_numpy(builder.as_dataset(split=split))
    files = sorted(tfds.core.Path(builder.data_dir).glob("*.tfrecord*"))
    sizes = {name: about.num_examples for name, about in builder.info.splits.items()}
    source = Source(
        "tiny_shakespeare (TFDS)",
        str(builder.info.version),
        ORIGIN,
        LICENCE,
        {name: (sizes[name], f"TFDS' {name} split, one text") for name in SPLITS},
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        reason,
    )
    return row["text"].decode(), source


def _builder() -> tuple[object, str]:
    import tensorflow_datasets as tfds

    builder = manual.prepared_builder(
        lambda folder: tfds.builder("tiny_shakespeare", data_dir=folder)
    )
    if builder.is_prepared():
        return builder, "a prepared folder was found"
    what = f"tiny_shakespeare is not prepared in {manual.looked_in()} and"
    ways = "Set TFDS_DATA_DIR to a folder in which TFDS has prepared it, or have a network."
    with network.downloading(what, ways):
        builder.download_and_prepare()
    return builder, "downloaded"
