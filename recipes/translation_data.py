"""What a translator learns from: a corpus, or a table of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gru_zoo.data.pairs import Pairs, groups, split_by_groups
from gru_zoo.data.source import Source
from gru_zoo.files import sha256
from gru_zoo.training.runs import RunFolder
from recipes.shared.publishing import is_run
from recipes.shared.table import rows
from recipes.translation_flags import CORPORA, Train

if TYPE_CHECKING:
    from gru_zoo.text.subwords import Subwords


def load(split: str, config: Train) -> tuple[Pairs, Source]:
    """Load a split of what the flags name.

    Args:
        split: "train", "validation" or "test".
        config: flags of a training, languages and all.

    Raises:
        ValueError: a damaged file, or the table is not as described; the message names its line.
        FileNotFoundError: the data are nowhere to be had.
    """
    if config.csv:
        parts, source = _parts_of(config)
        return parts[split], source
    pairs, source = CORPORA[config.corpus].load(split, config.pair)
    return Pairs(*(texts[: config.limit or None] for texts in pairs)), source


def require_encodable(subwords: Subwords, config: Train) -> None:
    """Raise ValueError if a sentence of a table cannot be read, before it is trained on for hours.

    A corpus' test split is left alone until it is read for the report.
    """
    if config.csv:
        for part in _parts_of(config)[0].values():
            for texts in part:
                subwords.encode(texts)


def require_same_parts(config: Train, source: Source) -> None:
    """Raise unless the runs that are trained further here split the same table in the same way.

    What another share holds out for the test may be what they were trained on.

    Args:
        config: the flags.
        source: the record of the table.

    Raises:
        ValueError: one of them split it otherwise.
    """
    start, seen = config.start, set(source.sha256.values())
    while start and is_run(start):
        run = RunFolder.open(Path(start))
        if run.config.get("csv") and set(run.data()["sha256"].values()) == seen:
            for name in ("held_out", "source_column", "target_column"):
                before, now = run.config[name], getattr(config, name)
                if before != now:
                    raise ValueError(
                        f"{name} must be {before!r}, as in {run.path}, so that its training data "
                        f"from {config.csv} is not tested on; got {now!r}."
                    )
        start = run.config.get("start", "")


def _parts_of(config: Train) -> tuple[dict[str, Pairs], Source]:
    path = Path(config.csv)
    pairs = _read(path, config)
    count = len(np.unique(groups(pairs)))
    held = int(count * config.held_out)
    if not held or count <= 2 * held:
        raise ValueError(
            f"held_out must leave sentences for each split; {config.held_out} of the {count} "
            f"different ones of {path} leaves none for {'training' if held else 'the others'}."
        )
    parts = split_by_groups(pairs, test=held, validation=held)
    splits = {
        name: (len(part.source), f"{len(part.source):,} sentences of {path.name}, by a fixed hash")
        for name, part in parts.items()
    }
    checksum = {path.name: sha256(path)}
    return parts, Source(
        path.name, "own", "a table of the user's", "the user's own", splits, checksum
    )


def _read(path: Path, config: Train) -> Pairs:
    """Return every row of a table."""
    columns = [(config.source_column, "source-column"), (config.target_column, "target-column")]
    read = []
    for line, values in rows("csv", path, columns):
        for (name, _), value in zip(columns, values, strict=True):
            if not value.strip():
                raise ValueError(f"{path}, line {line}: {name} must not be empty; it is.")
        # A translation is one line, and all white space in it one kind.
        read.append([" ".join(value.split()) for value in values])
    if not read:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    return Pairs(*map(list, zip(*read, strict=True)))
