"""Weights of GRU layers from and to other libraries, and between conventions.

Gate order of the packed arrays: `[z | r | h]` here and in Keras, `z, r, h` in ONNX, `r, z, n` in
PyTorch. Every conversion only transposes, reorders, copies or negates numbers, so that going
there and back gives the same bits; the one exception is said in `from_onnx`.
PyTorch, ONNX and onnxruntime are not needed for weights that come as arrays.
"""

from gru_zoo.convert.keras_gru import from_keras, to_keras
from gru_zoo.convert.onnx_gru import OnnxGRU, from_onnx, from_onnx_tensors, to_onnx_tensors
from gru_zoo.convert.torch_gru import from_torch, to_torch
from gru_zoo.convert.weights import flip_update_gate, to_convention

__all__ = [
    "OnnxGRU",
    "flip_update_gate",
    "from_keras",
    "from_onnx",
    "from_onnx_tensors",
    "from_torch",
    "to_convention",
    "to_keras",
    "to_onnx_tensors",
    "to_torch",
]
