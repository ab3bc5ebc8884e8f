"""The GRUs that benchmarks/layer_speed.py compares: each as a call to time, all with one job.

Every maker takes (library's own options from a `Case`) and returns a function of no arguments that
runs one pass and waits for its result: a forward pass over all steps, or a training step (forward,
mean of the squared outputs, gradients of all weights).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """One cell of the grid."""

    variant: str  # plain | reset_before | masked | bidirectional
    mode: str  # forward | train
    batch: int
    time: int
    units: int
    features: int

    @property
    def key(self) -> str:
        return f"{self.variant}/{self.mode}/{self.batch}/{self.time}/{self.units}"

    @functools.cached_property
    def inputs(self) -> np.ndarray:  # [batch, time, features]
        shape = (self.batch, self.time, self.features)
        return np.random.default_rng(0).normal(size=shape).astype("float32")

    @functools.cached_property
    def lengths(self) -> np.ndarray:  # [batch], half the steps up to all of them
        return np.linspace(self.time // 2, self.time, self.batch).astype("int32")[::-1].copy()

    @property
    def flops(self) -> int:
        """Of the products alone, one direction: 3 units columns, twice more for the gradients."""
        columns = 2 * self.batch * self.time * 3 * self.units
        both = self.features + self.units
        # The gradient of the inputs is not asked for.
        return columns * (both if self.mode == "forward" else 2 * both + self.units)


def gru_zoo(case: Case) -> Run:
    from gru_zoo import GRU

    return _keras_layer(case, GRU, jit_compile=False)


def gru_zoo_xla(case: Case) -> Run | None:
    from gru_zoo import GRU

    return _keras_layer(case, GRU, jit_compile=True) if case.batch == 1 else None


def empty(case: Case) -> Run:
    """A graph that computes nothing: what calling one costs before any layer starts."""
    import tensorflow as tf

    inputs = tf.constant(case.inputs)
    function = tf.function(lambda x: x[0, 0, 0] + 1.0, autograph=False)
    return lambda: function(inputs)


def keras(case: Case) -> Run:
    import keras

    return _keras_layer(case, keras.layers.GRU, jit_compile=False)


def keras_xla(case: Case) -> Run:
    import keras

    return _keras_layer(case, keras.layers.GRU, jit_compile=True)


def _keras_layer(case: Case, kind: Any, jit_compile: bool) -> Run:
    import keras
    import tensorflow as tf

    reset_after = case.variant != "reset_before"
    layer = kind(case.units, return_sequences=True, reset_after=reset_after)
    if case.variant == "bidirectional":
        layer = keras.layers.Bidirectional(layer)
    layer.build(case.inputs.shape)
    mask = None
    if case.variant == "masked":
        mask = tf.constant(np.arange(case.time) < case.lengths[:, None])
    inputs = tf.constant(case.inputs)
    variables = [v.value for v in layer.trainable_variables]

    def forward(x: tf.Tensor) -> tf.Tensor:
        return layer(x, mask=mask, training=False)

    def train(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x, mask=mask, training=True)))
        return tape.gradient(loss, variables)

    chosen = forward if case.mode == "forward" else train
    function = tf.function(chosen, jit_compile=jit_compile, autograph=False)
    return lambda: function(inputs)


def torch(case: Case) -> Run | None:
    import torch

    if case.variant == "reset_before":
        return None
    layer = torch.nn.GRU(
        case.features, case.units, batch_first=True, bidirectional=case.variant == "bidirectional"
    )
    inputs = torch.from_numpy(case.inputs)
    if case.variant == "masked":
        lengths = torch.from_numpy(case.lengths)
        inputs = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)

    def forward() -> Any:
        with torch.inference_mode():
            return layer(inputs)[0]

    def train() -> None:
        layer.zero_grad(set_to_none=True)
        outputs = layer(inputs)[0]
        (outputs.data if case.variant == "masked" else outputs).pow(2).mean().backward()

    return forward if case.mode == "forward" else train


def jax(case: Case) -> Run | None:
    import flax.linen as nn
    import jax

    if case.variant == "reset_before":
        return None
    layer = nn.RNN(nn.GRUCell(case.units))
    if case.variant == "bidirectional":
        layer = nn.Bidirectional(layer, nn.RNN(nn.GRUCell(case.units)))
    inputs = jax.numpy.asarray(case.inputs)
    lengths = jax.numpy.asarray(case.lengths) if case.variant == "masked" else None
    weights = layer.init(jax.random.key(0), inputs)

    def forward(weights: Any, x: Any) -> Any:
        return layer.apply(weights, x, seq_lengths=lengths)

    def loss(weights: Any, x: Any) -> Any:
        return (forward(weights, x) ** 2).mean()

    function = jax.jit(forward if case.mode == "forward" else jax.grad(loss))
    return lambda: jax.block_until_ready(function(weights, inputs))


def onnx(case: Case) -> Run | None:
    import onnxruntime

    if case.mode == "train":
        return None
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others run too
    session = onnxruntime.InferenceSession(
        _onnx_model(case), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"x": np.ascontiguousarray(case.inputs.transpose(1, 0, 2))}
    if case.variant == "masked":
        feeds["lengths"] = case.lengths
    return lambda: session.run(["y"], feeds)


def _onnx_model(case: Case) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    directions = 2 if case.variant == "bidirectional" else 1
    rng, units = np.random.default_rng(1), case.units
    shapes = {"w": (3 * units, case.features), "r": (3 * units, units), "b": (6 * units,)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, (directions, *shape)).astype("float32"), name)
        for name, shape in shapes.items()
    ]
    masked = case.variant == "masked"
    node = helper.make_node(
        "GRU",
        ["x", "w", "r", "b", *(["lengths"] if masked else [])],
        ["y"],
        hidden_size=units,
        linear_before_reset=int(case.variant != "reset_before"),
        direction="bidirectional" if directions == 2 else "forward",
    )
    shape = [case.time, case.batch, case.features]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if masked:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, [case.batch]))
    shape = [case.time, directions, case.batch, units]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    graph = helper.make_graph([node], "gru", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


PEERS: dict[str, Callable[[Case], Run | None]] = {
    "gru_zoo": gru_zoo,
    "gru_zoo_xla": gru_zoo_xla,
    "empty": empty,
    "keras": keras,
    "keras_xla": keras_xla,
    "torch": torch,
    "jax": jax,
    "onnx": onnx,
}
