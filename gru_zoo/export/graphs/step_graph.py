"""One time step of a causal model as a graph: every state goes in and comes out by name.

    outputs_t, states_t = step(inputs_t, states_(t-1))        states_0 = initial()

The outputs of step t are those of the model for a sequence that ends there. Every step counts, one
that `Masking` or an embedding would mask too: there is no padding in a stream, and who has nothing
to say pushes nothing. A state begins as zeros, and one whose name ends in "_max" as -1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from gru_zoo.export.graphs.network import Network, Steps, require_convertible
from gru_zoo.export.graphs.streaming_state import StreamingState
from gru_zoo.export.names import STATE


class StepGraph(tf.Module):
    """One step of a causal model, batch 1, float32; holds the variables. Made by `step_graph`.

    Attributes:
        inputs: name -> TensorSpec of one step's input: "ids" [1] int32, "inputs" [1, features].
        states: name -> TensorSpec of each state; every name begins with "state_".
        outputs: name -> TensorSpec [1, ...] of each output, gates included.
        step: tf.function of all inputs and states by name; returns a dict of all outputs and
            states by name. A state has the same name going in and coming out.
    """

    def __init__(
        self, network: Network, gates: bool, state_class: type[StreamingState] = StreamingState
    ) -> None:
        super().__init__()
        require_convertible(network)
        _require_common_length(network)
        self.inputs = {
            name: tf.TensorSpec((1, *given.shape), given.dtype, name)
            for name, given in network.inputs.items()
        }
        # A plain function: tf.Module would track, and try to save, the Keras model itself.
        self._run = functools.partial(_step, network, gates, state_class)
        if taken := [name for name in self.inputs if name.startswith(STATE)]:
            raise ValueError(f"inputs must not be called as states are, {STATE}...; got {taken}.")
        zeros = {name: tf.zeros(spec.shape, spec.dtype) for name, spec in self.inputs.items()}
        outputs, streaming = self._run(zeros, None)
        self._initial = {name: value.numpy() for name, value in streaming.initial.items()}
        self.states, self.outputs = _specs(self._initial), _specs(outputs)
        self.model_variables = network.variables()

    def initial(self) -> dict[str, np.ndarray]:
        """Return the states before the first step."""
        return {name: value.copy() for name, value in self._initial.items()}

    @tf.function(autograph=False)
    def step(self, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return outputs and states by name; see the class."""
        outputs, streaming = self._run(tensors, {name: tensors[name] for name in self.states})
        return {**outputs, **streaming.after}


def step_graph(
    model: keras.Model, *, gates: bool = False, state_class: type[StreamingState] = StreamingState
) -> StepGraph:
    """Return one time step of a causal model.

    Args:
        model: a built `SequenceClassifier` or `LanguageModel`, or a built Keras functional or
            Sequential model of GRU layers (ours, Keras', stacked), causal convolutions, layers that
            treat every step alike, and pooling over all steps.
        gates: also give "<layer>_z" and "<layer>_r" [1, units] of each GRU as outputs.
        state_class: how the states are kept.

    Raises:
        ValueError: the model cannot stream; the message names the layer, or the lengths of its
            sequences where they differ.

    Example:
        >>> from gru_zoo import GRU
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")])
        >>> graph = step_graph(model)
        >>> list(graph.inputs), list(graph.states), graph.outputs["outputs"].shape
        (['inputs'], ['state_gru'], TensorShape([1, 7]))
        >>> sorted(graph.step(inputs=tf.ones((1, 4)), **graph.initial()))
        ['outputs', 'state_gru']
    """
    return StepGraph(Network(model), gates, state_class)


def _step(
    network: Network,
    gates: bool,
    state_class: type[StreamingState],
    inputs: Mapping[str, tf.Tensor],
    states: Mapping[str, tf.Tensor] | None,
) -> tuple[dict[str, tf.Tensor], StreamingState]:
    """Return a step's outputs by name, and the states before and after it."""
    streaming = state_class(states, network.program.aliases)
    outputs = {
        name: value.rows if isinstance(value, Steps) else value
        for name, value in network.walk(network.rows(inputs), streaming, masked=False).items()
    }
    more = streaming.gates if gates else {}
    if taken := sorted(outputs.keys() & {*streaming.after, *more}):
        raise ValueError(f"outputs must have names of their own; {taken} are states' or gates'.")
    return {**outputs, **more}, streaming


def _require_common_length(network: Network) -> None:
    """Raise ValueError if a model's sequences have no steps in common."""
    lengths = network.lengths()
    if len(set(lengths.values())) > 1:
        given = ", ".join(f"{name!r} of {steps or 'any'}" for name, steps in lengths.items())
        raise ValueError(
            f"model must have sequences of one length to run step by step; got {given}."
        )


def _specs(values: Mapping[str, tf.Tensor | np.ndarray]) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(v.shape, v.dtype, name) for name, v in values.items()}
