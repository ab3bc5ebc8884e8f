"""Stories and questions to numbers: sentences as rows of word ids, each sentence once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gru_zoo.arguments import positive_int, several

PADDING = "<PAD>"
# In a form that RE2, and with it an exported graph, reads alike. What `str.split` parts words at is
# written out: RE2's own white space is a part of it, without a phone's no-break space.
SPACE = "\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
END_OF_SENTENCE = r"([.!?]+)"
SIGN = f"([^0-9a-z_{SPACE}])"
NO_WORD = f"[{SPACE}.]*"
KEPT = 2**16  # sentences whose rows are kept


class Stories(NamedTuple):
    """Stories with one question each, as the reader's model takes them."""

    sentences: np.ndarray  # int32 [sentences, words], 0 is padding; row 0 is the empty sentence
    story: np.ndarray  # int32 [batch, facts], rows of `sentences`; 0 is padding
    question: np.ndarray  # int32 [batch], rows of `sentences`

    def inputs(self) -> dict[str, np.ndarray]:
        """Return the arrays by the names of the model's inputs."""
        return self._asdict()


def story_words(sentence: str) -> list[str]:
    """Return a sentence's words and signs in lower case; full stops are left out.

    Example:
        >>> story_words("Where is Mary?")
        ['where', 'is', 'mary', '?']
    """
    return re.sub(SIGN, r" \1 ", sentence.lower().replace(".", " ")).split()


def split_sentences(text: str) -> list[str]:
    """Return a text's sentences: what stands before a full stop, a question mark or a new line.

    Example:
        >>> split_sentences("Eva left. It rained.")
        ['Eva left.', 'It rained.']
    """
    found = re.sub(END_OF_SENTENCE, r"\1\n", text).split("\n")
    return [sentence.strip() for sentence in found if not re.fullmatch(NO_WORD, sentence)]


class StoryText:
    """Turn stories and questions into arrays; a closed vocabulary, case folded.

    Args:
        words: the vocabulary; the first is "<PAD>", whose id is 0.
        sentence_length: words of the longest sentence.
        story_length: sentences of the longest story.

    Raises:
        ValueError: words do not begin with "<PAD>" or are repeated, or a length is not positive.

    Example:
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> stories = text.encode([["Eva left."], []], ["Who left?", "Eva left."])
        >>> stories.sentences.tolist(), stories.story.tolist(), stories.question.tolist()
        ([[0, 0, 0], [2, 3, 0], [4, 3, 1]], [[1], [0]], [2, 1])
    """

    def __init__(self, words: Sequence[str], sentence_length: int, story_length: int) -> None:
        words = tuple(words)
        if not words or words[0] != PADDING or len(set(words)) != len(words):
            raise ValueError(f"words must be different and begin with {PADDING!r}; got {words!r}.")
        self.words = words
        self.sentence_length = positive_int("sentence_length", sentence_length)
        self.story_length = positive_int("story_length", story_length)
        self._ids = {word: number for number, word in enumerate(words)}
        self._rows: dict[str, np.ndarray] = {}

    @classmethod
    def fit(cls, sentences: Iterable[str], story_length: int) -> StoryText:
        """Make a vocabulary of every word in the sentences, in alphabetical order.

        Raises:
            ValueError: `sentences` is one text and no list.
        """
        split = [story_words(sentence) for sentence in several("sentences", sentences)]
        longest = max(map(len, split))
        return cls([PADDING, *sorted({w for words in split for w in words})], longest, story_length)

    def row(self, sentence: str, name: str = "sentence") -> np.ndarray:
        """Return a sentence's ids, int32 [sentence_length], padded with 0; not to be written to.

        Raises:
            ValueError: it has no word, more words than fit, or one that is not known; the message
                begins with `name`.
        """
        if sentence in self._rows:
            return self._rows[sentence]
        words = story_words(sentence)
        if not 0 < len(words) <= self.sentence_length:
            raise ValueError(
                f"{name} must have 1 to {self.sentence_length} words; got {len(words)} in "
                f"{sentence!r}."
            )
        for word in words:
            if word not in self._ids:
                near = difflib.get_close_matches(word, self.words, n=2)
                hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
                raise ValueError(
                    f"{name} must consist of the {len(self.words) - 1} words that the model was "
                    f"trained on; got {word!r} in {sentence!r}.{hint}"
                )
        row = np.zeros(self.sentence_length, np.int32)
        row[: len(words)] = [self._ids[word] for word in words]
        row.setflags(write=False)  # Whoever asks for the sentence again gets the same array.
        if len(self._rows) == KEPT:  # A service is asked for ever.
            self._rows.clear()
        self._rows[sentence] = row
        return row

    def check_story(self, story: Sequence[str]) -> None:
        """Raise ValueError unless a story is a list of no more sentences than fit.

        Example:
            >>> StoryText.fit(["Eva left."], story_length=2).check_story(["Eva left."] * 3)
            Traceback (most recent call last):
            ValueError: story must have at most 2 sentences; got 3.
        """
        facts = len(several("story", story))
        if facts > self.story_length:
            raise ValueError(f"story must have at most {self.story_length} sentences; got {facts}.")

    def encode(self, stories: Sequence[Sequence[str]], questions: Sequence[str]) -> Stories:
        """Return the arrays of stories (each a list of sentences) and their questions.

        `facts` of the result is the longest of these stories; each sentence has one row.

        Raises:
            ValueError: a story is too long or is a text, or a sentence is not one for `row`.
        """
        places: dict[str, int] = {}
        rows = [np.zeros(self.sentence_length, np.int32)]

        def place(sentence: str, name: str) -> int:
            if sentence not in places:
                places[sentence] = len(rows)
                rows.append(self.row(sentence, name))
            return places[sentence]

        for sentences in stories:
            self.check_story(sentences)
        facts = max([1, *map(len, stories)])
        story = np.zeros((len(stories), facts), np.int32)
        for row, sentences in zip(story, stories, strict=True):
            row[: len(sentences)] = [place(sentence, "story") for sentence in sentences]
        question = np.array([place(sentence, "question") for sentence in questions], np.int32)
        return Stories(np.stack(rows), story, question)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            "words": list(self.words),
            "sentence_length": self.sentence_length,
            "story_length": self.story_length,
        }
