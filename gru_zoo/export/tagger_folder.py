"""A tagger as a SavedModel: texts or words go in, and TensorFlow alone runs it.

    serving_default   text   [batch] string        ->  words, tags [batch, time] string
    words             words  [batch, time] string  ->  tags [batch, time] string,
                                                       probabilities [batch, time, tags] float32

Where a sentence has ended words and tags are "". The words' features and the split of a text are
those of `WordFeatures` and `treebank_words`, written in TensorFlow's operations; letters are told
apart by RE2's Unicode classes.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import tensorflow as tf

from gru_zoo.export.checks.inspection import Refused, inspect
from gru_zoo.export.graphs.plain_loops import run_plain
from gru_zoo.export.names import WHOLE
from gru_zoo.export.write_errors import writing
from gru_zoo.files import atomic_write
from gru_zoo.models.tagger import Tagger
from gru_zoo.text.word_features import UNKNOWN
from gru_zoo.text.words import IGNORED, JOINERS, treebank_words

_LETTERS = rf"[\p{{L}}\p{{N}}_][\p{{L}}\p{{M}}\p{{N}}_{JOINERS}]*"
_SHORT = r"(?:n['’]t|['’](?:s|m|d|re|ve|ll))"
# RE2's \b knows the letters of ASCII alone, and it cannot look ahead: what follows is taken along,
# and given back behind a space.
_SHORTENED = rf"(?i)({_SHORT})([^\p{{L}}\p{{N}}_]|$)"
_WORD = (
    rf"(?i)({_SHORT}(?: |$)|{_LETTERS}(?:[-.@/]{_LETTERS})*|\.\.\."
    rf"|[^\p{{L}}\p{{N}}_\s\p{{Z}}][\p{{M}}{JOINERS}]*)"
)
# What `str.isdigit` takes besides decimal digits: those above and below the line.
_KINDS = ((r"[.,'’-]", "."), (r"[\p{Nd}²³¹⁰⁴-⁹₀-₉]", "9"), (r"\p{Lu}", "X"), (r"\p{L}", "x"))
# Sentences, in texts that a split may get wrong, which a folder is compared on.
_TEXTS = (
    "I don't think it's well-made, sorry.",
    "He'll e-mail bob@example.com at 10.30 … or can’t he?",
    "Un cafe\u0301-bar \u2764\ufe0fno \u0939\u093f\u0928\u094d\u0926\u0940, I don't",
    "\ufeffA soft\u00adware's \u0646\u0645\u06cc\u200c\u062e\u0648 \u2764\u200d\u2764\u200b",
    "Hugh O'Dónnell's is/isn't here, you couldn't've known 'twas O'Séaghdha",
    "WOW!!! 1,000,000 CAFÉS in İzmir and Åre cost £3m² a night...",
)


class WordServer(tf.Module):
    """Features and network as functions of texts and of words; holds variables and tables.

    Args:
        model: a built tagger.
    """

    def __init__(self, model: Tagger) -> None:
        super().__init__()
        self.tables = {
            name: tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(values, tf.string), tf.range(2, len(values) + 2)
                ),
                UNKNOWN,
            )
            for name, values in model.features.vocabularies.items()
        }
        self.model_variables = [variable.value for variable in model.variables]
        self.tag_names = tf.constant(model.tags)
        call = functools.partial(model, training=False)
        # A plain function: tf.Module would save the Keras model itself as an attribute.
        self._read = lambda ids: run_plain(model, call, ids)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return words and tags for texts [batch]."""
        apart = tf.strings.regex_replace(text, f"[{IGNORED}]", "")
        for _ in range(2):  # "n't've": what the first took along may begin another
            apart = tf.strings.regex_replace(apart, _SHORTENED, r" \1 \2")
        apart = tf.strings.regex_replace(apart, r"[\s\p{Z}]+", " ")
        apart = tf.strings.regex_replace(apart, _WORD, r" \1 ")
        words = tf.strings.split(apart).to_tensor("")
        # A batch of empty texts has no word at all, and a network needs a step.
        words = tf.pad(words, [[0, 0], [0, tf.cast(tf.shape(words)[1] == 0, tf.int32)]])
        return {"words": words, "tags": self.words(words)["tags"]}

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec([None, None], tf.string, name="words")]
    )
    def words(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return tags and probabilities for words [batch, time]."""
        probabilities = self._read(self._ids(words))
        names = tf.gather(self.tag_names, tf.argmax(probabilities, axis=-1))
        return {
            "tags": tf.where(words != "", names, ""),
            "probabilities": probabilities,
        }

    def _ids(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return ids by name, as `WordFeatures.encode` gives them."""
        lower = tf.strings.lower(words, encoding="utf-8")
        seen = {"word": lower, "shape": _shapes(words)}
        length = tf.strings.length(lower, unit="UTF8_CHAR")
        for name in self.tables:
            kind, _, size = name.partition("_")
            if kind in ("prefix", "suffix"):
                count = tf.minimum(int(size), length)
                start = tf.zeros_like(count) if kind == "prefix" else length - count
                seen[name] = tf.strings.substr(lower, start, count, unit="UTF8_CHAR")
        ids = {name: table.lookup(seen[name]) for name, table in self.tables.items()}
        return {name: tf.where(words != "", ids[name], 0) for name in self.tables}


def tagger_saved_model(model: Tagger, folder: str | os.PathLike) -> None:
    """Write a tagger as a SavedModel folder, after comparing it with the model on some texts.

    Args:
        model: a built tagger.
        folder: where it goes; an existing one is replaced.

    Raises:
        ValueError: not a tagger.
        export.Refused: what was written differs from the model.
        OSError: it could not be written.

    Example:
        >>> from gru_zoo.text.word_features import WordFeatures
        >>> model = Tagger(WordFeatures.fit([("a", "film", "a", "film")]), ["DET", "NOUN"], units=5)
        >>> tagger_saved_model(model, "tagger")
        >>> loaded = tf.saved_model.load("tagger")
        >>> loaded.text(tf.constant(["A film."]))["words"].numpy().tolist()
        [[b'A', b'film', b'.']]
    """
    if not isinstance(model, Tagger):
        raise ValueError(f"model must be a Tagger; got {type(model).__name__}.")
    server = WordServer(model)
    signatures = {
        WHOLE: server.text.get_concrete_function(),
        "words": server.words.get_concrete_function(),
    }
    with atomic_write(folder) as partial:
        with writing("folder", folder):
            tf.saved_model.save(server, os.fspath(partial), signatures=signatures)
        _compare(partial, model)


def _shapes(words: tf.Tensor) -> tf.Tensor:
    """Return `word_features.shape` of words [batch, time]."""
    letters = tf.strings.unicode_split(words, "UTF-8").to_tensor("")  # [batch, time, letters]
    kinds = letters
    for pattern, kind in reversed(_KINDS):  # the first that matches counts
        kinds = tf.where(tf.strings.regex_full_match(letters, pattern), kind, kinds)
    before = tf.pad(kinds, [[0, 0], [0, 0], [3, 0]])
    count = tf.shape(kinds)[2]
    same = [kinds == before[:, :, shift : shift + count] for shift in range(3)]
    kept = tf.where(same[0] & same[1] & same[2], "", kinds)  # no run longer than three
    return tf.strings.reduce_join(kept, axis=-1)


def _compare(folder: Path, model: Tagger) -> None:
    """Raise Refused unless a folder splits and tags some texts as the model does."""
    inspect(folder)
    loaded = tf.saved_model.load(os.fspath(folder))  # owns the variables of its functions
    results = loaded.text(tf.constant(_TEXTS))
    for text, words, tags in zip(
        _TEXTS, *(results[n].numpy() for n in ("words", "tags")), strict=True
    ):
        wanted = treebank_words(text)
        given = [word.decode() for word in words if word]
        if given != wanted:
            raise Refused(f"{folder} must split {text!r} into {wanted}; got {given}.")
        given = [tag.decode() for tag in tags if tag]
        if given != model.tag([wanted])[0]:
            raise Refused(f"{folder} must tag {text!r} as the model does; got {given}.")
