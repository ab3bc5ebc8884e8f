"""Beam search against all sequences there are."""

import itertools

import numpy as np
import pytest

from gru_zoo.decoding.beam_search import NEVER, beam_search, length_penalty

START, END, TOKENS, LONGEST = 0, 2, 5, 4


def tables(sentences, seed):
    """Random log-probabilities of the next id, for each sentence, after any two ids."""
    logits = np.random.default_rng(seed).normal(size=(sentences, TOKENS, TOKENS, TOKENS)) * 1.5
    return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


def stepper(table):
    """A step whose state is the id before the last one, and the number of the sentence."""

    def step(ids, state):
        before, rows = state
        return table[rows, before, ids], [ids, rows]

    return step


def start_state(sentences, beams):
    rows = np.repeat(np.arange(sentences)[:, None], beams, axis=1)
    return [np.full((sentences, beams), START), rows]


def brute_force(table, alpha, banned=()):
    """Every sequence that ends within LONGEST ids, with its score, the best first."""
    inner = [t for t in range(TOKENS) if t != END and t not in banned]
    found = []
    for length in range(1, LONGEST + 1):
        for ids in itertools.product(inner, repeat=length - 1):
            path, total = [START, START, *ids, END], 0.0
            for a, b, c in zip(path, path[1:], path[2:], strict=False):
                total += float(table[a, b, c])
            found.append((total / length_penalty(length, alpha), list(ids)))
    return sorted(found, reverse=True)


def search(table, beams, alpha, banned=()):
    sentences = len(table)
    return beam_search(
        stepper(table),
        start_state(sentences, beams),
        sentences,
        beams=beams,
        longest=LONGEST,
        start=START,
        end=END,
        alpha=alpha,
        banned=banned,
    )


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("banned", [(), (START, 3)])
def test_with_enough_beams_it_finds_the_best_of_all(alpha, banned):
    table = tables(3, seed=1)
    found = search(table, TOKENS**LONGEST, alpha, banned)
    for row, (sequences, wanted) in enumerate(
        zip(found, (brute_force(t, alpha, banned) for t in table), strict=True)
    ):
        score, ids = wanted[0]
        assert sequences[0].ids == ids, row
        np.testing.assert_allclose(sequences[0].score, score, rtol=1e-5)


def test_all_that_ends_is_ranked():
    table = tables(2, seed=2)
    for row, sequences in enumerate(search(table, TOKENS**LONGEST, 3.0)):
        scores = [sequence.score for sequence in sequences]
        assert scores == sorted(scores, reverse=True) and len(scores) > 20
        wanted = {tuple(ids): score for score, ids in brute_force(table[row], 3.0)}
        for sequence in sequences:
            np.testing.assert_allclose(sequence.score, wanted[tuple(sequence.ids)], rtol=1e-5)


def test_more_beams_find_no_worse():
    table = tables(30, seed=3)
    few, all_there_are = search(table, 1, 1.0), search(table, TOKENS**LONGEST, 1.0)
    ended = [row for row, found in enumerate(few) if len(found[0].ids) < LONGEST]
    gains = [all_there_are[row][0].score - few[row][0].score for row in ended]
    assert len(gains) > 10 and min(gains) > -1e-6 and max(gains) > 0.1


def test_sentences_do_not_touch_each_other():
    table = tables(4, seed=4)
    together = search(table, 3, 1.0)
    for row, sequences in enumerate(together):
        assert search(table[row : row + 1], 3, 1.0)[0][0] == sequences[0]


def test_a_sentence_that_ended_costs_no_more_steps():
    def steps(table):
        asked, step = [], stepper(table)

        def counting(ids, state):
            asked.append(len(ids))
            return step(ids, state)

        options = {"beams": 2, "longest": 12, "start": START, "end": END}
        beam_search(counting, start_state(len(table), 2), len(table), **options)
        return asked

    table = tables(6, seed=8)
    together, alone = steps(table), [len(steps(one[None])) for one in table]
    assert len(set(alone)) > 2  # they end at different times
    assert together == [sum(length > t for length in alone) for t in range(max(alone))]


def test_a_penalty_makes_translations_longer():
    table = tables(30, seed=5)
    lengths = [
        sum(len(row[0].ids) for row in search(table, TOKENS**LONGEST, alpha))
        for alpha in (0.0, 1.0, 3.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_without_an_end_it_is_cut():
    table = tables(1, seed=6)
    table[..., END] = NEVER
    found = search(table, 2, 1.0)[0]
    assert len(found) == 1 and len(found[0].ids) == LONGEST and END not in found[0].ids


def test_a_sentence_may_have_a_limit_of_its_own():
    table = tables(3, seed=7)
    limits = [2, LONGEST, 3]
    state = start_state(3, 5)
    options = {"beams": 5, "start": START, "end": END, "alpha": 1.0}
    together = beam_search(stepper(table), state, 3, longest=limits, **options)
    for row, limit in enumerate(limits):
        one = table[row : row + 1]
        alone = beam_search(stepper(one), start_state(1, 5), 1, longest=limit, **options)[0]
        assert together[row] == alone and all(len(found.ids) <= limit for found in alone)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"beams": 0}, "beams must be"),
        ({"longest": 0}, "longest must"),
        ({"alpha": -1}, "alpha"),
        ({"sentences": 0}, "sentences must be"),
    ],
)
def test_bad_arguments(changed, message):
    arguments = {"sentences": 1, "beams": 2, "longest": 3, "start": 0, "end": 2, **changed}
    with pytest.raises(ValueError, match=message):
        beam_search(stepper(tables(1, 0)), start_state(1, 2), **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("wrong", [1, 3])
def test_logits_without_a_softmax_are_refused_at_their_step(value, wrong):
    asked, step = [], stepper(tables(2, seed=6))

    def breaking(ids, state):
        logits, state = step(ids, state)
        asked.append(len(ids))
        logits[..., END] = NEVER
        logits[-1, -1, 1] = value if len(asked) == wrong else 0
        return logits, state

    options = {"beams": 2, "longest": LONGEST, "start": START, "end": END}
    with pytest.raises(ValueError, match=f"logits of step {wrong} must have a softmax; got NaN"):
        beam_search(breaking, start_state(2, 2), 2, **options)


def test_a_token_may_be_impossible():
    table = tables(1, seed=6)
    impossible = table.copy()
    impossible[..., 3], table[..., 3] = -np.inf, NEVER
    assert search(impossible, 2, 1.0) == search(table, 2, 1.0)


def test_a_step_may_give_logits():
    table = tables(3, seed=1)
    logits = table + np.random.default_rng(9).normal(0, 3, (3, TOKENS, TOKENS, 1)).astype("float32")
    for found, wanted in zip(search(logits, 4, 1.0), search(table, 4, 1.0), strict=True):
        assert found[0].ids == wanted[0].ids
        np.testing.assert_allclose(found[0].score, wanted[0].score, rtol=1e-4)


def test_no_more_come_back_than_beams():
    found = search(tables(20, seed=9), 2, 3.0)
    assert max(map(len, found)) == 2 and min(map(len, found)) >= 1


def by_hand(table, beams, alpha):
    """The best sequence that a beam search finds, one beginning at a time."""
    begun, found = [(0.0, [])], []
    for length in range(1, LONGEST + 1):
        every = []
        for total, ids in begun:
            before, last = [START, START, *ids][-2:]
            every += [(total + float(table[before, last, t]), [*ids, t]) for t in range(TOKENS)]
        every = sorted(every, reverse=True)[: 2 * beams]
        ended = [(total, ids) for total, ids in every if ids[-1] == END]
        found += [(total / length_penalty(length, alpha), ids[:-1]) for total, ids in ended]
        begun = [one for one in every if one[1][-1] != END][:beams]
    return max(found)


@pytest.mark.parametrize("beams", [2, 3])
def test_few_beams_find_what_a_search_by_hand_finds(beams):
    table = tables(60, seed=10)
    table[..., END] += 1.0
    table -= np.log(np.exp(table).sum(-1, keepdims=True))
    for one, found in zip(table, search(table, beams, 1.0), strict=True):
        score, ids = by_hand(one, beams, 1.0)
        assert found[0].ids == ids
        np.testing.assert_allclose(found[0].score, score, rtol=1e-4)
