"""Texts through a translator: subwords, the encoder, beam search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gru_zoo.decoding import Found, beam_search
from gru_zoo.models.seq2seq import Seq2Seq
from gru_zoo.subwords import END, PAD, START, UNKNOWN, padded

BANNED = (PAD, START, UNKNOWN)


def longest_for(subwords: int) -> int:
    """Return how many subwords a translation may have, </s> counted, for a source of so many.

    Example:
        >>> longest_for(10)
        30
    """
    return 2 * subwords + 10


def translate(
    model: Seq2Seq,
    texts: Sequence[str],
    *,
    beams: int = 6,
    alpha: float = 1.0,
    batch_size: int = 64,
) -> list[list[Found]]:
    """Return each text's best translations, as ids, the best first.

    Args:
        model: the translator.
        texts: sentences.
        beams: beginnings that the search keeps, and most translations of one text.
        alpha: of the length penalty.
        batch_size: sentences that are searched at once; results do not depend on it.

    Raises:
        ValueError: a text is empty, unknown or too long; see `Subwords.encode`.

    Example:
        >>> from gru_zoo.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> len(translate(model, ["Haus", "ein Haus"], beams=2))
        2
    """
    rows = [[*row, END] for row in model.subwords.encode(texts)]
    order = np.argsort([len(row) for row in rows], kind="stable")
    read, step = _graphs(model)
    results: dict[int, list[Found]] = {}
    for start in range(0, len(rows), batch_size):
        part = order[start : start + batch_size]
        source = padded([rows[i] for i in part])
        memory = read(tf.constant(source))

        def one(ids: np.ndarray, state: list[Any], memory: Any = memory) -> Any:
            logits, state = step(tf.constant(ids), [tf.constant(a) for a in state], memory)
            return logits.numpy(), [a.numpy() for a in state]

        found = beam_search(
            one,
            [a.numpy() for a in model.start(len(part), beams)],
            len(part),
            beams=beams,
            longest=longest_for(source.shape[1] - 1),
            start=START,
            end=END,
            alpha=alpha,
            banned=BANNED,
        )
        results.update(zip(part.tolist(), found, strict=True))
    return [results[i] for i in range(len(rows))]


def _graphs(model: Seq2Seq) -> tuple[Any, Any]:
    """Return the model's `read` and `step`, each traced once for all shapes."""
    if not hasattr(model, "_translating"):
        ids = tf.TensorSpec((None, None), tf.int32)
        row = tf.TensorSpec((None, None, model.units), tf.float32)
        memory = (row, row, tf.TensorSpec((None, None), tf.bool))
        state = [tf.TensorSpec((None, None, *a.shape[2:]), a.dtype) for a in model.start(1, 1)]
        if model.cell == "transformer":
            state = [tf.TensorSpec((None, None, None), tf.int32)]
        read = tf.function(model.read, input_signature=[ids], autograph=False)
        step = tf.function(model.step, input_signature=[ids, state, memory], autograph=False)
        model._translating = read, step
    return model._translating
