"""The comparison: plan, bookkeeping, report and advice on made results; a tiny real training."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import typing
from pathlib import Path

import pytest

from recipes import compare
from recipes.comparison import (
    advice,
    children,
    claims,
    judging,
    long_run,
    report,
    runner,
    stored,
    subjects,
)
from recipes.comparison.plan import check_configuration, missing, plan

ROOT = Path(__file__).resolve().parents[2]
SENTIMENT = subjects.subject("sentiment", quick=False)
ADDING = subjects.subject("adding", quick=False)
CELLS = subjects.CELLS


def record(each, cell, rate, seed, value, steps=0, latency=None, cpu=2.0, quick=False):
    """A finished cell: three epochs, the second one the best."""
    history = [
        {"validation": value - lack, "seconds": 2 * cpu, "cpu_seconds": cpu}
        for lack in (0.2, 0.01, 0.05)
    ]
    gate = {"updates": 0, "z_low": 0.1, "z_high": 0.0, "r_low": 0, "r_high": 0, "z_stuck_units": 0}
    return {
        "quick": quick,
        "subject": each.name,
        "cell": cell,
        "steps": steps,
        "learning_rate": rate,
        "seed": seed,
        "settings": {"parameters": each.parameters, **each.flags},
        "metric": {"name": "accuracy", "value": value, "split": "test"},
        "watched": "accuracy",
        "validation": value - 0.01,
        "loss": 0.1,
        "parameters": each.parameters,
        "stopped": "updates",
        "history": history,
        "usage": {
            "wall_seconds": 60.0,
            "cpu_seconds": 3 * cpu,
            "cpu_share": 0.5,
            "peak_memory_mb": 700,
            "resumed": False,
        },
        "device": latency and {"bytes": 45_678, "latency_ms": latency, "steps": steps},
        "gates": [gate, {**gate, "updates": 100, "z_low": 0.3}] if cell == "gru" else None,
        "made": {"command": "", "date": "", "cores": 2, "machine": "x", "versions": {}},
    }


def finish(jobs, value_of, latency_of=lambda job: None, cpu_of=lambda job: 2.0):
    """Results of all jobs whose learning rate is known."""
    return {
        job.key: record(
            job.subject,
            *(job.cell, job.learning_rate, job.seed, value_of(job), job.steps),
            latency=latency_of(job) if job.device else None,
            cpu=cpu_of(job),
        )
        for job in jobs
        if job.learning_rate is not None
    }


def whole(each, value_of, **options):
    """Results of every job of one subject, three seeds."""
    results = finish(plan([each], CELLS, 3, {}), value_of, **options)
    return finish(plan([each], CELLS, 3, results), value_of, **options)


def accuracy(job, **means):
    """A mean for each cell, an odd learning rate best, and a spread of a point over the seeds."""
    return means[job.cell] + (0.01, 0.0, -0.01)[job.seed] - 0.03 * (job.learning_rate != 3e-3)


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


def put(folder, results):
    for key, each in results.items():
        stored.keep(folder, key, each)


def test_every_cell_gets_the_same_effort():
    jobs = plan([SENTIMENT, ADDING], CELLS, 3, {})
    efforts = []
    for cell in CELLS:
        mine = [job for job in jobs if job.cell == cell]
        efforts.append([(j.subject.name, j.steps, j.learning_rate, j.seed) for j in mine])
    assert efforts[0] == efforts[1] == efforts[2] == efforts[3]
    assert len(set(job.key for job in jobs if job.learning_rate)) == 2 * 3 * len(CELLS)


def test_the_learning_rate_is_chosen_by_validation_when_all_were_tried():
    jobs = plan([ADDING], ["gru"], 2, {})
    tried = [job for job in jobs if job.learning_rate is not None]
    assert [job.learning_rate for job in tried] == list(ADDING.rates)
    assert {job.steps for job in tried} == {100} and {job.seed for job in tried} == {0}
    some = finish(tried[:2], lambda job: 0.5)
    assert all(j.learning_rate is None for j in plan([ADDING], ["gru"], 2, some)[3:])
    worst_test = {1e-3: 0.9, 3e-3: 0.5, 1e-2: 0.8}  # must not matter
    every = finish(tried, lambda job: worst_test[job.learning_rate])
    for each in every.values():
        each["validation"] = {1e-3: 0.2, 3e-3: 0.6, 1e-2: 0.4}[each["learning_rate"]]
    chosen = plan([ADDING], ["gru"], 2, every)
    assert {job.learning_rate for job in chosen[3:]} == {3e-3}
    assert len(missing(chosen, every)) == len(chosen) - 3


def test_the_full_table_fits_eight_hours_and_the_quick_one_a_quarter():
    full = plan(subjects.every_subject(False), CELLS, subjects.SEEDS, {})
    assert sum(job.minutes for job in full) / 60 / 2 <= 8  # on two cores
    quick = plan(subjects.every_subject(True), CELLS, subjects.QUICK_SEEDS, {})
    assert sum(job.minutes for job in quick) / 2 <= 15
    assert {(job.subject.name, job.cell) for job in quick} == {
        (job.subject.name, job.cell) for job in full
    }


def test_a_killed_comparison_goes_on(tmp_path, monkeypatch):
    begun = []

    def run_job(job, runs, quick, lock):
        begun.append(job.key)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return record(job.subject, job.cell, job.learning_rate, job.seed, 0.5, job.steps)

    monkeypatch.setattr(runner, "run_job", run_job)

    def run(cells=("lstm",)):
        said = []
        failed = runner.run_all(
            lambda done: plan([ADDING], cells, 2, done),
            *(tmp_path / "results", tmp_path / "runs", False, said.append),
        )
        return failed, said

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(list((tmp_path / "results").iterdir())) == 2
    failed, said = run()
    # Three rates, two more lengths, three lengths of the second seed; the third was begun twice.
    assert failed == [] and len(begun) == 8 + 1 and begun[2] == begun[3]
    assert said[0].startswith("[3/8, ") and "accuracy 0.5000 on test" in said[1]
    assert run() == ([], []) and len(begun) == 9


def test_a_failed_job_does_not_stop_the_others(tmp_path, monkeypatch):
    def run_job(job, runs, quick, lock):
        if job.learning_rate == 3e-3:
            raise children.ChildFailed("it broke")
        return record(job.subject, job.cell, job.learning_rate, job.seed, 0.5, job.steps)

    monkeypatch.setattr(runner, "run_job", run_job)
    failed = runner.run_all(
        lambda done: plan([ADDING], ["rnn"], 1, done), tmp_path / "a", tmp_path / "b", False, print
    )
    assert failed == ["adding-T100-rnn-lr0.003-seed0: it broke"]
    assert len(stored.read(tmp_path / "a")) == 2  # the rest waits for the choice of the rate


def test_two_cores_share_the_table(tmp_path, monkeypatch):
    both = threading.Barrier(2, timeout=30)
    begun = []

    def run_job(job, runs, quick, lock):
        begun.append(job.key)
        if len(begun) <= 2:
            both.wait()  # Only two at a time come past this.
        return record(job.subject, job.cell, job.learning_rate, job.seed, 0.5, job.steps)

    monkeypatch.setattr(runner, "run_job", run_job)
    failed = runner.run_all(
        lambda done: plan([ADDING], ["lstm"], 2, done),
        *(tmp_path / "a", tmp_path / "b", False, print),
        cores=(None, None),
    )
    assert failed == [] and len(begun) == len(set(begun)) == 8


def test_an_end_ends_the_other_cores_child_too(tmp_path, monkeypatch):
    sleeping = threading.Event()
    begun = []

    def run_job(job, runs, quick, lock):
        begun.append(job.key)
        if len(begun) == 1:
            code = "import time; print('asleep', flush=True); time.sleep(600)"
            (tmp_path / "sleeper.py").write_text(code)
            sleeping.set()
            children.run("sleeper", [], tmp_path / "log")
        sleeping.wait()
        while "asleep" not in (
            (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
        ):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_job", run_job)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner.run_all(
            lambda done: plan([ADDING], ["lstm"], 2, done),
            *(tmp_path / "a", tmp_path / "b", False, print),
            cores=(None, None),
        )
    assert time.monotonic() - started < 300 and len(begun) == 2


def test_no_job_is_begun_after_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run_job", lambda *_: pytest.fail("time was up"))
    jobs = plan([ADDING], ["rnn"], 1, {})
    assert runner.run_all(lambda _: jobs, tmp_path / "a", tmp_path / "b", False, print, -1) == []


def test_another_configuration_is_refused_by_name(tmp_path, results, capsys):
    check_configuration([SENTIMENT, ADDING], results, False, tmp_path)
    key = next(iter(results))
    other = {key: {**results[key], "settings": {**results[key]["settings"], "epochs": 77}}}
    put(tmp_path, other)
    for words in (["--plan"], ["--advise"], ["--report"]):
        assert compare.main([*words, "--results", str(tmp_path)]) == 2
        message = capsys.readouterr().err
        assert f"with epochs {SENTIMENT.flags['epochs']}; {tmp_path}/{key}.json" in message
        assert "was made with 77" in message
    assert len(list(tmp_path.iterdir())) == 1
    for name, value in (("learning_rate", 0.5), ("steps", 77)):
        put(tmp_path, {key: {**results[key], name: value}})
        assert compare.main(["--plan", "--results", str(tmp_path)]) == 2
        assert f"with {name} " in capsys.readouterr().err


def test_quick_and_full_results_do_not_mix(tmp_path, results, capsys):
    put(tmp_path, results)
    assert compare.main(["--quick", "--plan", "--results", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "results must be a folder of --quick results" in message and "full ones" in message


def test_a_corrupt_result_is_named(tmp_path, capsys):
    (tmp_path / "sentiment-gru.json").write_text('{"quick": fal')
    assert compare.main(["--report", "--results", str(tmp_path)]) == 2
    assert f"results must be whole files; {tmp_path}/sentiment-gru.json" in capsys.readouterr().err
    (tmp_path / "sentiment-gru.json").write_text("{}")
    assert compare.main(["--plan", "--results", str(tmp_path)]) == 2
    assert "results must have quick, subject, cell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "sentimnt"], "task must be one of 'sentiment', "),
        (["--cells", "grru"], "cells must be one of 'gru', 'lstm', 'rnn', 'transformer'; got 'gr"),
        (["--seeds", "-1"], "seeds must be an integer of at least 1; got -1"),
        (["--advise", "--length", "-3"], "length must be 0 or more; got -3"),
        (["--advise", "--plan"], "plan, report and advise exclude each other"),
        (["--advise", "--results", "nowhere"], "results must be a folder with finished cells"),
    ],
)
def test_bad_input_is_named_before_work_starts(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compare.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_plan_is_printed_and_nothing_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compare.main(["--plan", "--task", "adding", "--cells", "gru"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("adding-T100-gru-lr0.001-seed0") and "min" in lines[0]
    assert lines[-1].startswith("0 of 11 finished; ")
    assert not list(tmp_path.iterdir())


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


def test_a_difference_counts_beyond_two_standard_errors():
    results = whole(
        SENTIMENT, lambda job: accuracy(job, gru=0.8, lstm=0.815, rnn=0.82, transformer=0)
    )
    gru, lstm, rnn, _ = (stored.figures(results, SENTIMENT, cell, 0) for cell in CELLS)
    verdict = judging.against(lstm, gru)
    # Two standard errors of a difference of means of three, each with a spread of a point.
    assert verdict.error == pytest.approx(2 * (2 * 0.01**2 / 3) ** 0.5)
    assert not verdict.decided and judging.against(rnn, gru).decided
    assert judging.level_with_best([gru, lstm, rnn]) == [rnn, lstm]
    alone = dataclasses.replace(lstm, values=(0.1,))
    assert judging.against(alone, gru).error is None
    assert judging.level_with_best([gru, alone]) == [gru]


def test_advice_takes_the_fastest_of_those_that_are_level(results):
    found, silent = advice.choices(results, [SENTIMENT], CELLS)
    assert [choice.cell for choice in found] == ["gru"] and silent == []
    assert "gru (-0.10 against lstm, within the seeds' spread" in found[0].text()
    found, _ = advice.choices(results, [SENTIMENT], CELLS, max_latency_ms=1.5)
    assert found[0].cell == "rnn" and len(found[0].outside) == 3
    assert advice.choices(results, [SENTIMENT], CELLS, max_latency_ms=0.5)[0] == []
    _, silent = advice.choices(results, [SENTIMENT], CELLS, max_parameters=1000)
    assert silent == ["Sentiment, IMDB: measured at 400,000 parameters only."]


def test_advice_for_a_length_reads_the_next_one_and_its_own_latency(results):
    found, silent = advice.choices(results, [SENTIMENT, ADDING], CELLS, length=300)
    assert [choice.where for choice in found] == ["Adding problem, 500 steps"]
    assert silent == ["Sentiment, IMDB: its sequences have 200 steps."]
    assert found[0].cell == "gru" and found[0].latencies["lstm"] == pytest.approx(6)
    found, _ = advice.choices(results, [ADDING], CELLS, length=1500)
    assert found[0].cell == "lstm" and "2000 steps" in found[0].where


def test_advice_never_invents(results):
    partial = {k: r for k, r in results.items() if r["cell"] != "lstm" and not r["device"]}
    found, _ = advice.choices(partial, [ADDING], CELLS, length=300)
    assert found == []  # The trial that has the device's file is one of the rates.
    for each in results.values():
        each["device"] = None
    found, silent = advice.choices(results, [ADDING], CELLS, length=300, max_latency_ms=2)
    assert found == [] and silent == ["Adding problem, 500 steps: no cell is within 2 ms."]
    lines = advice.advise({}, [SENTIMENT, ADDING], CELLS, length=100)
    assert lines[0].startswith("No answer") and "not measured yet" in lines[-1]


def test_what_nobody_learns_is_no_reason_to_choose():
    hopeless = whole(ADDING, lambda job: 0.09 + 0.01 * CELLS.index(job.cell))
    found, silent = advice.choices(hopeless, [ADDING], CELLS, length=100)
    assert found == [] and silent == [
        "Adding problem, 100 steps: no cell learns it with this effort (best 12.00 % ± 0.00)."
    ]
    judged = {claim.said: claim for claim in claims.judge(hopeless, [ADDING])}
    claim = judged["Sequences over 1,000 steps favour LSTM"]
    assert claim.verdict == claims.UNDECIDED and "neither better in adding T=2000" in claim.evidence


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
    assert first == "Take gru: chosen in 1 of 1 measurements."
    assert "transformer with 12.00 ms" in done.stdout and "lstm with 6.00 ms" in done.stdout
    assert "not measured yet" in rest[-1]
    assert time.monotonic() - started < 30  # a hang, not a speed, is what this line catches


def test_the_seeds_sentences_are_judged(results):
    judged = {claim.said: claim for claim in claims.judge(results, [SENTIMENT, ADDING])}
    tie = judged["Sentiment Analysis: GRU 92 %, LSTM 92 % (Tie)"]
    assert tie.verdict == claims.HOLDS and "+0.10 for lstm" in tie.evidence
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
    assert "each had 0.5 cores on average" in text and "nan" not in text
    assert (tmp_path / "time.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"{name}.png" for name in ("time", "latency", "length", "gates")
    }
    assert text.count("(edge of the grid)") == 0


def test_a_report_of_nothing_has_no_figures_and_no_old_pictures(tmp_path):
    (tmp_path / "time.png").write_bytes(b"old")
    jobs = plan(subjects.every_subject(True), CELLS, 1, {})
    text = report.write(jobs, {}, tmp_path, quick=True).read_text()
    assert "Unfinished: 0 of" in text and "A quick look" in text
    assert "png" not in text and not (tmp_path / "time.png").exists()


def test_a_childs_use_and_its_last_words(tmp_path):
    usage = children.run("this", [], tmp_path / "log")  # Python's zen is printed by importing it
    assert usage["peak_memory_mb"] > 1 and usage["cpu_seconds"] >= 0 and usage["cpu_share"] < 8
    assert "Explicit is better" in (tmp_path / "log").read_text()
    with pytest.raises(children.ChildFailed, match="json.tool ended with status 2: .*nowhere"):
        children.run("json.tool", ["nowhere"], tmp_path / "log")


def test_two_runners_do_not_do_the_same_job(tmp_path):
    with children.held(tmp_path / "lock") as mine, children.held(tmp_path / "lock") as other:
        assert mine is not None and other is None
    with children.held(tmp_path / "lock") as free:
        assert free is not None


def tiny(**flags):
    flags = {"updates": 4, "every": 2, "patience": 2, "cpu_seconds": 60.0, "held_out": 16, **flags}
    return dataclasses.replace(
        ADDING, lengths=(6, 9), parameters=776, flags=flags, rates=(1e-3, 1e-2)
    )


def test_one_tiny_training_of_each_kind(tmp_path, monkeypatch):
    """Both children run in this process, so that TensorFlow is started once."""
    from recipes.comparison import device

    mains = {"recipes.comparison.long_run": long_run.main, "recipes.comparison.device": device.main}

    def run(module, arguments, log, keep_open=()):
        mains[module](arguments)
        return {"wall_seconds": 1.0, "cpu_seconds": 1.0, "cpu_share": 1.0, "peak_memory_mb": 1}

    monkeypatch.setattr(children, "run", run)
    jobs = plan([tiny()], ["gru"], 1, {})
    result = runner.run_job(jobs[0], tmp_path, False, 0)
    assert abs(result["parameters"] - 776) <= 0.02 * 776
    assert result["stopped"] == "updates" and len(result["history"]) == 2
    assert result["validation"] == max(row["validation"] for row in result["history"]) < 0
    assert [row["updates"] for row in result["gates"]] == [0, 2, 4]
    assert result["device"]["bytes"] > 1000 and result["device"]["latency_ms"] > 0
    assert result["device"]["largest_difference"] < 0.1
    assert str(tmp_path) not in json.dumps(result)
    stored.keep(tmp_path / "results", jobs[0].key, result)
    assert missing(jobs, stored.read(tmp_path / "results")) == jobs[1:]


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_a_devices_loop_is_the_layer(cell):
    import keras
    import numpy as np

    from gru_zoo.layers.encoders import encoder
    from recipes.comparison.device_loops import written

    random = np.random.default_rng(3)
    inputs = keras.Input((5, 4))
    masked = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, encoder(cell, 7, bidirectional=True, num_layers=2)(masked))
    model.set_weights([random.normal(0, 0.5, w.shape) for w in model.get_weights()])
    rows = random.normal(size=(3, 5, 4)).astype("float32")
    rows[0, [0, 3]] = rows[2, 4:] = 0
    expected = model(rows).numpy()
    with written(model):
        together = model(rows).numpy()
        alone = model(rows[:1]).numpy()
    np.testing.assert_allclose(together, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone, expected[:1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model(rows).numpy(), expected)


def test_the_same_examples_for_every_cell():
    settings = {"problem": "copy", "steps": 5, "parameters": 1, "learning_rate": 1.0, "seed": 3}
    effort = {"updates": 1, "every": 1, "patience": 1, "cpu_seconds": 1.0}
    one, other = (
        long_run.Data(long_run.LongRun(cell=cell, **settings, **effort)) for cell in ("gru", "rnn")
    )
    for number in (0, 7):
        for a, b in zip(one.batch(number), other.batch(number), strict=True):
            assert a.tolist() == b.tolist()
    assert one.batch(0)[0].tolist() != one.batch(1)[0].tolist()
    assert one.validation[0].tolist() != one.test[0].tolist()


def test_a_model_beside_the_budget_is_refused(tmp_path, monkeypatch):
    def run(module, arguments, log, keep_open=()):
        folder = Path(arguments[-1])
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text('{"parameters": 792, "metric": {"name": "accuracy"}}')
        return {}

    monkeypatch.setattr(children, "run", run)
    with pytest.raises(children.ChildFailed, match="within 2% of 776; the model has 792"):
        runner.run_job(plan([tiny()], ["rnn"], 1, {})[0], tmp_path, False, 0)


def test_a_rate_that_diverges_was_tried_and_is_not_chosen(tmp_path, monkeypatch):
    def run(module, arguments, log, keep_open=()):
        used = {"wall_seconds": 1.0, "cpu_seconds": 2.0, "cpu_share": 2.0, "peak_memory_mb": 3}
        raise children.ChildFailed("it ended: FloatingPointError: loss must stay finite", used)

    monkeypatch.setattr(children, "run", run)
    results = whole(SENTIMENT, lambda job: accuracy(job, gru=0.8, lstm=0.7, rnn=0.6, transformer=1))
    job = plan([SENTIMENT], ["gru"], 1, {})[1]
    stored.keep(tmp_path, job.key, runner.run_job(job, tmp_path, False, 0))
    diverged = stored.read(tmp_path)
    assert job.learning_rate == 3e-3 and diverged[job.key]["usage"]["cpu_seconds"] == 2
    results.update(diverged)
    assert stored.best_rate(results, SENTIMENT, "gru") in (1e-3, 1e-2)
    text = report.write(plan([SENTIMENT], CELLS, 3, results), results, tmp_path, False).read_text()
    assert "0.003: diverged" in text
    seed = {**results["sentiment-lstm-lr0.003-seed2"], **runner._DIVERGED}
    results["sentiment-lstm-lr0.003-seed2"] = seed
    figures = stored.figures(results, SENTIMENT, "lstm", 0)
    assert len(figures.values) == 2 and figures.diverged == 1


def test_a_recipe_is_resumed_where_its_run_is(tmp_path, monkeypatch):
    seen = []

    def run(module, arguments, log, keep_open=()):
        seen.append((module, arguments))
        raise children.ChildFailed("enough")

    monkeypatch.setattr(children, "run", run)
    job = plan([SENTIMENT], ["lstm"], 1, {})[0]
    for _ in range(2):
        with pytest.raises(children.ChildFailed):
            runner.run_job(job, tmp_path, False, 0)
        folder = tmp_path / "sentiment" / job.key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
    (module, first), (_, second) = seen
    assert module == "recipes.sentiment" and second == [*first, "--resume"]
    text = " ".join(first)
    assert text.startswith("train --vocabulary-size 10000") and "--no-export" in text
    assert "--cell lstm --parameters 400000 --learning-rate 0.001 --seed 0" in text


@pytest.mark.parametrize("task", subjects.TASKS, ids=lambda task: task.name)
def test_the_recipes_take_what_they_are_given(task):
    train = importlib.import_module(f"recipes.{task.name}").Train
    known = {field.name for field in dataclasses.fields(train)}
    given = {"cell", "parameters", "learning_rate", "seed", "runs", "name", "resume"}
    assert given | set(task.flags) | set(task.quick) <= known
    for cell in CELLS:
        assert repr(cell) in str(typing.get_type_hints(train)["cell"])


def small_model(task, cell):
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.models.reader import Reader
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.text.stories import StoryText
    from gru_zoo.text.subwords import Subwords
    from gru_zoo.text.tokenizers import WordTokenizer
    from gru_zoo.text.word_features import WordFeatures

    if task == "sentiment":
        words = ["<PAD>", "<START>", "<UNKNOWN>", *"abcdefgh"]
        return SequenceClassifier(WordTokenizer(words, sequence_length=8), units=8, cell=cell)
    if task == "pos_tagging":
        features = WordFeatures.fit([("a", "film", "which", "talks")] * 3)
        return Tagger(features, ["DET", "NOUN"], units=8, cell=cell)
    if task == "translation":
        subwords = Subwords.fit(["ein kleines Haus", "a small house"], size=40, longest=10)
        return Seq2Seq(subwords, cell, dim=8, units=8, heads=2)
    text = StoryText.fit(["Eva left the house.", "Where is Adam now?"], story_length=9)
    return Reader(text, ["eva", "adam"], units=8, cell=cell)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm", "transformer"])
@pytest.mark.parametrize("task", [task.name for task in subjects.TASKS])
def test_every_tasks_model_has_a_devices_file(task, cell, tmp_path):
    from recipes.comparison import device

    small_model(task, cell).save(tmp_path / "model.keras")
    measured = device.measure(task, tmp_path / "model.keras", 7)
    # Compared with the model inside: a wrong file raises.
    assert measured["largest_difference"] < 0.2 and measured["latency_ms"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("problem", subjects.PROBLEMS, ids=lambda problem: problem.name)
def test_every_cell_can_have_the_budget(problem):
    from gru_zoo.models.budget import units_for

    for cell in CELLS:
        place = (problem.name, problem.lengths[0], cell, problem.parameters)
        config = long_run.LongRun(*place, learning_rate=1e-3, seed=0, **problem.flags)
        units = units_for(lambda units, own=config: long_run.build(own, units), problem.parameters)
        made = long_run.build(config, units).count_params()
        assert abs(made - problem.parameters) <= subjects.TOLERANCE * problem.parameters, cell


@pytest.mark.slow
def test_the_command_itself(tmp_path):
    """A real comparison: children, report, and a second start that has nothing left to do."""
    code = (
        "import dataclasses, sys\n"
        "from recipes import compare\n"
        "from recipes.comparison import subjects\n"
        "from tests.recipes.test_compare import tiny\n"
        "subjects.PROBLEMS, subjects.TASKS = (tiny(),), ()\n"
        "sys.exit(compare.main(sys.argv[1:]))\n"
    )
    words = ["--cells", "rnn", "--seeds", "1", "--results", "out", "--runs", "runs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for start in ("[1/3, ", "report: "):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(start)
    results = stored.read(tmp_path / "out")
    assert len(results) == 3 and "Unfinished" in (tmp_path / "out" / "report.md").read_text()
    for each in results.values():
        assert each["usage"]["peak_memory_mb"] > 100 and each["usage"]["cpu_seconds"] > 0.1
