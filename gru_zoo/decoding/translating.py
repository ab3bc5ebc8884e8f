"""Texts through a translator: subwords, the encoder, beam search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gru_zoo.arguments import positive_int
from gru_zoo.decoding.beam_search import NEVER, Found, beam_search, longest_for
from gru_zoo.models.seq2seq import Seq2Seq
from gru_zoo.text.subwords import BANNED, END, PAD, START, Subwords, padded


def translate(
    model: Any,
    texts: Sequence[str],
    *,
    beams: int = 6,
    alpha: float = 1.0,
    batch_size: int = 64,
) -> list[list[Found]]:
    """Return each text's best translations, as ids, the best first.

    Args:
        model: the translator, or anything that has its `subwords`, `read`, `step` and `start`.
        texts: sentences.
        beams: beginnings that the search keeps, and most translations of one text.
        alpha: of the length penalty.
        batch_size: sentences that are searched at once; results do not depend on it.

    Raises:
        ValueError: `texts` is one text; a text is empty, unknown or too long, see
            `Subwords.encode`; or `beams` or `batch_size` is no positive integer.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> len(translate(model, ["Haus", "ein Haus"], beams=2))
        2
    """
    positive_int("beams", beams)
    positive_int("batch_size", batch_size)
    rows = [[*row, END] for row in model.subwords.encode(texts)]
    order = np.argsort([len(row) for row in rows], kind="stable")
    model = _compiled(model) if isinstance(model, Seq2Seq) else model
    results: dict[int, list[Found]] = {}
    for start in range(0, len(rows), batch_size):
        part = order[start : start + batch_size]
        source = padded([rows[i] for i in part])
        memory = model.read(tf.constant(source))

        def one(ids: np.ndarray, state: list[Any], memory: Any = memory) -> Any:
            # Each beam carries its sentence's number, for those that ended are searched no more.
            numbers, *state = map(tf.constant, state)
            memory = [tf.gather(array, numbers[:, 0]) for array in memory]
            logits, state = model.step(tf.constant(ids), state, tuple(memory))
            return logits.numpy(), [numbers.numpy(), *(a.numpy() for a in state)]

        numbers = np.repeat(np.arange(len(part))[:, None], beams, axis=1)
        found = beam_search(
            one,
            [numbers, *(a.numpy() for a in model.start(len(part), beams))],
            len(part),
            beams=beams,
            longest=[longest_for(len(rows[i]) - 1) for i in part],
            start=START,
            end=END,
            alpha=alpha,
            banned=BANNED,
        )
        results.update(zip(part.tolist(), found, strict=True))
    return [results[i] for i in range(len(rows))]


def translations(
    model: Any, texts: Sequence[str], *, beams: int = 6, alpha: float = 1.0
) -> list[str]:
    """Return the best translation of each text; arguments and errors of `translate`.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> len(translations(model, ["Haus", "ein Haus"], beams=2))
        2
    """
    found = translate(model, texts, beams=beams, alpha=alpha)
    return [model.subwords.decode(best[0].ids) for best in found]


def translate_greedily(model: Seq2Seq, texts: Sequence[str], batch_size: int = 256) -> list[str]:
    """Return one translation of each text, the likeliest subword chosen at every step.

    The whole loop is one graph: many times as fast as a search, for validation while training.

    Raises:
        ValueError: as for `translate`.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> len(translate_greedily(model, ["Haus", "ein Haus"]))
        2
    """
    positive_int("batch_size", batch_size)
    rows = [[*row, END] for row in model.subwords.encode(texts)]
    order = np.argsort([len(row) for row in rows], kind="stable")
    if not hasattr(model, "_greedy"):
        ids = tf.TensorSpec((None, None), tf.int32)
        greedy = functools.partial(_greedy, model)
        model._greedy = tf.function(greedy, input_signature=[ids], autograph=False)
    results: dict[int, str] = {}
    for start in range(0, len(rows), batch_size):
        part = order[start : start + batch_size]
        chosen = model._greedy(padded([rows[i] for i in part])).numpy()
        results.update(zip(part.tolist(), map(model.subwords.decode, chosen), strict=True))
    return [results[i] for i in range(len(rows))]


def _greedy(model: Seq2Seq, source: tf.Tensor) -> tf.Tensor:
    """Return ids `[sentences, steps]` for ids `[sentences, time]`, `PAD` after `END`."""
    memory, sentences = model.read(source), tf.shape(source)[0]
    lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)
    longest = longest_for(lengths - 1)  # a sentence's own: others in its batch may be longer
    state = model.start(sentences, 1)
    never = tf.reduce_sum(tf.one_hot(BANNED, len(model.subwords)), axis=0) * NEVER
    last = tf.fill((sentences,), START)
    done = tf.fill((sentences,), False)
    chosen = tf.TensorArray(tf.int32, 0, dynamic_size=True)

    def body(t: Any, last: Any, done: Any, chosen: Any, state: Any) -> tuple:
        logits, state = model.step(last[:, None], state, memory)
        best = tf.argmax(tf.cast(logits[:, 0], tf.float32) + never, axis=-1, output_type=tf.int32)
        best = tf.where(done, PAD, best)
        done |= (best == END) | (t + 1 == longest)
        return t + 1, best, done, chosen.write(t, best), state

    shapes = [tf.TensorShape((None, 1, None if a.dtype == tf.int32 else a.shape[2])) for a in state]
    none = tf.TensorShape((None,))
    _, _, _, chosen, _ = tf.while_loop(
        lambda t, last, done, *_: ~tf.reduce_all(done),
        body,
        (tf.constant(0), last, done, chosen, state),
        shape_invariants=(tf.TensorShape(()), none, none, tf.TensorShape(None), shapes),
        maximum_iterations=tf.reduce_max(longest),
    )
    return tf.transpose(chosen.stack())


class _Compiled(NamedTuple):
    """A translator whose `read` and `step` are graphs, each traced once for all shapes."""

    subwords: Subwords
    read: Callable[..., Any]
    step: Callable[..., Any]
    start: Callable[[int, int], list[Any]]


def _compiled(model: Seq2Seq) -> _Compiled:
    if not hasattr(model, "_translating"):
        ids = tf.TensorSpec((None, None), tf.int32)
        row = tf.TensorSpec((None, None, model.attention.units), model.compute_dtype)
        memory = (row, row, tf.TensorSpec((None, None), tf.bool))
        state = [tf.TensorSpec((None, None, *a.shape[2:]), a.dtype) for a in model.start(1, 1)]
        if model.cell == "transformer":
            state = [tf.TensorSpec((None, None, None), tf.int32)]
        read = tf.function(model.read, input_signature=[ids], autograph=False)
        step = tf.function(model.step, input_signature=[ids, state, memory], autograph=False)
        model._translating = _Compiled(model.subwords, read, step, model.start)
    return model._translating
