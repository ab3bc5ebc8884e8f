"""Text to subword ids and back: byte-pair encoding (Sennrich et al. 2016), learnt jointly.

    text    NFC; a space becomes "▁" in front of the word after it, punctuation stands alone
    ids     the pieces that the learnt merges make; </s> is added by whoever needs it
    text    the pieces joined, "▁" a space again: what was cut is put together exactly

The package `tokenizers` learns and applies the merges (`pip install "gru-zoo[translation]"`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gru_zoo.arguments import positive_int, several
from gru_zoo.text import surrogates

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PAD, START, END, UNKNOWN = range(4)
# Keyboards and editors write these by themselves; read as what stands for them in a text that has
# been typed plainly, by subwords that do not know them.
TYPOGRAPHY = {
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u200b": "",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2026": "...",
}
# What a translation never holds.
BANNED = (PAD, START, UNKNOWN)


class Subwords:
    """A byte-pair encoding for both languages of a translator.

    Args:
        definition: JSON of a `tokenizers.Tokenizer` whose first pieces are `SPECIAL`.
        longest: pieces that a text may have, </s> not counted.

    Raises:
        ImportError: the package `tokenizers` is missing.
        ValueError: the definition is not such a tokenizer.

    Example:
        >>> subwords = Subwords.fit(["ein Haus", "a house"], size=20, longest=10)
        >>> subwords.decode(subwords.encode(["a house"])[0])
        'a house'
    """

    def __init__(self, definition: str, longest: int) -> None:
        self.longest = positive_int("longest", longest)
        self.definition = definition
        try:
            self._tokenizer = _package().Tokenizer.from_str(definition)
        except ImportError:
            raise
        except Exception as error:  # the package raises bare Exceptions
            raise ValueError(f"definition must be a tokenizer's JSON; {error}.") from error
        first = tuple(self._tokenizer.id_to_token(number) for number in range(len(SPECIAL)))
        if first != SPECIAL:
            raise ValueError(f"definition must start with {SPECIAL}; got {first}.")
        # "<s>" in a text, a tag of HTML, is three characters and no beginning.
        self._tokenizer.encode_special_tokens = True
        unknown = {c: p for c, p in TYPOGRAPHY.items() if self._tokenizer.token_to_id(c) is None}
        self._plain = str.maketrans(unknown)

    @classmethod
    def fit(cls, texts: Iterable[str], size: int, longest: int) -> Subwords:
        """Learn the pieces of some texts.

        Args:
            texts: of both languages.
            size: pieces, with `SPECIAL` and the characters; fewer if there are no more merges.
            longest: see the class.

        Raises:
            ImportError: the package `tokenizers` is missing.
            ValueError: `size` is no positive integer, or `texts` is one text.
        """
        package = _package()
        tokenizer = package.Tokenizer(package.models.BPE(unk_token=SPECIAL[UNKNOWN]))
        tokenizer.normalizer = package.normalizers.NFC()
        tokenizer.pre_tokenizer = package.pre_tokenizers.Sequence(
            [package.pre_tokenizers.Metaspace(), package.pre_tokenizers.Punctuation("isolated")]
        )
        tokenizer.decoder = package.decoders.Metaspace()
        trainer = package.trainers.BpeTrainer(
            vocab_size=positive_int("size", size),
            special_tokens=list(SPECIAL),
            show_progress=False,
        )
        tokenizer.train_from_iterator(list(several("texts", texts)), trainer)
        return cls(tokenizer.to_str(), longest)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(
        self, texts: Sequence[str | bytes], numbers: Sequence[int] | None = None
    ) -> list[list[int]]:
        """Return the ids of each text: of `SPECIAL` only <unk>, for characters that are not known.

        Args:
            texts: what is encoded; bytes are read as UTF-8, U+FFFD for what is none.
            numbers: of the texts, for messages; None counts them from 1 on.

        Raises:
            ValueError: a text that is none, is empty, has nothing but unknown characters, or is
                longer than `longest`; the message gives its number. Or one text for many.
        """
        texts = list(several("texts", texts))
        numbers = numbers or range(1, len(texts) + 1)
        given = zip(numbers, texts, strict=True)
        texts = [_string(number, text).translate(self._plain) for number, text in given]
        try:
            rows = [row.ids for row in self._tokenizer.encode_batch(texts)]
        except TypeError:  # One has half of a surrogate pair, which UTF-8 lacks.
            texts = list(map(surrogates.replaced, texts))
            rows = [row.ids for row in self._tokenizer.encode_batch(texts)]
        for number, text, ids in zip(numbers, texts, rows, strict=True):
            if not ids:
                raise ValueError(f"texts must not be empty; number {number} is {text!r}.")
            if all(piece == UNKNOWN for piece in ids) or not self.decode(ids).strip():
                raise ValueError(
                    f"texts must have a character that the model knows; number {number} has "
                    f"none: {text[:40]!r}."
                )
            if len(ids) > self.longest:
                raise ValueError(
                    f"texts must have at most {self.longest} subwords; number {number} has "
                    f"{len(ids)}: {text[:40]!r}."
                )
        return rows

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids, `SPECIAL` left out."""
        return self._tokenizer.decode([int(piece) for piece in ids], skip_special_tokens=True)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the piece of each id, "▁" where a space was."""
        return [self._tokenizer.id_to_token(int(piece)) for piece in ids]

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in plain Python types."""
        return {"definition": self.definition, "longest": self.longest}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Subwords:
        """Make the subwords that `get_config` described."""
        return cls(**config)


def _string(number: int, text: Any) -> str:
    """Return a text as a string; raise ValueError if it is none, which has a number."""
    if isinstance(text, bytes):
        return text.decode(errors="replace")
    if not isinstance(text, str):  # The package would take a pair for one text in two parts.
        raise ValueError(f"texts must be strings; number {number} is {text!r}.")
    return text


def padded(rows: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
    """Return rows of ids as int32 [rows, length], `PAD` on the right.

    Example:
        >>> padded([[5], [6, 7]]).tolist()
        [[5, 0], [6, 7]]
    """
    ids = np.full((len(rows), length or max(map(len, rows))), PAD, np.int32)
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = given
    return ids


def _package() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            'subwords need the package tokenizers: pip install "gru-zoo[translation]".'
        ) from error
    return tokenizers
