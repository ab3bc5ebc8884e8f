"""Which trainings make the table; folders and flags that are refused."""

import sys

import pytest

from recipes import compare
from recipes.comparison import runner, subjects
from recipes.comparison.plan import check_configuration, missing, plan
from tests.recipes.comparison.made import ADDING, CELLS, SENTIMENT, finish, put, whole


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
    assert "results must be a folder of --quick results" in message and "a full one" in message


def test_quick_and_full_trainings_do_not_mix(monkeypatch):
    """They have the same names, and the full ones would go on with what was trained quickly."""
    places = []

    def run_all(plan, results, runs, *_):
        places.append((str(results), str(runs)))
        return []

    monkeypatch.setattr(runner, "run_all", run_all)
    monkeypatch.setattr(compare, "_report", lambda *_: None)
    monkeypatch.setattr(compare.signal, "signal", lambda *_: None)
    for words in (["--quick"], ["--results", "new"], ["--quick", "--runs", "mine"]):
        assert compare.main(words) == 0
    assert places == [
        ("results/compare_quick", "runs/compare_quick"),
        ("new", "new/runs/compare"),  # Other results are of other trainings.
        ("results/compare_quick", "mine"),
    ]


def test_a_corrupt_result_is_named(tmp_path, capsys):
    (tmp_path / "sentiment-gru.json").write_text('{"quick": fal')
    assert compare.main(["--report", "--results", str(tmp_path)]) == 2
    assert (
        f"results must be complete JSON files; {tmp_path}/sentiment-gru.json"
        in capsys.readouterr().err
    )
    (tmp_path / "sentiment-gru.json").write_text("{}")
    assert compare.main(["--plan", "--results", str(tmp_path)]) == 2
    assert "results must have quick, subject, cell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "sentimnt"], "task must be one of 'sentiment', "),
        (["--cells", "grru"], "cells must be one of 'gru', 'lstm', 'rnn', 'transformer'; got 'gr"),
        (["--seeds", "-1"], "seeds must be an integer of at least 1; got -1"),
        (["--advise", "--length", "-3"], "length must be a number of at least 0; got -3"),
        (["--minutes", "nan"], "minutes must be a number of at least 0; got nan"),
        (["--max-latency-ms", "nan"], "max_latency_ms must be a number of at least 0; got nan"),
        (["--task", "adding", "adding"], "task must not name anything twice; got adding adding"),
        (["--cells", "gru", "gru"], "cells must not name anything twice; got gru gru"),
        (["--cells"], "cells must be one or more of gru, lstm"),
        (["--advise", "--cells", "gru"], "cells must be two or more to choose from; got gru"),
        (["--results", __file__, "--plan"], "test_plan.py is a file"),
        (["--max-latency-ms", "2"], "max_latency_ms must be 0 without --advise; got 2.0"),
        (["--length", "300", "--plan"], "length must be 0 without --advise; got 300"),
        (["--advise", "--plan"], "plan, report and advise are mutually exclusive"),
        (["--advise", "--results", "nowhere"], "results must be a folder with finished trainings"),
    ],
)
def test_bad_input_is_named_before_work_starts(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compare.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_system_without_its_locks_is_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    monkeypatch.setattr(runner, "run_all", lambda *_: pytest.fail("it was run"))
    assert compare.main(["--task", "adding"]) == 2
    assert capsys.readouterr().err.startswith("error: recipes.compare needs a POSIX system")
    assert compare.main(["--plan", "--task", "adding"]) == 0
    assert not list(tmp_path.iterdir())


def test_the_plan_is_printed_and_nothing_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compare.main(["--plan", "--task", "adding", "--cells", "gru"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("adding-T100-gru-lr0.001-seed0") and "min" in lines[0]
    assert lines[-1].startswith("0 of 11 finished; ")
    assert not list(tmp_path.iterdir())


def test_one_file_of_each_cell_and_length_is_measured():
    jobs = [job for job in plan([SENTIMENT, ADDING], CELLS, 3, {}) if job.device]
    places = [(job.subject.name, job.steps, job.cell) for job in jobs]
    assert len(places) == len(set(places)) == 4 * (1 + len(ADDING.lengths))


def test_time_that_others_took_is_not_planned_for():
    results = whole(SENTIMENT, lambda job: 0.5, cpu_of=lambda job: 2.0)
    for record in results.values():
        record["usage"] |= {"wall_seconds": 600.0, "cpu_seconds": 120.0}
    assert {job.minutes for job in plan([SENTIMENT], CELLS, 1, results)} == {2.0}


def test_a_setting_that_is_gone_is_another_configuration(tmp_path):
    results = whole(SENTIMENT, lambda job: 0.5)
    record = next(iter(results.values()))
    record["settings"] = {**record["settings"], "averaged": True}
    with pytest.raises(ValueError, match="with averaged None; .* was made with True"):
        check_configuration([SENTIMENT], results, False, tmp_path)
