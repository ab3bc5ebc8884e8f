import pytest

from gru_zoo.artifacts.scores import METRICS, Score, best, spread


def scores(*pairs):
    return [
        Score(seed, value, validation, 1, 1.0) for seed, (value, validation) in enumerate(pairs)
    ]


def test_seeds_are_chosen_on_validation_data_alone():
    assert best("accuracy", scores((0.9, 0.80), (0.1, 0.82), (0.95, 0.81))).seed == 1
    assert best("perplexity", scores((9, 3.0), (1, 4.0))).seed == 0
    assert best("bleu", scores((1, 30.0), (9, 30.0))).seed == 0
    with pytest.raises(ValueError, match="scores must be one or more"):
        best("accuracy", [])


def test_spread_is_shown_in_the_metrics_own_unit():
    assert spread("bleu", scores((30.0, 1), (32.0, 1))) == "31.00 ± 1.41 (2 seeds)"
    assert spread("accuracy", scores((0.30, 1), (0.32, 1))) == "31.00 ± 1.41 % (2 seeds)"
    assert spread("bits_per_character", scores((1.5, 1))) == "1.50 (one seed)"
    with pytest.raises(ValueError, match="metric must be one of .*got 'bleau'.*'bleu'"):
        spread("bleau", scores((1, 1)))


def test_a_runs_metrics_make_a_score():
    metrics = {"metric": {"name": "bleu", "value": 31.0, "split": "test"}, "validation_bleu": 29.0}
    metrics |= {"epochs": 4, "train_seconds": 5.5}
    assert Score.of(3, metrics) == Score(3, 31.0, 29.0, 4, 5.5)
    history = [{"val_bleu": 20.0, "val_loss": 2.0}, {"val_bleu": 29.0, "val_loss": 1.0}]
    assert Score.of(3, metrics, history).curve == [20.0, 29.0]
    del metrics["validation_bleu"]
    with pytest.raises(ValueError, match="metrics must have an entry 'validation_bleu'"):
        Score.of(3, metrics)


@pytest.mark.parametrize("name", METRICS)
def test_shares_are_shown_in_percent_and_others_as_they_are(name):
    assert METRICS[name].show(0.5) == ("50.00 %" if METRICS[name].percent else "0.50")
