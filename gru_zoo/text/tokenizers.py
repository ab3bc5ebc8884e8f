"""Text to word ids: one definition for training, the SavedModel graph and the device.

The device is MediaPipe's TextClassifier, whose RegexTokenizer works like this, and so do we:

    text    the bytes before the first NUL
    words   what is left between the matches of a delimiter pattern (RE2), empty words dropped
    ids     <START>, then an id for each word from a table; <UNKNOWN> for a word not in the table
    shape   cut at the end or padded with <PAD> on the right to the sequence length

Nothing on that path can change a letter's case. Case can be folded by the table instead: "great",
"Great" and "GREAT" are then three of its entries with one id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import one_of, positive_int, several
from gru_zoo.text import surrogates

PAD, START, UNKNOWN = "<PAD>", "<START>", "<UNKNOWN>"
SPECIAL = (PAD, START, UNKNOWN)

# A delimiter is a run of: anything that is neither letter, mark, digit nor apostrophe (an HTML
# break counts as one such character), with the marks and apostrophes that touch it; two or more
# apostrophes; apostrophes at either end of the text. So "don't" is a word and 'quotes' fall away.
# U+2019, which phones type for an apostrophe, counts as one. A character that RE2's tables do not
# know yet parts words, so new emoji do on every device; letters newer than a device's tables too.
# MediaPipe searches again in the remainder after each match, TensorFlow in the whole text: `^`
# means the same to both because a remainder never starts with an apostrophe.
DELIMITER = (
    r"((?:['\x{2019}]*(?:(?i:<br\s*/?>)|[^\p{L}\p{M}\p{N}'\x{2019}])[\p{M}'\x{2019}]*"
    r"|['\x{2019}]{2,}[\p{M}'\x{2019}]*|^[\p{M}'\x{2019}]+|['\x{2019}]+$)+)"
)
CURLY = "\u2019"
# `\C` is any byte: `.` would stop at a byte that is not UTF-8.
AFTER_NUL = r"\x00\C*"
BATCH = 1024


def string_tensor(texts: Any) -> tf.Tensor:
    """Return texts as a string tensor; U+FFFD for half of a surrogate pair, which UTF-8 lacks.

    Example:
        >>> string_tensor(["a\\ud83d"]).numpy()[0].decode() == "a\\ufffd"
        True
    """
    try:
        return tf.convert_to_tensor(texts, tf.string)
    except ValueError:
        if isinstance(texts, str):
            return tf.constant(surrogates.replaced(texts))
        return tf.convert_to_tensor([surrogates.replaced(text) for text in texts], tf.string)


def delimiter_split(texts: tf.Tensor) -> tf.RaggedTensor:
    """Split texts into words with core TensorFlow operations.

    Args:
        texts: string [batch]; bytes that are not UTF-8 stay inside the word they stand in.

    Returns:
        Words, string [batch, (words)].

    Example:
        >>> delimiter_split(tf.constant(["I don't<br />'like' it."])).to_list()
        [[b'I', b"don't", b'like', b'it']]
    """
    return tf.strings.split(_spaced(texts))


def _spaced(texts: tf.Tensor) -> tf.Tensor:
    """Return texts [batch] with a space for each delimiter; no other white space is left."""
    texts = tf.strings.regex_replace(texts, AFTER_NUL, "", replace_global=False)
    return tf.strings.regex_replace(texts, DELIMITER, " ")


def spellings(word: str, fold_case: bool) -> list[str]:
    """Return every spelling that shares the id of `word`.

    That is each of `word` and, with `fold_case`, Word and WORD, with straight and with curly
    apostrophes.

    Example:
        >>> spellings("great", fold_case=True)
        ['great', 'Great', 'GREAT']
    """
    cased = (word, word.capitalize(), word.upper()) if fold_case else (word,)
    return list(dict.fromkeys((*cased, *(form.replace("'", CURLY) for form in cased))))


class WordTokenizer(tf.Module):
    """Words to ids, exactly as MediaPipe's TextClassifier does it with a RegexTokenizer.

        ids = [<START>, table[word 1], table[word 2], ..., <PAD>, ...]     [sequence_length]

    Args:
        vocabulary: one word for each id, the first three being `<PAD>`, `<START>`, `<UNKNOWN>`.
        sequence_length: number of ids a text becomes, at least 1.
        fold_case: the vocabulary is lower case, and the Capitalised and UPPER spelling of each
            word get its id too. A spelling that is itself in the vocabulary keeps its own id.

    Raises:
        ValueError: an argument is not as described; the message says which word is at fault.

    Example:
        >>> tokenizer = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "great"], 4, fold_case=True)
        >>> tokenizer(tf.constant(["Great film!", ""])).numpy().tolist()
        [[1, 3, 2, 0], [1, 0, 0, 0]]
    """

    # What stands between two tokens of a text.
    between = " "

    def __init__(
        self, vocabulary: Sequence[str], sequence_length: int, fold_case: bool = False
    ) -> None:
        super().__init__(name="word_tokenizer")
        words = tuple(vocabulary)
        _check_vocabulary(words)
        self.sequence_length = positive_int("sequence_length", sequence_length)
        self.fold_case = bool(one_of("fold_case", fold_case, (False, True)))
        # Read through properties: as plain attributes tf.Module would walk and wrap every word.
        self._words = lambda: words
        table = self.table()
        self._lookup = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(list(table), tf.string), tf.constant(list(table.values()), tf.int32)
            ),
            default_value=words.index(UNKNOWN),
        )

    @classmethod
    def fit(
        cls,
        texts: Iterable[str | bytes] | tf.data.Dataset,
        vocabulary_size: int,
        sequence_length: int,
        fold_case: bool = False,
    ) -> WordTokenizer:
        """Make a tokenizer of the most frequent words: by count, ties by the words' bytes.

        Args:
            texts: strings, or a `tf.data.Dataset` of scalar string tensors. Read once.
            vocabulary_size: number of ids, the three special ones included, so at least 3. Fewer
                are made if there are fewer words.
            sequence_length: number of ids a text becomes.
            fold_case: keep words in lower case, counted with their other `spellings`. What is
                written in another way, as McDonald, gets no id, and is not counted.

        Raises:
            ValueError: `vocabulary_size` or `sequence_length` is out of range.

        Example:
            >>> WordTokenizer.fit(["a b", "b"], 10, 4).vocabulary[3:]
            ('b', 'a')
        """
        size = positive_int("vocabulary_size", vocabulary_size)
        if size < len(SPECIAL):
            raise ValueError(
                f"vocabulary_size must be at least {len(SPECIAL)} to hold {', '.join(SPECIAL)}; "
                f"got {size}."
            )
        counts: Counter[str] = Counter()
        for word, count in count_words(texts).items():
            word = word.replace(CURLY, "'")
            kept = word.lower() if fold_case else word
            if word in spellings(kept, fold_case):
                counts[kept] += count
        ranked = sorted(counts, key=lambda word: (-counts[word], word.encode()))
        return cls((*SPECIAL, *ranked[: size - len(SPECIAL)]), sequence_length, fold_case)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words; a word's place is its id."""
        return self._words()

    @property
    def delimiter_pattern(self) -> str:
        """The RE2 pattern between words, with the one capture group MediaPipe asks for."""
        return DELIMITER

    def table(self) -> dict[str, int]:
        """Return every spelling that has an id, with its id."""
        table = {word: number for number, word in enumerate(self.vocabulary)}
        for number, word in enumerate(self.vocabulary[len(SPECIAL) :], len(SPECIAL)):
            for form in spellings(word, self.fold_case):
                table.setdefault(form, number)
        return table

    def vocabulary_bytes(self) -> bytes:
        """Return the vocabulary file MediaPipe reads: UTF-8 lines of a spelling and its id.

        Example:
            >>> WordTokenizer(SPECIAL, 4).vocabulary_bytes()
            b'<PAD> 0\\n<START> 1\\n<UNKNOWN> 2\\n'
        """
        return "".join(f"{word} {number}\n" for word, number in self.table().items()).encode()

    @classmethod
    def from_vocabulary_bytes(cls, file: bytes, sequence_length: int) -> WordTokenizer:
        """Make the tokenizer whose `vocabulary_bytes()` are in `file`.

        Raises:
            ValueError: a line is not a spelling and its id, or the lines are not such a file's.

        Example:
            >>> WordTokenizer.from_vocabulary_bytes(WordTokenizer(SPECIAL, 4).vocabulary_bytes(), 4)
            ... # doctest: +ELLIPSIS
            <gru_zoo.text.tokenizers.WordTokenizer object at ...>
        """
        words: dict[int, str] = {}
        lines = file.decode().splitlines()
        for number, line in enumerate(lines, start=1):
            word, _, identifier = line.partition(" ")
            if not identifier.isdecimal():
                raise ValueError(
                    f"file must have a word and its id on line {number}; got {line!r}."
                )
            words.setdefault(int(identifier), word)
        # A word comes before its other spellings.
        vocabulary = [words[identifier] for identifier in sorted(words)]
        for fold_case in (False, True):
            tokenizer = cls(vocabulary, sequence_length, fold_case)
            if tokenizer.vocabulary_bytes() == file:
                return tokenizer
        raise ValueError("file must be a whole vocabulary file; ids or spellings are missing.")

    def words_bytes(self) -> bytes:
        """Return the vocabulary without its other spellings: UTF-8, a word a line, by id.

        It is a fifth of `vocabulary_bytes()`; a reader makes the spellings, see `spellings`.

        Raises:
            ValueError: the tokenizer does not fold case; such a file would not say so.

        Example:
            >>> WordTokenizer((*SPECIAL, "great"), 4, fold_case=True).words_bytes()
            b'<PAD>\\n<START>\\n<UNKNOWN>\\ngreat\\n'
        """
        if not self.fold_case:
            raise ValueError("fold_case must be True for a file of words alone; got False.")
        return "".join(f"{word}\n" for word in self.vocabulary).encode()

    @classmethod
    def from_words_bytes(cls, file: bytes, sequence_length: int) -> WordTokenizer:
        """Make the tokenizer whose `words_bytes()` are in `file`.

        Raises:
            ValueError: the lines are not such a file's, or the last one is not whole.

        Example:
            >>> WordTokenizer.from_words_bytes(b"<PAD>\\n<START>\\n<UNKNOWN>\\ngreat\\n", 4).table()
            {'<PAD>': 0, '<START>': 1, '<UNKNOWN>': 2, 'great': 3, 'Great': 3, 'GREAT': 3}
        """
        *words, rest = file.decode().split("\n")
        if rest:
            raise ValueError(f"file must end with a line break; got {rest!r} at its end.")
        return cls(words, sequence_length, fold_case=True)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Turn texts into ids.

        Args:
            texts: string [batch]. Any bytes will do; those from the first NUL on are ignored.

        Returns:
            ids, int32 [batch, sequence_length].
        """
        ids = self.words(texts)
        room = self.sequence_length - 1
        ids = ids[:, :room].to_tensor(default_value=0, shape=(None, room))
        # [batch, sequence_length - 1] -> [batch, sequence_length]
        return tf.pad(ids, [[0, 0], [1, 0]], constant_values=SPECIAL.index(START))

    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all words, int32 [batch, (words)]: no `<START>`, nothing cut off."""
        words = delimiter_split(string_tensor(texts))
        return words.with_values(self._lookup.lookup(words.values))

    def encode(self, texts: Sequence[str | bytes]) -> np.ndarray:
        """Return the ids of many texts, int32 [texts, sequence_length].

        Raises:
            ValueError: `texts` is one text and no list.
        """
        several("texts", texts)
        batches = [self(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        none = np.zeros((0, self.sequence_length), np.int32)
        return np.concatenate([none, *(batch.numpy() for batch in batches)])

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in plain Python types."""
        return {
            "vocabulary": list(self.vocabulary),
            "sequence_length": self.sequence_length,
            "fold_case": self.fold_case,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WordTokenizer:
        """Make the tokenizer that `get_config` described."""
        return cls(**config)


def count_words(texts: Iterable[str | bytes] | tf.data.Dataset) -> Counter[str]:
    """Count the words of `texts`, split as the tokenizer splits them.

    Words that are not UTF-8 are left out: no vocabulary file could name them.

    Example:
        >>> count_words(["a b", "b"])["b"]
        2
    """
    counts: Counter[bytes] = Counter()
    for batch in _batches(texts):
        for text in _spaced(batch).numpy():
            counts.update(text.split())  # as tf.strings.split would, but twice as fast
    decoded: Counter[str] = Counter()
    for word, count in counts.items():
        try:
            decoded[word.decode()] = count
        except UnicodeDecodeError:
            continue
    return decoded


def _batches(texts: Iterable[str | bytes] | tf.data.Dataset) -> Iterable[tf.Tensor]:
    """Group texts into string tensors [up to BATCH]."""
    if isinstance(texts, tf.data.Dataset):
        yield from texts.batch(BATCH)
        return
    batch: list[str | bytes] = []
    for text in several("texts", texts):
        batch.append(text)
        if len(batch) == BATCH:
            yield string_tensor(batch)
            batch = []
    if batch:
        yield string_tensor(batch)


def _check_vocabulary(words: tuple[str, ...]) -> None:
    """Raise unless `words` can be a vocabulary file: special ones first, no repeats, no spaces."""
    if words[: len(SPECIAL)] != SPECIAL:
        raise ValueError(
            f"vocabulary must start with {', '.join(SPECIAL)}; got {words[: len(SPECIAL)]!r}."
        )
    for word in words:
        if not isinstance(word, str) or not word or any(c.isspace() or c == "\0" for c in word):
            raise ValueError(
                f"vocabulary must hold non-empty words without white space or NUL; got {word!r}."
            )
    if len(set(words)) != len(words):
        twice = next(word for word, count in Counter(words).items() if count > 1)
        raise ValueError(f"vocabulary must name each word once; got {twice!r} more than once.")
