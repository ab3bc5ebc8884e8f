"""What a device hands to the files of taggers, readers and translators, made from the goldens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from gru_zoo import load
from gru_zoo.export.runners import lite_translator
from gru_zoo.text.stories import split_sentences
from gru_zoo.zoo import card, models_folder

Call = tuple[str, dict[str, np.ndarray]]  # beginning of the file's name, arrays by input
# Emulated time is dear, and a translation of a sentence is some fifteen calls of the decoder.
SENTENCES, BEAMS = 1, 2


def write(model: str, variant: str, path: Path, into: Path) -> Path:
    """Write the calls of one of a preset's files for `worker.py`, or name the goldens if it has
    their inputs under their names.
    """
    golden = models_folder() / model / "golden.npz"
    make = _KINDS.get(card(model).model["class"])
    if make is None:
        return golden
    with np.load(golden, allow_pickle=False) as archive:
        calls = make(load(model, format="tflite", variant=variant), dict(archive))
    arrays = {
        f"call{number:04d}|{name}": array
        for number, (file, given) in enumerate(calls)
        if path.name.startswith(file)
        for name, array in given.items()
    }
    kept = into / f"{model}-{path.stem}.npz"
    np.savez(kept, **arrays)
    return kept


def _tagger(lite: Any, golden: dict[str, np.ndarray]) -> Iterator[Call]:
    words = [word.decode() for word in golden["words"]]
    for row in np.split(words, np.cumsum(golden["lengths"])[:-1]):
        yield "model", lite.features.encode([row.tolist()], len(row))


def _reader(lite: Any, golden: dict[str, np.ndarray]) -> Iterator[Call]:
    for story, question in zip(golden["stories"], golden["questions"], strict=True):
        rows = [lite.text.row(each, "story") for each in split_sentences(story.decode())]
        asked = lite.text.row(question.decode(), "question")
        yield "model", {"story": np.stack(rows)[None], "question": asked[None]}


def _translator(lite: Any, golden: dict[str, np.ndarray]) -> list[Call]:
    calls = []
    run = lite_translator._Signature.__call__

    def record(self: Any, **arrays: np.ndarray) -> dict[str, Any]:
        calls.append(("decoder" if "keys" in arrays else "encoder", arrays))
        return run(self, **arrays)

    with mock.patch.object(lite_translator._Signature, "__call__", record):
        lite.translate([text.decode() for text in golden["texts"][:SENTENCES]], BEAMS)
    return calls


_KINDS: dict[str, Callable[[Any, dict[str, np.ndarray]], Any]] = {
    "Tagger": _tagger,
    "Reader": _reader,
    "Seq2Seq": _translator,
}
