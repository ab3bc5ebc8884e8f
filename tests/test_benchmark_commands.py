"""The benchmarks' commands: what they refuse, before work starts."""

import importlib
import os
import subprocess
import sys

import pytest

pytest.importorskip("tyro", reason="the benchmarks' flags are tyro's")

WRONG = [
    ("layer_speed", ["--batch", "0"], "batch must be an integer of at least 1; got 0."),
    ("layer_speed", ["--seconds", "nan"], "seconds must be above 0; got nan."),
    ("layer_speed", ["--report-only", "--results", "/none.json"], "results must be a file"),
    ("train_speed", ["--turn", "0"], "turn must be an integer of at least 1; got 0."),
    ("train_speed", ["--batches", "-1"], "batches must be 0 or more; got -1."),
    ("tflite_latency", ["--runs", "0"], "runs must be an integer of at least 1; got 0."),
    ("tflite_latency", ["--report-only", "--results", "/none.json"], "results must be a file"),
    ("integer_streaming", ["--steps", "-1"], "steps must be an integer of at least 1; got -1."),
    ("integer_streaming", ["--representative", "9"], "representative must be at least 20, the"),
    ("microcontroller", ["--steps", "0"], "steps must be an integer of at least 1; got 0."),
    ("tokenizers", ["--folds", "99"], "folds must be one of 0, 1, 2, 3, 4; got 99."),
    ("tokenizers", ["--candidates", "words"], "candidates must be one of 'words_cased_20k'"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG)
def test_impossible_flags_are_named(name, arguments, message, capsys):
    command = importlib.import_module(f"benchmarks.{name}")
    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_results_that_are_no_record(tmp_path):
    from benchmarks import records

    for content, message in (("{", "results must be JSON"), ("[]", "must be a JSON object")):
        path = tmp_path / "results.json"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            records.read(path)


def test_a_reader_may_stop_reading():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "benchmarks.device_table"]
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


def test_variants_of_another_measurement_are_not_kept():
    from benchmarks.integer_streaming import kept

    record = {
        "config": {"steps": 1000, "variants": ["int8_full"]},
        "machine": {"cpu": "one", "versions": {"numpy": "2"}, "date": "2026-01-01"},
        **{"preset": "name", "model": "0f", "representative": 200, "long_reviews": 50},
        **{"streams": 2000, "reviews": 25_000, "variants": {"int8_full": {"bytes": 7}}},
    }
    anew = {**record, "config": {"steps": 1000, "variants": ["int4"]}, "variants": {}}
    assert kept(record, anew) == record["variants"]
    for name, other in (("reviews", 100), ("model", "1e"), ("config", {"steps": 5})):
        assert kept(record, {**anew, name: other}) == {}
    assert kept({name: record[name] for name in record if name != "model"}, anew) == {}


def test_folds_of_other_data_or_packages_are_not_averaged_with_new_ones(capsys):
    from benchmarks.tokenizers import kept

    source = {"name": "imdb (TFDS)", "version": "1.0.0", "sha256": {"train reviews": "0f"}}
    alike = {"settings": {"folds": 5}, "versions": {"keras": "3"}, "source": source}
    before = {**alike, "runs": [{"fold": 0}]}
    assert kept(before, {**alike, "source": {**source, "reason": "downloaded"}}) == [{"fold": 0}]
    assert kept({}, alike) == [] and capsys.readouterr().err == ""
    for name, other in (
        ("versions", {"keras": "4"}),
        ("settings", {"folds": 3}),
        ("source", {**source, "name": "imdb (packaged)"}),
    ):
        assert kept(before, {**alike, name: other}) == []
        assert (
            f"1 older runs had {'an' if name == 'source' else ''}other" in capsys.readouterr().err
        )
