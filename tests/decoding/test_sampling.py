"""What is drawn, and how often."""

import weakref

import numpy as np
import pytest

from gru_zoo.decoding.sampling import continuation, distribution

P = np.array([0.1, 0.4, 0.05, 0.25, 0.2])


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.0, 2.0])
def test_temperature_is_a_power_of_the_probabilities(temperature):
    powers = [p ** (1 / temperature) for p in P.tolist()]
    wanted = [power / sum(powers) for power in powers]
    np.testing.assert_allclose(distribution(P, temperature), wanted, rtol=1e-12)


def test_no_temperature_takes_the_most_probable():
    assert distribution(P, 0).tolist() == [0, 1, 0, 0, 0]
    # 0.05 ^ 1000 is no number of a computer.
    for temperature in (1e-3, 1e-310):  # nor is what the logarithms are divided by the latter
        np.testing.assert_allclose(distribution(P, temperature), [0, 1, 0, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.01, [1]), (0.4, [1]), (0.41, [1, 3]), (0.7, [1, 3, 4]), (0.94, [1, 3, 4, 0]), (1, None)],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(top_p, kept):
    given = distribution(P, top_p=top_p)
    kept = list(range(5)) if kept is None else kept
    assert set(np.flatnonzero(given)) == set(kept)
    np.testing.assert_allclose(given[kept], P[kept] / P[kept].sum(), rtol=1e-12)


def test_all_of_it_keeps_every_token():
    rare = np.array([1.0, 1e-17, 1e-17])  # 1 + 1e-17 is 1
    assert np.count_nonzero(distribution(rare, top_p=1.0)) == 3


def test_temperature_comes_before_the_nucleus():
    # Squared and normalised the first has 0.6, alone less than half.
    assert np.count_nonzero(distribution(P, top_p=0.5)) == 2
    assert np.count_nonzero(distribution(P, 0.5, top_p=0.5)) == 1


def test_what_is_banned_is_never_drawn_and_others_share_its_part():
    given = distribution(P, top_p=0.6, banned=[1, 2])
    np.testing.assert_allclose(given, [0, 0, 0, 0.25 / 0.45, 0.2 / 0.45], rtol=1e-12)


def test_tokens_are_drawn_as_often_as_they_should_be():
    drawn = list(continuation(lambda _: P, [0], 20_000, temperature=0.8, top_p=0.9, seed=3))
    wanted = distribution(P, 0.8, 0.9)
    counts = np.bincount(drawn, minlength=5)
    assert not counts[wanted == 0].any()
    kept = wanted > 0
    expected = 20_000 * wanted[kept]
    statistic = ((counts[kept] - expected) ** 2 / expected).sum()
    assert statistic < 16.3  # chi-squared with 3 degrees of freedom exceeds it once in 1,000


def test_every_token_is_read_once_in_order_and_the_end_is_not_given():
    table, seen = np.eye(5)[[1, 2, 3, 4, 0]], []

    def read(number):
        seen.append(number)
        return table[number]

    assert list(continuation(read, [2, 0], 9, end=4)) == [1, 2, 3]
    assert seen == [2, 0, 1, 2, 3]
    assert list(continuation(read, [0], 2)) == [1, 2]
    assert seen[5:] == [0, 1]  # nothing is computed that nobody waits for


def test_a_prompts_probabilities_are_not_kept():
    rows, alive = [], []

    def read(number):
        row = P.copy()
        rows.append(weakref.ref(row))
        alive.append(sum(each() is not None for each in rows))
        return row

    list(continuation(read, range(9), 3))
    assert len(rows) == 11 and max(alive) <= 2  # the one before, until it is replaced


def test_a_seed_repeats_itself():
    texts = [list(continuation(lambda _: P, [0], 50, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_probability_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="probabilities must be numbers; got NaN"):
        distribution(np.array([np.nan, 1.0]), temperature=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number of at least 0; got -0.1"),
        ({"temperature": float("nan")}, "temperature must be a number of at least 0; got nan"),
        ({"top_p": 0}, r"top_p must be in \(0, 1\]; got 0"),
        ({"top_p": 1.1}, r"top_p must be in \(0, 1\]; got 1.1"),
        ({"length": 0}, "length must be an integer of at least 1; got 0"),
        ({"ids": []}, "ids must be at least one; got none"),
        ({"banned": range(5)}, "banned must leave a token"),
    ],
)
def test_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        list(continuation(lambda _: P, **{"ids": [0], "length": 3, **options}))


def test_the_most_probable_of_many_tokens_takes_no_table_of_them():
    probabilities = np.full(200_000, 1e-6)
    probabilities[123_456] = 0.5
    chances = distribution(probabilities, temperature=0)  # a square of them is 320 GB
    assert chances[123_456] == chances.sum() == 1.0 and chances.dtype == np.float64
