"""What a translator learns from: a corpus, or a table of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.data.pairs import Pairs, groups, split_by_groups
from gru_zoo.data.source import Source
from gru_zoo.data.split import checksum, digests
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
    if not config.csv:
        return
    pairs, lines = _read(Path(config.csv), config)
    for column, texts in zip((config.source_column, config.target_column), pairs, strict=True):
        try:
            subwords.encode(texts, lines)
        except ValueError as error:
            raise ValueError(f"{config.csv}, {column}, numbered by line: {error}") from error


def require_same_parts(config: Train, source: Source) -> None:
    """Raise unless what is trained further here was trained on the same splits of the table.

    What another share holds out for the test may be what it was trained on. Of another table,
    which may have rows of this one, another share is noted.

    Args:
        config: the flags.
        source: the record of the table.

    Raises:
        ValueError: it was trained on other splits.
    """
    seen = set(source.sha256.values())
    for place, data, before in _earlier(config.start):
        if before == config.held_out:
            continue
        if set(data["sha256"].values()) == seen:
            raise ValueError(
                f"held_out must be {before!r}, as in {place}, so that its training data from "
                f"{config.csv} is not tested on; got {config.held_out!r}."
            )
        print(
            f"note: {place} was trained on another table with --held-out {before}; rows of it "
            f"that {config.csv} has too may be tested on."
        )


def learnt_before(start: str) -> list[str]:
    """Return a sentence on the data of what is trained further, which have their own terms.

    Args:
        start: a run or a preset; "" gives none.
    """
    from gru_zoo.zoo import card

    if not start:
        return []
    run = is_run(start, "from")
    data = RunFolder.open(Path(start)).data() if run else card(start).data
    earlier = RunFolder.open(Path(start)).config.get("start", "") if run else ""
    name = Path(start).name if run else start
    return [
        f"It is {name} trained further, which has learnt from {data['name']} {data['version']} "
        f"({data['licence']}): its subwords are of those data, and their terms apply too.",
        *learnt_before(earlier),
    ]


def _earlier(start: str) -> Iterator[tuple[str, dict[str, Any], float]]:
    """Yield the runs and the preset that are trained further and learnt from a table.

    Returns:
        place, record of the table, and share that was held out of it; the last one first.
    """
    from gru_zoo.zoo import card, list_models

    known: set[str] = set()
    while start and start not in known:
        known.add(start)
        if (Path(start) / "config.json").exists():
            run = RunFolder.open(Path(start))
            if run.config.get("csv") and (run.path / "data.json").exists():
                yield start, run.data(), run.config["held_out"]
            start = run.config.get("start", "")
            continue
        if start in list_models() and "held_out" in card(start).configuration:
            yield start, card(start).data, card(start).configuration["held_out"]
        return


def _parts_of(config: Train) -> tuple[dict[str, Pairs], Source]:
    path = Path(config.csv)
    read, _ = _read(path, config)
    # In an order that is not the table's: the same rows in another one have the same splits.
    joined = ["\n".join(pair).encode() for pair in zip(*read, strict=True)]
    order = np.argsort(digests(joined), kind="stable")
    pairs = Pairs(*([texts[place] for place in order] for texts in read))
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
    known = {path.name: checksum([joined[place] for place in order])}
    return parts, Source(path.name, "own", "a table of the user's", "the user's own", splits, known)


def _read(path: Path, config: Train) -> tuple[Pairs, list[int]]:
    """Return every row of a table, and the line where it begins."""
    columns = [(config.source_column, "source-column"), (config.target_column, "target-column")]
    read, lines = [], []
    for line, values in rows("csv", path, columns):
        for (name, _), value in zip(columns, values, strict=True):
            if not value.strip():
                raise ValueError(f"{path}, line {line}: {name} must not be empty; it is.")
        # A translation is one line, and all white space in it one kind.
        read.append([" ".join(value.split()) for value in values])
        lines.append(line)
    if not read:
        raise ValueError(f"{path} must have rows below its header; it has none.")
    return Pairs(*map(list, zip(*read, strict=True))), lines
