"""Trainings as children: killed, failed, resumed, two at a time, and one real command."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recipes.comparison import children, report, runner, stored
from recipes.comparison.plan import plan
from tests.recipes.comparison.made import ADDING, CELLS, SENTIMENT, accuracy, record, tiny, whole

ROOT = Path(__file__).resolve().parents[3]


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


def test_an_end_ends_the_other_cores_child_too(tmp_path, monkeypatch, capsys):
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
    assert "failed" not in capsys.readouterr().out


def test_no_job_is_begun_after_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run_job", lambda *_: pytest.fail("time was up"))
    jobs = plan([ADDING], ["rnn"], 1, {})
    assert runner.run_all(lambda _: jobs, tmp_path / "a", tmp_path / "b", False, print, -1) == []


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


def test_a_model_beside_the_budget_is_refused(tmp_path, monkeypatch):
    def run(module, arguments, log, keep_open=()):
        folder = Path(arguments[-1])
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text('{"parameters": 792, "metric": {"name": "accuracy"}}')
        return {}

    monkeypatch.setattr(children, "run", run)
    with pytest.raises(children.ChildFailed, match="within 2% of 776; the model has 792"):
        runner.run_job(plan([tiny()], ["rnn"], 1, {})[0], tmp_path, False, 0)


DIVERGING = """
import dataclasses, sys
from recipes.shared import cli

@dataclasses.dataclass(frozen=True)
class Train:
    limit: int = 5

def train(config):
    raise FloatingPointError("loss must stay finite; epoch 1 gave nan.")

sys.exit(cli.command("python -m diverging", {"train": (Train, train)}, []))
"""


def test_a_rate_that_diverges_was_tried_and_is_not_chosen(tmp_path, monkeypatch):
    (tmp_path / "diverging.py").write_text(DIVERGING)  # ends as a recipe does
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    real = children.run
    monkeypatch.setattr(children, "run", lambda _, words, log, open: real("diverging", [], log))
    results = whole(SENTIMENT, lambda job: accuracy(job, gru=0.8, lstm=0.7, rnn=0.6, transformer=1))
    job = plan([SENTIMENT], ["gru"], 1, {})[1]
    stored.keep(tmp_path, job.key, runner.run_job(job, tmp_path, False, 0))
    diverged = stored.read(tmp_path)
    assert job.learning_rate == 3e-3 and diverged[job.key]["usage"]["cpu_seconds"] > 0
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
    assert f"--cell lstm --parameters {SENTIMENT.parameters} --learning-rate 0.001 --seed 0" in text


@pytest.mark.parametrize(("status", "kept"), [(1, True), (-9, False)])
def test_a_device_measurement_that_a_signal_ends_is_no_result(tmp_path, monkeypatch, status, kept):
    def run(*_):
        raise children.ChildFailed("it ended", None, status)

    monkeypatch.setattr(children, "run", run)
    job = plan([tiny()], ["gru"], 1, {})[0]
    if kept:
        found = runner.measure_device(job, tmp_path, tmp_path / "log", 0)
        assert found == {"error": "it ended"}
        return
    with pytest.raises(children.ChildFailed, match="it ended"):
        runner.measure_device(job, tmp_path, tmp_path / "log", 0)


@pytest.mark.slow
def test_the_command_itself(tmp_path):
    """A real comparison: children, report, and a second start that has nothing left to do."""
    code = (
        "import dataclasses, sys\n"
        "from recipes import compare\n"
        "from recipes.comparison import subjects\n"
        "from tests.recipes.comparison.made import tiny\n"
        "subjects.PROBLEMS = (dataclasses.replace(tiny(), lengths=(6,)),)\n"
        "subjects.TASKS = ()\n"
        "sys.exit(compare.main(sys.argv[1:]))\n"
    )
    words = ["--cells", "rnn", "--seeds", "1", "--results", "out", "--runs", "runs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for start in ("[1/2, ", "report: "):
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
    assert len(results) == 2 and "Unfinished" in (tmp_path / "out" / "report.md").read_text()
    for each in results.values():
        assert each["usage"]["peak_memory_mb"] > 100 and each["usage"]["cpu_seconds"] > 0.1
