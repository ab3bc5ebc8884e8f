"""Paragraphs and questions to numbers for a reader that answers with a span of the paragraph."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gru_zoo.arguments import positive_int
from gru_zoo.text.word_features import WordFeatures
from gru_zoo.text.words import IGNORED, JOINERS, marks


class Words(NamedTuple):
    """Words of a text and where each stands in it, in characters."""

    words: list[str]
    starts: list[int]
    ends: list[int]


def words_with_offsets(text: str) -> Words:
    """Return words and signs of a text with their places; a mark belongs to what is before it.

    Characters that nobody sees are left out of the words, and counted in their places.

    Example:
        >>> words_with_offsets("In 1973.")
        Words(words=['In', '1973', '.'], starts=[0, 3, 7], ends=[2, 7, 8])
    """
    found = list(_words().finditer(text))
    words = [re.sub(f"[{IGNORED}]", "", m.group()) for m in found]
    return Words(words, [m.start() for m in found], [m.end() for m in found])


@functools.cache
def _words() -> re.Pattern[str]:
    behind, unseen = marks() + JOINERS, f"[{IGNORED}]+"
    more, mark = rf"[\w{behind}]", f"[{behind}]"
    return re.compile(rf"\w{more}*(?:{unseen}{more}+)*|[^\w\s{IGNORED}]{mark}*(?:{unseen}{mark}+)*")


def span_of(words: Words, start: int, end: int) -> tuple[int, int]:
    """Return the first and last word that characters `start` to `end` touch.

    Example:
        >>> span_of(words_with_offsets("In October 1973."), 3, 15)
        (1, 2)
    """
    first = int(np.searchsorted(words.ends, start, side="right"))
    last = int(np.searchsorted(words.starts, end, side="left")) - 1
    return first, max(first, last)


class SpanText:
    """Turn paragraphs and questions, as words, into arrays.

    Args:
        features: of words; ids of what is seen often.
        context_length: words of the longest paragraph.
        question_length: words of the longest question.

    Example:
        >>> text = SpanText(WordFeatures.fit([("Eva", "left")] * 2), 5, 3)
        >>> arrays = text.encode([["Eva", "left"]], [["who", "Left"]])
        >>> arrays["context_word"].tolist(), arrays["same"][0, :2].tolist()
        ([[2, 3]], [[0.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, features: WordFeatures, context_length: int, question_length: int) -> None:
        self.features = features
        self.context_length = positive_int("context_length", context_length)
        self.question_length = positive_int("question_length", question_length)

    def encode(
        self,
        contexts: Sequence[Sequence[str]],
        questions: Sequence[Sequence[str]],
        context_time: int | None = None,
        question_time: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the model's inputs by name.

        Args:
            contexts: words of the paragraphs.
            questions: words of the questions.
            context_time: words to pad paragraphs to; None takes the longest.
            question_time: words to pad questions to; None takes the longest.

        Returns:
            `context_<feature>` int32 [batch, context], `question_<feature>` int32 [batch,
            question], and `same` float32 [batch, context, 2]: whether a paragraph's word is in
            the question as it is written, and whatever its case.

        Raises:
            ValueError: a paragraph or question is empty or too long.
        """
        times = {}
        for name, texts, most, wanted in (
            ("context", contexts, self.context_length, context_time),
            ("question", questions, self.question_length, question_time),
        ):
            sizes = [len(words) for words in texts]
            if min(sizes) < 1 or max(sizes) > most:
                raise ValueError(
                    f"{name} must have 1 to {most} words; got {min(sizes)} to {max(sizes)}."
                )
            times[name] = wanted or max(sizes)
        arrays = {}
        for name, texts in (("context", contexts), ("question", questions)):
            ids = self.features.encode(texts, times[name])
            arrays |= {f"{name}_{feature}": array for feature, array in ids.items()}
        same = np.zeros((len(contexts), times["context"], 2), np.float32)
        for row, context, question in zip(same, contexts, questions, strict=True):
            as_is, lower = set(question), {word.lower() for word in question}
            row[: len(context), 0] = [word in as_is for word in context]
            row[: len(context), 1] = [word.lower() in lower for word in context]
        return {**arrays, "same": same}

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the features as their own configuration."""
        return {
            "features": self.features.get_config(),
            "context_length": self.context_length,
            "question_length": self.question_length,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SpanText:
        """Make the text of `get_config`."""
        return cls(**{**config, "features": WordFeatures.from_config(config["features"])})
