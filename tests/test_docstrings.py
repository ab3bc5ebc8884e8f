"""Every example in a docstring runs and gives what it says."""

import contextlib
import doctest
import importlib
from pathlib import Path

import pytest

from gru_zoo.layers.kernels import forced

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(ROOT.glob("gru_zoo/**/*.py"))
    if path.name != "__init__.py"
]
# Packages that only this module's examples need.
NEEDS = {
    "gru_zoo.text.subwords": "tokenizers",
    "gru_zoo.models.seq2seq": "tokenizers",
    "gru_zoo.training.teacher_forcing": "tokenizers",
    "gru_zoo.decoding.translating": "tokenizers",
    "gru_zoo.training.sentence_pairs": "tokenizers",
    "gru_zoo.artifacts.translator": "tokenizers",
    "gru_zoo.export.translator": "tokenizers",
    "gru_zoo.export.runners.lite_translator": "tokenizers",
    "gru_zoo.convert.onnx_gru": "onnx",
    "gru_zoo.data.digits": "sklearn",
    "gru_zoo.models.ngrams": "sklearn",
    "gru_zoo.export.flatbuffer.int4": "ai_edge_quantizer",
    "gru_zoo.export.micro": "tflite_micro",
    "gru_zoo.export.runners.micro_step": "tflite_micro",
    "gru_zoo.export.onnx_writer.convolution": "onnx",
    "gru_zoo.export.onnx_file": "onnxruntime",
    "gru_zoo.export.onnx_writer.graph": "onnx",
    "gru_zoo.export.onnx_writer.layers": "onnx",
    "gru_zoo.export.onnx_writer.model": "onnx",
    "gru_zoo.export.onnx_writer.recurrent": "onnx",
    "gru_zoo.export.onnx_writer.walk": "onnx",
}
# They train or convert a model for seconds.
SLOW = {
    "gru_zoo.evaluation.robustness",
    "gru_zoo.export.checks.arrays",
    "gru_zoo.export.integer_step",
    "gru_zoo.export.checks.classifier_check",
    "gru_zoo.export.runners.lite_language_model",
    "gru_zoo.export.saved_model_folder",
    "gru_zoo.export.graphs.story_graph",
    "gru_zoo.export.runners.streamer",
    "gru_zoo.export.tagger_folder",
    "gru_zoo.export.tflite_file",
    "gru_zoo.training.adversarial",
    "gru_zoo.training.truncated",
}
# Whose examples are of the compiled programs; at the others' sizes a loop is sooner done.
COMPILED = tuple(f"gru_zoo.layers.{name}" for name in ("attention", "fused", "gru", "kernels"))
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in MODULES],
)
def test_examples(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with contextlib.nullcontext() if name.startswith(COMPILED) else forced("loop"):
        failed, _ = doctest.testmod(module, optionflags=OPTIONS)
    assert failed == 0, f"{failed} examples of {name} failed; see the captured output"
