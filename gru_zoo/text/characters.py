"""Text to character ids and back, for language models that read letter by letter.

    ids     the code points' places in the vocabulary; <UNKNOWN> for one that is not in it
    text    the characters joined

Nothing is cut, folded or normalised: text to ids and back gives the same text, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from gru_zoo.text.tokenizers import SPECIAL, UNKNOWN, string_tensor


class CharacterTokenizer(tf.Module):
    """Characters to ids: every code point of Unicode is one.

    Args:
        characters: each once; the first has id 3, after `<PAD>`, `<START>` and `<UNKNOWN>`.

    Raises:
        ValueError: no characters, or one of them repeated.

    Example:
        >>> tokenizer = CharacterTokenizer("abn")
        >>> tokenizer.words(["banana!"]).to_list()
        [[4, 3, 5, 3, 5, 3, 2]]
    """

    # What stands between two tokens of a text.
    between = ""

    def __init__(self, characters: str) -> None:
        super().__init__(name="character_tokenizer")
        if not characters:
            raise ValueError("characters must be at least one; got none.")
        twice = next((c for c, count in Counter(characters).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"characters must name each once; got {twice!r} more than once.")
        self.characters = characters
        points = tf.constant([ord(character) for character in characters], tf.int32)
        ids = tf.range(len(SPECIAL), len(SPECIAL) + len(characters))
        self._lookup = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(points, ids), SPECIAL.index(UNKNOWN)
        )

    @classmethod
    def fit(cls, texts: Iterable[str | bytes]) -> CharacterTokenizer:
        """Make a tokenizer of all characters of some texts, the most frequent first.

        Example:
            >>> CharacterTokenizer.fit(["banana", b"bb"]).characters
            'abn'
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text.decode(errors="replace") if isinstance(text, bytes) else text)
        return cls("".join(sorted(counts, key=lambda character: (-counts[character], character))))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The characters behind the special tokens; a token's place is its id."""
        return (*SPECIAL, *self.characters)

    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all characters, int32 [batch, (characters)], without `<START>`.

        Args:
            texts: string [batch]; bytes that are not UTF-8 become U+FFFD.
        """
        points = tf.strings.unicode_decode(string_tensor(texts), "UTF-8")
        return points.with_values(self._lookup.lookup(points.values))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"characters": self.characters}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> CharacterTokenizer:
        """Make the tokenizer that `get_config` described."""
        return cls(**config)
