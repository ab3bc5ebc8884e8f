"""What the comparison makes of its runs: which rate, which pass, and what is said of it."""

import pytest

from recipes.comparison import claims, stored
from tests.recipes.comparison.made import ADDING, CELLS, SENTIMENT, accuracy, whole


def level(job):
    return accuracy(job, gru=0.8, lstm=0.8, rnn=0.6, transformer=0.7)


def by_name(results, each):
    return {claim.said: claim for claim in claims.judge(results, each)}


def test_the_first_pass_of_a_run_is_left_out():
    results = whole(SENTIMENT, level)
    for record in results.values():
        record["history"] = record["history"][:2]
        record["history"][0]["cpu_seconds"] = 10.0
    assert stored.figures(results, SENTIMENT, "gru", 0).a_pass() == 2.0


def test_a_seed_that_diverged_is_counted_and_has_no_value():
    results = whole(SENTIMENT, level)
    (one,) = (
        r
        for r in results.values()
        if (r["cell"], r["learning_rate"], r["seed"]) == ("gru", 3e-3, 2)
    )
    one["metric"] = None
    figures = stored.figures(results, SENTIMENT, "gru", 0)
    assert len(figures.values) == len(figures.runs) == 2 and figures.diverged == 1


def test_where_every_rate_diverged_none_is_chosen():
    results = whole(SENTIMENT, level)
    for record in results.values():
        record["validation"] = record["metric"] = None
    assert stored.best_rate(results, SENTIMENT, "gru") is None


@pytest.mark.parametrize("least", [-2.0, 0.5])
def test_a_rate_that_diverged_is_never_the_best(least):
    results = whole(SENTIMENT, level)
    for record in results.values():
        diverged = record["learning_rate"] == 1e-3
        record["validation"] = None if diverged else least + record["learning_rate"]
    assert stored.best_rate(results, SENTIMENT, "gru") == 1e-2


@pytest.mark.parametrize(
    ("times", "verdict"),
    [(4, claims.HOLDS), (3, claims.HOLDS), (2, claims.FAILS), (0, claims.FAILS)],
)
def test_what_is_so_three_times_of_four_holds(times, verdict):
    assert claims._share(times, 4) == verdict
    assert claims._share(3, 5) == claims.UNDECIDED


@pytest.mark.parametrize(("fast", "verdict"), [("gru", claims.HOLDS), ("lstm", claims.FAILS)])
def test_who_takes_less_time_for_a_pass_is_faster(fast, verdict):
    def seconds(job):
        return 1.0 if job.cell == fast else 3.0

    results = whole(SENTIMENT, level, cpu_of=seconds)
    claim = by_name(results, [SENTIMENT])["GRU trains faster than LSTM"]
    assert claim.verdict == verdict
    assert ("lstm takes 3.00 times" in claim.evidence) == (fast == "gru")


def test_500_steps_are_not_below_500():
    results = whole(ADDING, level)
    (claim,) = (c for s, c in by_name(results, [ADDING]).items() if "below 500 steps" in s)
    assert "adding T=100" in claim.evidence and "T=500" not in claim.evidence


def test_lstm_must_win_more_than_half_of_the_long_ones():
    import dataclasses

    other = dataclasses.replace(ADDING, name="other")
    results = {}
    for each, better in ((ADDING, "lstm"), (other, "gru")):
        results |= whole(
            each,
            lambda job, better=better: accuracy(job, **{**dict.fromkeys(CELLS, 0.5), better: 0.9}),
        )
    claim = by_name(results, [ADDING, other])["Sequences over 1,000 steps favour LSTM"]
    assert claim.verdict == claims.FAILS
