"""Multi30k (Elliott et al. 2016, task 1): captions of 31,014 pictures and their translations.

    train 29,000      validation 1,014      test 1,000 (test_2016_flickr)

Read from the first that is there: a folder that TFDS has prepared; raw files somebody put where
`gru_zoo.data.manual` looks; or a download, which TFDS then prepares. Every raw file is checked
against its SHA-256 either way.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

from gru_zoo.arguments import one_of
from gru_zoo.data import manual, network
from gru_zoo.data.pairs import Pairs, languages
from gru_zoo.data.source import Source

NAME = "multi30k"
LANGUAGES = ("de", "en", "fr")
FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
VERSION = "1.0.0"
COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
ORIGIN = "https://github.com/multi30k/dataset"
ADDRESS = f"https://raw.githubusercontent.com/multi30k/dataset/{COMMIT}/data/task1/raw/"
LICENCE = "captions of Flickr30k pictures, for research; see the repository"
# SHA-256 of the text in each .gz file of that commit.
CHECKSUMS = {
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.fr": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
}


def raw_name(split: str, language: str) -> str:
    """Return the name of the raw file of a split in a language.

    Example:
        >>> raw_name("validation", "de")
        'val.de.gz'
    """
    return f"{FILES[split]}.{language}.gz"


def read_raw(path: Path, name: str) -> list[str]:
    """Return the lines of a raw file.

    Args:
        path: the file; TFDS gives downloads names of its own.
        name: what `raw_name` calls it.

    Raises:
        ValueError: it is damaged, or not the file of that name.

    Example:
        >>> read_raw(Path("train.de.gz"), "train.de.gz")  # doctest: +SKIP
        ['Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.', ...]
    """
    wanted = CHECKSUMS[name.removesuffix(".gz")]
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a gzip file; it is damaged: {error}") from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != wanted:
        raise ValueError(f"{path} must hold the text with SHA-256 {wanted}; it holds {checksum}.")
    return content.decode().splitlines()


def load(split: str, pair: str = "de-en") -> tuple[Pairs, Source]:
    """Load one split, as sentences of one language and their translations into another.

    Args:
        split: "train", "validation" or "test".
        pair: from one of `LANGUAGES` to another, such as "de-en".

    Returns:
        The pairs in the order of the files, and the record of where they came from.

    Raises:
        ValueError: an unknown split or pair, or a damaged file.
        FileNotFoundError: the data are nowhere to be had; the message names the ways.

    Example:
        >>> pairs, source = load("train", "de-en")  # doctest: +SKIP
        >>> len(pairs.source)  # doctest: +SKIP
        29000
    """
    one_of("split", split, FILES)
    both = languages(pair, LANGUAGES)
    for folder in manual.data_dirs():
        if (folder / NAME / VERSION / "dataset_info.json").is_file():
            return _prepared(folder, split, both), _record("a prepared folder was found")
    names = [raw_name(split, language) for language in both]
    found = [manual.raw_file(f"{NAME}/{name}") for name in names]
    if all(found):
        texts = [read_raw(path, name) for path, name in zip(found, names, strict=True)]
        return Pairs(*texts), _record("raw files were found")
    folder = manual.writable_data_dir()
    _download(folder)
    return _prepared(folder, split, both), _record("downloaded")


def _builder(folder: Path) -> Any:
    from gru_zoo.data.multi30k_builder import Multi30k

    return Multi30k(data_dir=folder)


def _download(folder: Path) -> None:
    ways = (
        f"Put the files of {ADDRESS} into {folder / 'downloads/manual' / NAME}, set TFDS_DATA_DIR "
        "to a folder in which TFDS has prepared them, or have a network."
    )
    address = ADDRESS + raw_name("test", "en")
    if not network.answers(address):
        raise FileNotFoundError(
            f"{NAME} is neither prepared nor there as raw files, and {address} gave no answer "
            f"within {network.PATIENCE:g} seconds. {ways}"
        )
    with network.downloading(NAME, ways):
        _builder(folder).download_and_prepare()


def _prepared(folder: Path, split: str, both: tuple[str, str]) -> Pairs:
    import tensorflow_datasets as tfds

    rows = list(tfds.as_numpy(_builder(folder).as_dataset(split=split)))
    rows.sort(key=lambda row: row["line"])  # TFDS shuffles when it prepares
    return Pairs(*([row[language].decode() for row in rows] for language in both))


def _record(reason: str) -> Source:
    words = {"train": "29,000 captions", "validation": "its val", "test": "its test_2016_flickr"}
    sizes = {"train": 29_000, "validation": 1_014, "test": 1_000}
    splits = {split: (size, words[split]) for split, size in sizes.items()}
    return Source("multi30k (task 1)", VERSION, ORIGIN, LICENCE, splits, dict(CHECKSUMS), reason)
