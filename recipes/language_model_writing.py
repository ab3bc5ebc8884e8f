"""Generation with a trained language model, from Keras or from a TFLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.arguments import positive_int
from gru_zoo.text import surrogates

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.models.language_model import LanguageModel
    from gru_zoo.text.characters import CharacterTokenizer
    from gru_zoo.text.tokenizers import WordTokenizer
    from recipes.language_model import Generate

    Tokenizer = WordTokenizer | CharacterTokenizer
    Read = Callable[[int], np.ndarray]


def keras_reader(model: LanguageModel) -> tuple[Tokenizer, Read]:
    """Return a model's tokenizer, and what reads an id and gives the next one's probabilities."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def step(ids: tf.Tensor, state: dict) -> tuple:
        after = model.step(ids, state)
        return model.output(after)[0], after

    state = model.initial_state(1)

    def read(number: int) -> np.ndarray:
        nonlocal state
        probabilities, state = step(tf.constant([number]), state)
        return probabilities.numpy()

    return model.tokenizer, read


def lite_reader(path: Path) -> tuple[Tokenizer, Read]:
    """Return the same of a TFLite file, through its step signature.

    Raises:
        ValueError: it is not the file of a language model.
    """
    from gru_zoo.export.runners.lite_language_model import LiteLanguageModel

    if not path.is_file():
        raise ValueError(f"tflite must be a file; {path} does not exist.")
    model = LiteLanguageModel(path)
    return model.tokenizer, model.read


def check(config: Generate) -> None:
    """Raise ValueError if a flag is out of its range, before a model is opened."""
    from gru_zoo.decoding import sampling

    positive_int("length", config.length)
    sampling.check(config.temperature, config.top_p)
    if config.seed < 0:
        raise ValueError(f"seed must be 0 or more; got {config.seed}.")


def continued(tokenizer: Tokenizer, read: Read, config: Generate) -> Iterator[str]:
    """Yield a text, and then each token that follows it."""
    from gru_zoo.decoding.sampling import continuation
    from gru_zoo.text.tokenizers import PAD, SPECIAL, START, UNKNOWN

    start = SPECIAL.index(START)
    ids = [start, *tokenizer.words([config.text]).to_list()[0]]
    yield surrogates.replaced(config.text)
    for number in continuation(
        read,
        ids,
        config.length,
        temperature=config.temperature,
        top_p=config.top_p,
        seed=config.seed,
        banned=(SPECIAL.index(PAD), SPECIAL.index(UNKNOWN)),
        end=start,  # the next text would begin
    ):
        yield tokenizer.between + tokenizer.vocabulary[number]
