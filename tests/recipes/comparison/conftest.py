"""Results that every test of the report may take."""

import pytest

from tests.recipes.comparison.made import ADDING, CELLS, SENTIMENT, accuracy, whole


@pytest.fixture
def results():
    """Two subjects: GRU and LSTM level on sentiment, LSTM far better on the longest rows."""
    of_task = whole(
        SENTIMENT,
        lambda job: accuracy(job, gru=0.86, lstm=0.861, rnn=0.7, transformer=0.83),
        latency_of=lambda job: {"gru": 2.0, "lstm": 3.0, "rnn": 1.0, "transformer": 9.0}[job.cell],
        cpu_of=lambda job: {"gru": 5.0, "lstm": 9.0, "rnn": 4.0, "transformer": 20.0}[job.cell],
    )
    of_problem = whole(
        ADDING,
        lambda job: accuracy(
            job, gru=0.9 if job.steps < 2000 else 0.2, lstm=0.6, rnn=0.1, transformer=0.5
        ),
        latency_of=lambda job: job.steps / 100 * (1 + CELLS.index(job.cell)),
    )
    return {**of_task, **of_problem}
