"""What the report and the advice make of results."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recipes import compare
from recipes.comparison import advice, claims, judging, report, stored, subjects
from recipes.comparison.plan import plan
from tests.recipes.comparison.made import ADDING, CELLS, SENTIMENT, accuracy, put, record, whole

ROOT = Path(__file__).resolve().parents[3]


def test_times_and_levels():
    run = record(SENTIMENT, "gru", 1e-3, 0, 0.8, cpu=3.0)
    assert (
        stored.time_to(run, 0.79, "cpu_seconds") == 6 and stored.time_to(run, 0.5, "seconds") == 6
    )
    with pytest.raises(ValueError, match="level must be one that the run reaches; got 0.9"):
        stored.time_to(run, 0.9, "seconds")
    results = whole(SENTIMENT, lambda job: accuracy(job, gru=0.8, lstm=0.7, rnn=0.6, transformer=1))
    every = [stored.figures(results, SENTIMENT, cell, 0) for cell in CELLS]
    assert stored.common_level(every) == pytest.approx(0.6 - 0.01 - 0.01)
    assert every[0].mean == pytest.approx(0.8) and every[0].spread == pytest.approx(0.01)
    assert every[0].rate == 3e-3 and len(every[0].values) == 3
    assert every[1].time_to(None, "seconds") == 8 and every[1].a_pass() == 2


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (30, 2.042), (400, 1.966)]
)
def test_quantiles_are_those_of_students_table(freedom, value):
    assert judging.quantile(freedom) == pytest.approx(value, rel=2e-3)


def test_a_difference_counts_beyond_its_confidence_interval():
    results = whole(
        SENTIMENT, lambda job: accuracy(job, gru=0.8, lstm=0.82, rnn=0.825, transformer=0)
    )
    gru, lstm, rnn, _ = (stored.figures(results, SENTIMENT, cell, 0) for cell in CELLS)
    verdict = judging.against(lstm, gru)
    # Means of three, each with a spread of a point: four degrees of freedom.
    assert verdict.error == pytest.approx(2.776 * (2 * 0.01**2 / 3) ** 0.5, rel=1e-3)
    assert not verdict.decided and judging.against(rnn, gru).decided
    assert judging.level_with_best([gru, lstm, rnn]) == [rnn, lstm]
    # A few seeds' spread makes nothing level that is more than a point behind.
    unsteady = dataclasses.replace(rnn, values=(0.9, 0.7, 0.95))
    assert not judging.against(unsteady, gru).decided
    assert judging.level_with_best([gru, unsteady]) == [unsteady]
    # Where one cell's seeds agree, the other's two degrees are all there is.
    steady = dataclasses.replace(gru, values=(0.8, 0.8, 0.8))
    assert judging.against(lstm, steady).error == pytest.approx(4.303 * 0.01 / 3**0.5, rel=1e-3)
    assert judging.against(steady, steady) == judging.Verdict(0.0, 0.0)
    alone = dataclasses.replace(lstm, values=(0.1,))
    assert judging.against(alone, gru).error is None
    assert judging.level_with_best([gru, alone]) == [gru]


def test_advice_takes_the_fastest_of_those_that_are_level(results):
    found, silent = advice.choices(results, [SENTIMENT], CELLS)
    assert [choice.cell for choice in found] == ["gru"] and silent == []
    assert "gru (-0.10 vs. lstm, not significant" in found[0].text()
    found, _ = advice.choices(results, [SENTIMENT], CELLS, max_latency_ms=1.5)
    assert found[0].cell == "rnn" and len(found[0].outside) == 3
    assert advice.choices(results, [SENTIMENT], CELLS, max_latency_ms=0.5)[0] == []
    _, silent = advice.choices(results, [SENTIMENT], CELLS, max_parameters=1000)
    assert silent == [f"Sentiment, IMDB: measured only at {SENTIMENT.parameters:,} parameters."]


def test_advice_for_a_length_reads_the_next_one_and_its_own_latency(results):
    found, silent = advice.choices(results, [SENTIMENT, ADDING], CELLS, length=300)
    assert [choice.where for choice in found] == ["Adding problem, 500 steps"]
    assert silent == ["Sentiment, IMDB: measured only up to 200 steps."]
    assert found[0].cell == "gru" and found[0].latencies["lstm"] == pytest.approx(6)
    assert "Latencies at 300 steps are estimated from those at 100, 500, 2000." in found[0].note
    found, _ = advice.choices(results, [SENTIMENT, ADDING], CELLS, length=100)
    assert found[0].note == "Latencies are for 200 steps."
    assert "Latencies" not in found[1].note
    found, _ = advice.choices(results, [ADDING], CELLS, length=1500)
    assert found[0].cell == "lstm" and "2000 steps" in found[0].where


def test_advice_never_invents(results):
    partial = {k: r for k, r in results.items() if r["cell"] != "lstm" and not r["device"]}
    found, _ = advice.choices(partial, [ADDING], CELLS, length=300)
    assert found == []  # The trial that has the device's file is one of the rates.
    for each in results.values():
        each["device"] = None
    found, silent = advice.choices(results, [ADDING], CELLS, length=300, max_latency_ms=2)
    assert found == [] and silent == [
        "Adding problem, 500 steps: no cell above chance is within 2 ms."
    ]
    lines = advice.advise({}, [SENTIMENT, ADDING], CELLS, length=100)
    assert lines[0].startswith("No recommendation") and "not measured yet" in lines[-1]


def test_what_nobody_learns_is_no_reason_to_choose():
    hopeless = whole(ADDING, lambda job: 0.09 + 0.01 * CELLS.index(job.cell))
    found, silent = advice.choices(hopeless, [ADDING], CELLS, length=100)
    assert found == [] and silent == [
        "Adding problem, 100 steps: no cell is above chance (best 12.00 % ± 0.00)."
    ]
    judged = {claim.said: claim for claim in claims.judge(hopeless, [ADDING])}
    claim = judged["Sequences over 1,000 steps favour LSTM"]
    assert claim.verdict == claims.UNDECIDED and "neither better in adding T=2000" in claim.evidence
    (short,) = (claim for said, claim in judged.items() if "below 500 steps" in said)
    assert short.verdict == claims.UNDECIDED


def test_one_seed_decides_nothing_about_lengths():
    every = whole(ADDING, lambda job: 0.1 if job.cell == "gru" else 0.99)
    alone = {key: each for key, each in every.items() if each["seed"] == 0}
    for results, verdict in ((alone, claims.UNDECIDED), (every, claims.FAILS)):
        judged = claims.judge(results, [ADDING])
        (short,) = (claim for claim in judged if "below 500 steps" in claim.said)
        assert short.verdict == verdict


def test_a_cell_that_guesses_is_not_taken_though_the_best_one_is_unsteady():
    unsteady = whole(ADDING, lambda job: 0.133 * job.seed if job.cell == "gru" else 0.125)
    every = [stored.figures(unsteady, ADDING, cell, 100) for cell in CELLS]
    assert {one.cell for one in judging.level_with_best(every)} == set(CELLS)
    found, _ = advice.choices(unsteady, [ADDING], CELLS, length=100)
    assert found[0].cell == "gru" and [one.cell for one in found[0].figures] == ["gru"]
    assert "rnn is at chance (12.50 % ± 0.00)." in found[0].text()


def test_advice_on_the_command_line_takes_no_tensorflow(tmp_path, results):
    put(tmp_path, results)
    code = (
        "import sys\n"
        "from recipes import compare\n"
        "assert compare.main(sys.argv[1:]) == 0\n"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'numpy'} & set(sys.modules)\n"
    )
    started = time.monotonic()
    words = ["--advise", "--max-latency-ms", "4", "--length", "300", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "Recommended: gru, chosen in 1 of 1 comparisons."
    assert "transformer (12.00 ms)" in done.stdout and "lstm (6.00 ms)" in done.stdout
    assert "not measured yet" in rest[-1]
    assert time.monotonic() - started < 30  # a hang, not a speed, is what this line catches


def test_the_seeds_sentences_are_judged(results):
    judged = {claim.said: claim for claim in claims.judge(results, [SENTIMENT, ADDING])}
    tie = judged["Sentiment Analysis: GRU 92 %, LSTM 92 % (Tie)"]
    # A spread of a point hides a difference of two: equal means are no proof of a tie.
    assert tie.verdict == claims.UNDECIDED and "+0.10 for lstm (± 2.2" in tie.evidence
    near = whole(SENTIMENT, lambda job: 0.8 + 0.001 * job.seed)
    assert claims.table_row(near, SENTIMENT).verdict == claims.HOLDS
    assert judged["Sequences over 1,000 steps favour LSTM"].verdict == claims.HOLDS
    assert judged["A GRU has 3/4 of an LSTM's parameters"].verdict == claims.HOLDS
    assert judged["A Transformer is best"].verdict == claims.FAILS
    assert judged["A vanilla RNN is poor"].verdict == claims.HOLDS
    assert judged["GRU trains faster than LSTM"].verdict == claims.FAILS  # in one of five
    assert judged["Update gates saturate (get stuck)"].verdict == claims.FAILS
    for claim in claims.judge({}, [SENTIMENT, ADDING]):
        assert claim.verdict == claims.NOT_MEASURED or "3/4" in claim.said


def test_a_seed_sentence_that_is_wrong_is_said_to_be(results):
    task = subjects.subject("pos_tagging", quick=False)
    worse = whole(task, lambda job: accuracy(job, gru=0.95, lstm=0.9, rnn=0.9, transformer=0.9))
    claim = claims.table_row(worse, task)
    assert claim.verdict == claims.FAILS and "-5.00 for lstm" in claim.evidence


def test_an_unfinished_report_says_so_and_invents_nothing(tmp_path, results):
    every = subjects.every_subject(False)
    del results["sentiment-gru-lr0.003-seed2"]
    jobs = plan(every, CELLS, 3, results)
    text = report.write(jobs, results, tmp_path, quick=False).read_text()
    done = len(results)
    assert f"**Unfinished: {done} of {len(jobs)} trainings are done.**" in text
    assert "- sentiment: 1 of 20" in text and "- digits: " in text
    assert "| Machine Translation | 95 % / 96 % | not measured yet |" in text
    assert "| Sentiment Analysis | 92 % / 92 % | 86.50 % ± 0.71, 2 seeds (accuracy) |" in text
    assert "each used 0.5 cores on average" in text and "nan" not in text
    assert (tmp_path / "time.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"{name}.png" for name in ("time", "latency", "length", "gates")
    }
    assert text.count("(edge of the grid)") == 0


def test_a_report_of_nothing_has_no_figures_and_no_old_pictures(tmp_path):
    (tmp_path / "time.png").write_bytes(b"old")
    jobs = plan(subjects.every_subject(True), CELLS, 1, {})
    text = report.write(jobs, {}, tmp_path, quick=True).read_text()
    assert "Unfinished: 0 of" in text and "Quick run" in text
    assert "png" not in text and not (tmp_path / "time.png").exists()


def test_the_report_after_a_run_knows_the_rates_that_were_chosen(tmp_path, monkeypatch):
    def run(config, make_plan, folder):
        put(folder, whole(SENTIMENT, lambda job: 0.8))
        return []

    monkeypatch.setattr(compare, "every_subject", lambda quick: [SENTIMENT])
    monkeypatch.setattr(compare, "_run", run)
    out = tmp_path / "out"
    out.mkdir()
    assert compare.main(["--task", "sentiment", "--results", str(out)]) == 0
    assert "Unfinished" not in (out / "report.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/comparison.md"])
def test_the_pages_table_is_what_was_measured(page):
    stored_results = stored.read(ROOT / "results/compare")
    text = (ROOT / page).read_text(encoding="utf-8")
    for task in subjects.TASKS:
        every = [stored.figures(stored_results, task, cell, 0) for cell in CELLS]
        best = judging.ranked(every)[0]
        shown = [judging.shown(one).replace(" %", "") for one in every]
        bold = [
            f"**{one}**" if each is best else one for each, one in zip(every, shown, strict=True)
        ]
        assert f"| {' | '.join(bold)} |" in text, task.title
