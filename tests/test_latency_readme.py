"""The README's part on TFLite latencies says what was measured, and is not stale."""

import copy
import json
from pathlib import Path

import pytest

pytest.importorskip("tyro", reason="the benchmarks need the extra `bench`")

from benchmarks import latency_readme, tflite_latency
from gru_zoo.markdown import replace_section

ROOT = Path(__file__).parents[1]


@pytest.fixture
def record():
    path = ROOT / tflite_latency.Config().results
    return json.loads(path.read_text(encoding="utf-8"))


def _met(record):
    lines = latency_readme.section(record).splitlines()
    parts = [[part.strip() for part in line.strip("| ").split("|")] for line in lines]
    return {
        row[0]: (row[2], row[3] == "yes") for row in parts if len(row) == 4 and row[0] != "target"
    }


def test_an_aim_is_met_only_where_the_measure_reaches_it(record):
    record = copy.deepcopy(record)
    keyword, sentiment = (record["models"][name] for name in ("keyword", "sentiment"))
    keyword["ratios"] |= {"onnxruntime / int8": 1.69, "onnxruntime / float32": 1.01}
    keyword["ratios"]["keras / float32"] = 1.31
    keyword["bytes"] |= {"int8": 28, "float32": 100}
    sentiment["ratios"] |= {"onnxruntime / int8": 1.0, "onnxruntime / float32": 0.76}
    record["step"]["over_products"], record["all_steps"]["exponent"] = 1.9, 1.2
    met = {name.partition(", ")[0::2]: found for name, found in _met(record).items()}
    against = "speedup over"
    assert met["keyword", f"int8, {against} ONNX Runtime (float32)"] == ("1.69", False)
    assert met["keyword", f"float32, {against} ONNX Runtime"] == ("1.01", True)
    assert met["keyword", f"float32, {against} Keras' export"] == ("1.31", True)
    assert met["sentiment", f"int8, {against} ONNX Runtime (float32)"] == ("1.00", True)
    assert met["sentiment", f"float32, {against} ONNX Runtime"] == ("0.76", False)
    assert met["keyword", "int8 file size relative to float32"] == ("0.28", False)
    assert met["keyword", "time per step relative to its matrix products"] == ("1.90", True)
    assert met["states of all steps", "exponent of the time in the length"] == ("1.20", False)


def test_a_file_has_a_row_with_its_own_figures(record):
    record["models"]["keyword"] |= {"ms": {"int8": 0.5}, "bytes": {"int8": 81_900, "float32": 1}}
    record["models"]["keyword"]["memory_bytes"] = {"int8": 4_000_000}
    record["models"]["keyword"]["ratios"] |= {"onnxruntime / int8": 1.25, "keras / int8": 1.5}
    record["step"]["us"]["keyword int8"] = 2.5
    said = latency_readme.section(record)
    assert "\n| keyword | int8 | 82 | 0.500 | 1.25 | 1.50 | 2.50 | 4,000 |\n" in said


def test_other_processors_have_a_column_each(record):
    other = copy.deepcopy(record) | {"cpu": "Some CPU", "date": "2026-01-02", "others": []}
    other["models"]["keyword"]["ratios"] |= {"onnxruntime / int8": 1.69, "keras / float32": 1.31}
    third = copy.deepcopy(other) | {"cpu": "Third CPU"}
    third["models"]["keyword"]["ratios"]["onnxruntime / int8"] = 1.71
    said = latency_readme.section(record | {"others": [other, third]})
    assert "\n| target | Some CPU, 2026-01-02 | Third CPU, 2026-01-02 |\n" in said
    against = "speedup over ONNX Runtime (float32)"
    assert f"\n| keyword, int8, {against} | 1.69, **not met** | 1.71 |\n" in said
    assert "\n| keyword, float32, speedup over Keras' export | 1.31 | 1.31 |" in said
    assert "other processors" not in latency_readme.section(record | {"others": []})


@pytest.mark.parametrize(("cpu", "kept"), [("here", ["b"]), ("new", ["here", "b"])])
def test_what_was_measured_elsewhere_is_kept(tmp_path, monkeypatch, cpu, kept):
    monkeypatch.setattr(tflite_latency.timing, "machine", lambda packages: {"cpu": cpu})
    assert tflite_latency._others(tmp_path / "none.json") == []
    way = {"calls": tflite_latency.CALLS}
    # What was measured in another way does not compare.
    known = {"cpu": "here", **way, "others": [{"cpu": "b", **way}, {"cpu": "c"}]}
    (tmp_path / "known.json").write_text(json.dumps(known))
    found = tflite_latency._others(tmp_path / "known.json")
    assert found == [{"cpu": name, **way} for name in kept]


def test_the_readme_is_not_stale(record):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    made = latency_readme.section(record)
    again = "make it again: python -m benchmarks.tflite_latency --report-only --write"
    assert replace_section(text, made, latency_readme.BEGIN, latency_readme.END) == text, again
