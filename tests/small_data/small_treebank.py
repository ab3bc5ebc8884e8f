"""A small stand-in for a treebank, written for the tests."""

from __future__ import annotations

import itertools

from gru_zoo.data.source import Source
from gru_zoo.data.universal_dependencies import Sentence

_NOUNS = ("cat", "dog", "river", "teacher", "engine", "garden")
_VERBS = ("watches", "paints", "follows", "repairs", "crosses")
_NAMES = ("Anna", "Boris", "Clara")


def sentences(split: str) -> list[Sentence]:
    """Return sentences of three forms; the splits differ in their words' combinations."""
    rows = []
    for i, (noun, verb, name) in enumerate(itertools.product(_NOUNS, _VERBS, _NAMES)):
        forms = (
            (("The", noun, verb, name, "."), ("DET", "NOUN", "VERB", "PROPN", "PUNCT")),
            ((name, verb, "it"), ("PROPN", "VERB", "PRON")),
            (("It", "is", "a", noun, "!"), ("PRON", "AUX", "DET", "NOUN", "PUNCT")),
        )
        rows.append((i, Sentence(*forms[i % 3])))
    part = {"train": (0, 1, 2, 3), "validation": (4,), "test": (5,)}[split]
    return [sentence for i, sentence in rows if (i // 3) % 6 in part]


def load(split: str, treebank: str = "en_ewt") -> tuple[list[Sentence], Source]:
    """Stand in for `universal_dependencies.load`."""
    sizes = {s: (len(sentences(s)), f"the {s} split") for s in ("train", "validation", "test")}
    return sentences(split), Source(treebank, "0", "https://example.org", "CC0", sizes, {})
