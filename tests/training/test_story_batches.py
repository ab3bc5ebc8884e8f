"""Stories in batches of few shapes."""

import numpy as np

from gru_zoo.text.stories import StoryText
from gru_zoo.training.story_batches import StoryTable


def test_many_sentences_come_in_few_sizes():
    sentences = [f"w{n}." for n in range(600)]
    text = StoryText.fit(sentences, story_length=1)
    table = StoryTable(text, [[]] * 600, sentences, [1])
    sizes = [len(table.batch(np.arange(n)).sentences) for n in (10, 100, 511, 512, 600)]
    assert sizes == [64, 128, 512, 768, 768]
