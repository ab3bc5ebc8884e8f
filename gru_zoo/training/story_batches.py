"""Stories of many lengths into training batches of few shapes, each sentence once a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gru_zoo.text.stories import Stories, StoryText
from gru_zoo.training.batching import fitting_length


class StoryTable:
    """Many stories and questions as numbers, cut into batches on demand.

    A batch has the sentences that occur in it, each once: sentences recur so often that their
    encoder's work falls by a factor. Numbers of facts, sentences and words are padded to few sizes,
    so that a compiled kernel meets few shapes.

    Args:
        text: turns sentences into ids.
        stories: sentences of each, in order.
        questions: one for each story.
        lengths: allowed numbers of facts, ascending.

    Raises:
        ValueError: a story is longer than the last length, or has a sentence `text` cannot take.

    Example:
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> table = StoryTable(text, [["Eva left."], []], ["Who left?"] * 2, [2, 4])
        >>> {name: array.shape for name, array in table.batch(np.array([0, 1])).inputs().items()}
        {'sentences': (64, 4), 'story': (2, 2), 'question': (2,)}
    """

    def __init__(
        self,
        text: StoryText,
        stories: Sequence[Sequence[str]],
        questions: Sequence[str],
        lengths: Sequence[int],
    ) -> None:
        all_of_them = text.encode(stories, questions)
        self.sentences, self.story, self.question = all_of_them
        self.words = np.count_nonzero(self.sentences, axis=1)
        self.sizes = np.count_nonzero(self.story, axis=1)
        self.lengths = list(lengths)
        if self.sizes.max() > self.lengths[-1]:
            raise ValueError(f"lengths must reach {self.sizes.max()}; got {self.lengths}.")

    def batch(self, rows: np.ndarray) -> Stories:
        """Return these rows: their sentences, and the story and question as numbers of those."""
        facts = fitting_length(self.sizes[rows].max(), self.lengths)
        story = np.zeros((len(rows), facts), np.int32)
        width = min(facts, self.story.shape[1])
        story[:, :width] = self.story[rows, :width]
        every = np.concatenate([[0], story.ravel(), self.question[rows]])
        used, places = np.unique(every, return_inverse=True)
        words = -(-self.words[used].max() // 2) * 2  # even numbers of words only
        step = 64 if len(used) <= 512 else 256
        sentences = np.zeros((-(-len(used) // step) * step, words), np.int32)
        width = min(words, self.sentences.shape[1])
        sentences[: len(used), :width] = self.sentences[used, :width]
        places = places.astype(np.int32)
        return Stories(
            sentences, places[1 : 1 + story.size].reshape(story.shape), places[-len(rows) :]
        )
