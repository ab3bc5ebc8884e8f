"""The README's part on TFLite latencies: a table of the files, and targets with measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.aims import Aim, Targets, aims_table, elsewhere
from gru_zoo.markdown import table

BEGIN = "<!-- latency: made by `python -m benchmarks.tflite_latency --write` -->"
END = "<!-- end of latency -->"
_COLUMNS = (
    "model",
    "file",
    "KB",
    "whole sequence, ms",
    "speedup over ONNX Runtime",
    "speedup over Keras' export",
    "step, µs",
    "interpreter memory, KB",
)
_AT_LEAST = (
    ("keyword", "onnxruntime / float32", "speedup over ONNX Runtime", 1.0),
    ("keyword", "onnxruntime / int8", "speedup over ONNX Runtime (float32)", 1.7),
    ("sentiment", "onnxruntime / float32", "speedup over ONNX Runtime", 1 / 1.3),
    ("sentiment", "onnxruntime / int8", "speedup over ONNX Runtime (float32)", 1.0),
    ("keyword", "keras / float32", "speedup over Keras' export", 1.3),
    ("sentiment", "keras / float32", "speedup over Keras' export", 1.3),
)


def section(record: Mapping[str, Any]) -> str:
    """Return what tflite_latency.py measured, as Markdown."""
    step, every = record["step"], record["all_steps"]
    lengths = ", ".join(f"{length}: {ms:.2f} ms" for length, ms in every["ms"].items())
    versions = record["versions"]
    parts = [
        table(_COLUMNS, list(_rows(record))),
        f"The two matrix products of the keyword model's step alone take "
        f"{step['us']['products']:.2f} µs; the whole step takes {step['over_products']:.2f} times "
        "that.\n"
        f"The states of all steps, GRU(128) over T steps: {lengths}; the time grows as T^"
        f"{every['exponent']:.2f}.\n"
        f"Medians over {record['runs']} rounds, and {record['long_runs']} of the lengths up to "
        f"{max(map(int, every['ms']))}; {record['cpu']}, {record['date']}, LiteRT "
        f"{versions['ai-edge-litert']}, ONNX Runtime {versions['onnxruntime']}.",
        aims_table(*_targets(record)),
    ]
    if others := record.get("others"):
        parts += ["The same files on other processors:", elsewhere(others, _targets)]
    return "\n\n".join(parts)


def _targets(record: Mapping[str, Any]) -> Targets:
    return _at_least(record), _at_most(record)


def _rows(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, model in record["models"].items():
        for who, ms in model["ms"].items():
            size, memory = model["bytes"].get(who), model["memory_bytes"].get(who)
            step = record["step"]["us"].get(f"{name} {who}")
            yield (
                name,
                who,
                "" if size is None else f"{size / 1e3:,.0f}",
                f"{ms:.3f}",
                _ratio(model, f"onnxruntime / {who}"),
                _ratio(model, f"keras / {who}"),
                "" if step is None else f"{step:.2f}",
                "" if memory is None else f"{memory / 1e3:,.0f}",
            )


def _ratio(model: Mapping[str, Any], key: str) -> str:
    return f"{model['ratios'][key]:.2f}" if key in model["ratios"] else ""


def _at_least(record: Mapping[str, Any]) -> Iterator[Aim]:
    for name, key, said, required in _AT_LEAST:
        variant = key.split(" / ")[1]
        ratio = record["models"][name]["ratios"][key]
        yield f"{name}, {variant}, {said}", round(required, 2), ratio


def _at_most(record: Mapping[str, Any]) -> Iterator[Aim]:
    size = record["models"]["keyword"]["bytes"]
    yield (
        "keyword, time per step relative to its matrix products",
        2.0,
        record["step"]["over_products"],
    )
    yield "keyword, int8 file size relative to float32", 0.27, size["int8"] / size["float32"]
    # Linear; a tenth is what a fit over five lengths may be off.
    yield (
        "states of all steps, exponent of the time in the length",
        1.1,
        record["all_steps"]["exponent"],
    )
