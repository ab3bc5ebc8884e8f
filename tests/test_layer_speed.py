"""The speed grid's bookkeeping: what is kept, in which order it is measured, what is reported."""

import json

import pytest

pytest.importorskip("tyro", reason="the benchmarks need the extra `bench`")

from benchmarks import layer_report, layer_speed, records, timing


def cell(ours, rounds=20, product=100.0, **peers):
    return {
        "rounds": rounds,
        "ms": {"gru_zoo": ours, **peers},
        "ratios": {name: value / ours for name, value in peers.items()},
        "first_call_s": {"gru_zoo": 3.0, "keras_xla": 2.0},
        "product_gflops": product,
        "share_of_product_rate": 0.5,
    }


CONFIG = layer_speed.Config()


@pytest.fixture
def record():
    record = layer_speed._begin({"cells": {}, "memory": {}}, CONFIG)
    record["memory"] = {"gru_zoo:2:3:4": 5_000_000}
    record["cells"] = {
        "plain/forward/2/5/7": cell(2.0, keras=8.0, keras_xla=3.0, empty=0.1),
        "plain/forward/1/5/7": cell(2.0, rounds=7, keras=4.0, keras_xla=1.0, gru_zoo_xla=1.0),
    }
    return record


def test_only_cells_of_this_code_and_machine_are_kept(record):
    kept = layer_speed._begin(json.loads(json.dumps(record)), CONFIG)
    assert set(kept["cells"]) == set(record["cells"]) and kept["memory"]
    # Nothing was measured today.
    assert layer_speed._begin(record | {"date": "2020-01-01"}, CONFIG)["date"] == "2020-01-01"
    others = {"code": "0", "cpu": "another", "versions": {}, "features": 16, "peers": ["keras"]}
    for name, other in others.items():
        stale = json.loads(json.dumps(record)) | {name: other}
        assert layer_speed._begin(stale, CONFIG)["cells"] == {}
        assert stale["memory"] == {}


def test_only_what_code_does_makes_it_other_code(tmp_path):
    def fingerprint(text):
        path = tmp_path / "code.py"
        path.write_text(text, encoding="utf-8")
        return records.code_of([path])

    code = '"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 1\n'
    spoken = '"""Three."""\n# Four.\ndef f(x):\n    """Five."""\n\n    return x + 1  # six\n'
    assert fingerprint(code) == fingerprint(spoken)
    assert fingerprint(code) != fingerprint(code.replace("x + 1", "x + 2"))
    assert fingerprint("x = 'a'\n") != fingerprint("x = 'b'\n")


def test_what_was_measured_elsewhere_is_kept_beside(record):
    other = json.loads(json.dumps(record)) | {"cpu": "another", "date": "2020-01-02"}
    kept = layer_speed._begin(json.loads(json.dumps(other)), CONFIG)["others"]
    assert [(one["cpu"], one["date"], one["cells"]) for one in kept] == [
        ("another", "2020-01-02", record["cells"])
    ]
    again = json.loads(json.dumps(record)) | {"others": kept, "code": "0"}
    assert layer_speed._begin(again, CONFIG)["others"] == kept
    for name, value in (("features", 16), ("peers", ["keras"]), ("cells", {})):
        assert layer_speed._begin({**other, name: value}, CONFIG)["others"] == []


def test_measuring_goes_on_where_it_stopped(record, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(
        layer_speed, "_cell", lambda case, _: measured.append(case.key) or cell(1.0, keras=2.0)
    )
    results = tmp_path / "speed.json"
    options = {"variants": ("plain",), "modes": ("forward",), "time": (5, 6), "units": (7,)}
    config = layer_speed.Config(**options, batch=(2, 1), memory=False, results=results)
    record["date"] = "2020-01-01"
    layer_speed._measure(config, record)
    assert json.loads(results.read_text())["date"] > "2020-01-01"
    assert measured == ["plain/forward/2/6/7", "plain/forward/1/6/7"]
    assert list(json.loads(results.read_text())["cells"])[2:] == measured


def test_a_configuration_measured_beside_other_work_is_measured_again(
    record, tmp_path, monkeypatch
):
    measured = []
    monkeypatch.setattr(
        layer_speed, "_cell", lambda case, _: measured.append(case.key) or cell(1.0, keras=2.0)
    )
    record["cells"] = {
        f"plain/forward/{batch}/5/7": cell(1.0, product=rate, keras=2.0)
        for batch, rate in (
            (1, 91.0),
            (2, 89.0),
            (3, 100.0),
            (4, 120.0),
            (5, 30.0),
            (6, 140.0),
            (7, 100.0),
        )
    }
    busy = ["plain/forward/2/5/7", "plain/forward/5/5/7"]
    text = "\n".join(layer_report._summary(record))
    assert f"Measured beside other work: {busy[0]}, {busy[1]}.\n" in text
    options = {"variants": ("plain",), "modes": ("forward",), "time": (5,), "units": (7,)}
    config = layer_speed.Config(
        **options, batch=(1, 2, 3, 4, 5, 6, 7), memory=False, results=tmp_path / "speed.json"
    )
    layer_speed._measure(config, record)
    assert measured == busy
    assert "Measured beside other work: none." in "\n".join(layer_report._summary(record))


def test_memory_that_could_not_be_measured_is_measured_next_time(record, tmp_path, monkeypatch):
    monkeypatch.setattr(layer_speed, "_cases", lambda config: [])
    peaks = iter([5, 5, None, 5, 5, 9_000_000, 6_000_000, 7_000_000, 8_000_000, 3_000_000])
    monkeypatch.setattr(layer_speed, "_in_own_process", lambda *_: next(peaks))
    options = {"batch": (32,), "units": (128,), "peers": (), "results": tmp_path / "speed.json"}
    record["memory"] = {}
    layer_speed._measure(layer_speed.Config(**options), record)
    assert record["memory"] == {}
    layer_speed._measure(layer_speed.Config(**options), record)
    assert record["memory"] == {"gru_zoo:32:200:128": 7_000_000}


def test_the_time_limit_begins_no_further_cell(record, tmp_path, monkeypatch):
    monkeypatch.setattr(layer_speed, "_cell", lambda *_: pytest.fail("time was up"))
    config = layer_speed.Config(minutes=-1.0, memory=False, results=tmp_path / "speed.json")
    layer_speed._measure(config, record)


def test_no_contender_always_follows_the_same_other_one():
    turns = []
    calls = {name: lambda name=name: turns.append(name) for name in "abcde"}
    times = timing.interleaved(calls, 40)
    assert all(len(values) == 40 for values in times.values())
    for i in range(0, 200, 5):
        assert sorted(turns[i : i + 5]) == list("abcde")
    before_a = {turns[i - 1] for i in range(1, 200) if turns[i] == "a"}
    assert before_a >= set("bcde")


def test_the_report_names_the_worst_case_and_short_cells(record):
    text = "\n".join(layer_report._summary(record))
    faster = "faster of keras and keras_xla"
    lowest = f"| plain | forward | 2 | {faster} | 0.87 | 0.50 | batch 1, time 5, units 7 |"
    assert lowest in text  # sqrt(1.5 * 0.5)
    # Our compiled mode takes 1.0 there too.
    of_ours = "the same, faster of gru_zoo and gru_zoo_xla"
    assert f"| plain | forward | 2 | {of_ours} | 1.22 | 1.00 |" in text
    assert "plain/forward/1/5/7 (7)" in text and "first call, forward" in text
    assert "| empty |" not in text
