"""The README's part on speed says what was measured, and is not stale."""

import json
from pathlib import Path

import pytest

pytest.importorskip("tyro", reason="the benchmarks need the extra `bench`")

from benchmarks import layer_readme, layer_speed
from gru_zoo.markdown import replace_section


def cell(rounds=20, share=0.5, first=1.0, product=100.0, **ratios):
    firsts = {"gru_zoo": first, "keras_xla": 2.0}
    return {
        "rounds": rounds,
        "ms": {"gru_zoo": 2.0},
        "ratios": ratios,
        "first_call_s": firsts,
        "product_gflops": product,
        "share_of_product_rate": share,
    }


@pytest.fixture
def record():
    return {
        "cpu": "Some CPU",
        "cores": 2,
        "runs": 20,
        "date": "2026-01-02",
        "versions": {"tensorflow": "2.21.0"},
        "memory": {"gru_zoo:2:3:4": 5_000_000, "keras:2:3:4": 4_000_000},
        "cells": {
            "plain/forward/128/50/256": cell(keras=4.0, keras_xla=0.9, onnx=1.5, share=0.75),
            "plain/forward/1/50/32": cell(rounds=7, keras=1.0, keras_xla=2.0, onnx=0.5, first=4.0),
            "plain/train/128/50/256": cell(keras=3.0, keras_xla=1.25, torch=2.0, share=0.6),
            "masked/train/32/200/32": cell(keras=6.0, keras_xla=1.5),
        },
    }


def test_means_and_worst_cases_stand_beside_each_peer(record):
    lines = layer_readme.section(record, None).splitlines()
    (onnx,) = [line for line in lines if line.startswith("| ONNX Runtime's fused operator |")]
    assert onnx == "| ONNX Runtime's fused operator | 0.87 | 0.50 (1, 50, 32) |  |  |"
    (better,) = [line for line in lines if line.startswith("| the faster of these two")]
    assert better.endswith("| 0.95 | 0.90 (128, 50, 256) | 1.25 | 1.25 (128, 50, 256) |")
    (masked,) = [line for line in lines if line.startswith("| masked |")]
    assert masked == (
        "| masked | train | 1 | 6.00 | 6.00 (32, 200, 32) | 1.50 | 1.50 (32, 200, 32) |"
    )
    assert "Speedup of the variants over Keras, at 200 steps:" in lines
    assert any("fewer in (1, 50, 32) forward" in line for line in lines)


def test_an_aim_is_met_only_where_the_measure_reaches_it(record):
    epoch = {"seconds": {"ours": 10.0, "Keras'": 16.9}, "times_as_fast": 1.69}
    epoch["first_batches_seconds"] = {"ours": 2.0, "Keras'": 5.5}  # 22.4 / 12
    said = layer_readme.section(record, epoch)
    met = {}
    for line in said.splitlines():
        parts = [part.strip() for part in line.strip("| ").split("|")]
        if len(parts) == 4 and parts[3] in ("yes", "**no**"):
            met[parts[0]] = (parts[2], parts[3] == "yes")
    assert met[
        "training step, geometric mean speedup over `keras.layers.GRU`, as predict and fit run it"
    ] == (
        "3.00",
        True,
    )
    assert met["training step, geometric mean speedup over `torch.nn.GRU`"] == ("2.00", False)
    assert met["forward, geometric mean speedup over ONNX Runtime's fused operator"] == (
        "0.87",
        False,
    )
    faster = "worst-case speedup over the faster of Keras' default and XLA"
    assert met[f"forward, {faster}"] == ("0.90", False)
    assert met[f"training step, {faster}"] == ("1.25", True)
    assert met["forward (128, 50, 256), fraction of matmul throughput"] == ("0.75", True)
    assert met["training step (128, 50, 256), fraction of matmul throughput"] == ("0.60", False)
    assert met["peak memory of a training step (2, 3, 4), relative to Keras"] == ("1.25", False)
    first = "first call with compilation, forward, relative to Keras with XLA"
    assert met[f"{first}, geometric mean"] == ("1.00", True)
    assert met[f"{first}, worst case (1, 50, 32)"] == ("2.00", False)
    epoch = "one epoch of `recipes.sentiment`, speedup over `keras.layers.GRU`"
    assert met[f"{epoch}, once compiled"] == ("1.69", False)
    assert met[f"{epoch}, tracing and compiling included"] == ("1.87", True)


def test_other_processors_have_a_column_each(record):
    other = json.loads(json.dumps(record)) | {"cpu": "Some CPU", "date": "2026-01-02"}
    said = layer_readme.section(record | {"others": [other]}, None)
    table = said.partition("On other processors")[2]
    assert "\n| target | Some CPU, 2026-01-02 |\n" in table
    assert (
        "\n| training step, geometric mean speedup over `torch.nn.GRU` | 2.00, **not met** |"
        in table
    )
    assert "On other processors" not in layer_readme.section(record, None)


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        ({}, True),
        ({"cpu": "Other CPU"}, False),
        ({"cores": 4}, False),
        ({"versions": {"tensorflow": "2.20.0"}}, False),
        ({"whole_epoch": False}, False),
    ],
)
def test_an_epoch_of_another_machine_or_a_part_of_one_does_not_count(
    record, tmp_path, change, stands
):
    results = tmp_path / "layer_speed.json"
    assert layer_readme.epoch_record(results, record) is None
    alike = {key: record[key] for key in ("cpu", "cores", "versions")}
    epoch = {**alike, "whole_epoch": True} | change
    results.with_name("train_speed.json").write_text(json.dumps(epoch))
    assert layer_readme.epoch_record(results, record) == (epoch if stands else None)


def test_what_was_measured_beside_other_work_is_named(record):
    said = "\nMeasured beside other work: (128, 50, 256) train."
    assert said not in layer_readme.section(record, None)
    record["cells"]["plain/train/128/50/256"]["product_gflops"] = 89.0
    assert said in layer_readme.section(record, None)


def test_the_readme_is_not_stale():
    root = Path(__file__).parents[1]
    results = layer_speed.Config().results
    record = json.loads((root / results).read_text(encoding="utf-8"))
    made = layer_readme.section(record, layer_readme.epoch_record(root / results, record))
    text = (root / "README.md").read_text(encoding="utf-8")
    again = "make it again: python -m benchmarks.layer_speed --report-only --write"
    assert replace_section(text, made, layer_readme.BEGIN, layer_readme.END) == text, again
