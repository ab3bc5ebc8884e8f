"""A model over a whole sequence as a graph of batch 1, for any number of steps.

    x = input W + b                  all steps in one product, before the loop; convolutions too
    h_t = recur(x_t, h_(t-1))        t = 1 ... T

A causal model whose outputs have no time is one loop over all its layers: poolings are running
states, nothing is kept of a step, and a text's loop ends with its last word. Any other model runs
layer by layer, and a layer's steps go into a buffer. Either way the time is linear in T.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.export.graphs import loops, sequence
from gru_zoo.export.graphs.convolution import CONVOLUTIONS
from gru_zoo.export.graphs.network import Network, Steps, require_convertible
from gru_zoo.export.graphs.streaming_state import StreamingState, looks_ahead
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU


class SequenceGraph(tf.Module):
    """A model over a whole sequence, batch 1, float32; holds the variables.

    Args:
        network: the model.

    Attributes:
        inputs: name -> TensorSpec: "ids" [1, None] int32, "inputs" [1, None, features].
        timed: names of the outputs [1, time, ...]; the others are [1, ...].
        causal: whether no output needs later steps, so that there is a graph of one step; of
            several sequences none may have a length of its own.
        whole: tf.function of all inputs by name; returns a dict of all outputs by name.

    Raises:
        ValueError: the model holds a layer that is not known, or stateful; the message names it.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7, return_sequences=True)])
        >>> graph = SequenceGraph(Network(model))
        >>> graph.whole(inputs=tf.ones((1, 5, 4)))["outputs"].shape
        TensorShape([1, 5, 7])
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        require_convertible(network)
        self.inputs = {
            name: tf.TensorSpec(
                (1, *([] if given.kind == "vector" else [None]), *given.shape), given.dtype, name
            )
            for name, given in network.inputs.items()
        }
        found: list[keras.layers.Layer] = []
        # A walk over one step refuses what is not known.
        results = network.walk(_one_step(network), functools.partial(_noted, found))
        self.timed = [name for name, value in results.items() if isinstance(value, Steps)]
        lengths = network.lengths().values()
        ahead = any(looks_ahead(layer) for layer in found)
        self.causal = not ahead and len(set(lengths)) == 1
        hides = any(getattr(layer, "zero_output_for_mask", False) for layer in found)
        # Two sequences need not be equally long.
        one_loop = self.causal and not hides and not self.timed and len(lengths) == 1
        read = _in_one_loop if one_loop else _layer_by_layer
        # A plain function: tf.Module would track, and try to save, the Keras model itself.
        self._read = functools.partial(read, network)
        self.model_variables = network.variables()

    @tf.function(autograph=False)
    def whole(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs by name; see the class."""
        return self._read(inputs)


def _layer_by_layer(network: Network, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the outputs, a layer's whole sequence made before the next layer's."""
    results = network.walk(_all_steps(network, inputs), sequence.run)
    return {
        name: value.rows[None] if isinstance(value, Steps) else value
        for name, value in results.items()
    }


def _in_one_loop(network: Network, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the outputs of a causal model after its last step."""
    given = _all_steps(network, inputs)
    projections = _Projections()
    network.walk(given, projections)

    program = network.program
    streaming = functools.partial(StreamingState, aliases=program.aliases, masked=program.padded)

    def step(t: tf.Tensor, states: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        now = streaming(states, projected={n: tf.gather(x, t) for n, x in projections.rows.items()})
        row = {
            name: Steps(tf.gather(x.rows, t)[None]) if isinstance(x, Steps) else x
            for name, x in given.items()
        }
        network.walk(row, now)
        return now.after

    # Nobody reads these rows; where there are some, a convolution has no state.
    nothing = {name: tf.zeros(x.shape[-1]) for name, x in projections.rows.items()}
    beginning = streaming(projected=nothing)
    network.walk(_one_step(network), beginning)
    rows = next(x.rows for x in given.values() if isinstance(x, Steps))
    units = max(state.shape[-1] for state in beginning.initial.values())
    states = loops.fold(step, beginning.initial, _count(network, rows), units)
    # Behind the last layer that knows time, inputs without time may still be read.
    still = {name: x for name, x in given.items() if not isinstance(x, Steps)}
    return network.walk(
        {**_one_step(network), **still}, streaming(states, projected=nothing, advance=False)
    )


def _count(network: Network, rows: tf.Tensor) -> tf.Tensor:
    """Return how many steps the loop runs."""
    if network.program.padded:
        return tf.shape(rows)[0]
    return tf.reduce_sum(tf.cast(tf.not_equal(rows, 0), tf.int32))


class _Projections:
    """A `timed` that notes what can be had of all steps at once, where inputs are known.

    Attributes:
        rows: GRU's name -> [steps, 3 units], its input's projection; convolution's name ->
            [steps, filters], its output.
    """

    def __init__(self) -> None:
        self.rows: dict[str, tf.Tensor] = {}

    def __call__(self, name: str, layer: keras.layers.Layer, x: Steps) -> Any:
        """Return something of the shape of the layer's output."""
        if isinstance(layer, CONVOLUTIONS):
            output = sequence.run(name, layer, x)
            if x.known:
                self.rows[name] = output.rows
            return output
        if not isinstance(layer, GRU | StackedGRU):
            return layer(x.rows[None])
        gru = layer
        if isinstance(layer, StackedGRU):
            name, gru = f"{name}_0", layer.grus[0][0]
        if x.known:
            self.rows[name] = gru.cell.project(x.rows)
        h = output = tf.zeros((1, layer.units))
        if isinstance(layer, StackedGRU):
            h = tf.zeros((layer.num_layers, 1, layer.units))
        if getattr(layer, "return_sequences", True):
            output = Steps(tf.zeros_like(x.rows[:, :1]) + output, x.mask, known=False)
        return (output, h) if layer.return_state else output


def _noted(found: list[keras.layers.Layer], name: str, layer: keras.layers.Layer, x: Steps) -> Any:
    found.append(layer)
    return sequence.run(name, layer, x)


def _all_steps(network: Network, inputs: Mapping[str, tf.Tensor]) -> dict[str, Any]:
    rows = {
        name: x if network.inputs[name].kind == "vector" else _unbatched(x)
        for name, x in inputs.items()
    }
    return network.rows(rows)


def _unbatched(x: tf.Tensor) -> tf.Tensor:
    """Return `x[0]` of [1, steps, ...]: TFLite slices number by number, and gathers rows at once.

    A reshape would be as fast, and join a batch that somebody has resized the input to.
    """
    return tf.gather(x, 0)


def _one_step(network: Network) -> dict[str, Any]:
    zeros = {n: tf.zeros((1, *given.shape), given.dtype) for n, given in network.inputs.items()}
    return network.rows(zeros)
