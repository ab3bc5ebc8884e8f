"""One step of a causal model in integers: int8 or int16 inside, in and out.

    int8_full   activations, states and outputs int8
    int16x8     activations, states and outputs int16; embedding vectors too, other weights int8

In both, ids and the states that count and sum are int32 (`integer_state`). A number x is stored
as q = round(x / scale) + zero point, with one scale a tensor, chosen so that every x seen in
calibration fits. What is fed back must be seen as it is met on a device, so the samples are pairs
(input, state) from the float step's own runs over representative sequences, at all depths. A
state has the same scale going in and coming out, so on a device it is copied and nothing else.

TFLM has neither a division of integers nor int16 tables. For it, `for_micro`, means are divided in
float and embedding vectors are int8 in both.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gru_zoo.arguments import one_of, positive_int
from gru_zoo.export.checks.representative import checked, streams
from gru_zoo.export.flatbuffer.integer_file import float_operators, narrow_tables, share_scales
from gru_zoo.export.graphs.integer_state import FloatQuotientState, IntegerState
from gru_zoo.export.graphs.step_graph import StepGraph, step_graph
from gru_zoo.export.names import STEP
from gru_zoo.export.variants import INTEGER_ONLY
from gru_zoo.export.workers.isolated import ConversionFailed, isolated

Sample = dict[str, np.ndarray]


def integer_step(
    model: keras.Model,
    variant: str,
    representative: Sequence[Any],
    *,
    gates: bool = False,
    for_micro: bool = False,
    seconds: float = 600,
) -> bytes:
    """Return one step of a model in integers, as `.tflite` bytes with the one signature "step".

    The conversion runs in a process of its own; nothing that it does can end this one.

    Args:
        model: a causal model, see `step_graph`.
        variant: "int8_full" or "int16x8".
        representative: sequences as the model will meet them, a hundred or so: ids [time] int, or
            [time, features] float; name -> such arrays for a model of several inputs. Padding is
            no step: where it stands in one of several inputs, other steps of that input take its
            place.
        gates: also give the gates z and r of each GRU as outputs, see `step_graph`.
        for_micro: keep to what TensorFlow Lite Micro runs.
        seconds: how long the conversion may take.

    Raises:
        ConversionFailed: it crashed, took too long, or the model has a layer without an integer
            form; the message names model, variant and layer. A ValueError.
        ValueError: an unknown variant; a model that cannot stream; a representative set that is
            empty, of another shape or type, not finite, or has ids outside the vocabulary.

    Example:
        >>> from gru_zoo import GRU
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7)], name="tiny")
        >>> steps = np.random.default_rng(0).normal(size=(3, 50, 4)).astype("float32")
        >>> len(integer_step(model, "int8_full", steps)) < 12_000
        True
    """
    one_of("variant", variant, INTEGER_ONLY)
    sequences = streams(model, checked(model, representative))
    state_class = FloatQuotientState if for_micro else IntegerState
    graph = step_graph(model, gates=gates, state_class=state_class)
    _require_integer_layers(model, variant)
    samples = rollouts(graph, sequences)
    in_float = ("FLOOR_DIV",) if for_micro else ()
    content = calibrated(
        graph, samples, variant, name=model.name, in_float=in_float, seconds=seconds
    )
    return narrow_tables(content) if for_micro else content


def _require_integer_layers(model: keras.Model, variant: str) -> None:
    """Raise for a layer that the calibration would find no integer form of in the end."""
    for layer in model._flatten_layers():
        centred = not getattr(layer, "rms_scaling", False)
        if type(layer) is keras.layers.LayerNormalization and centred:
            raise ConversionFailed(
                f"layer {layer.name!r} (LayerNormalization) has no integer form for variant "
                f"{variant!r}. Layer normalization inside gru_zoo.GRU(layer_norm=True) has one."
            )


def rollouts(
    graph: StepGraph, sequences: Sequence[Mapping[str, np.ndarray]], count: int = 2000
) -> list[Sample]:
    """Run a step over sequences and return (input, state before it) of steps at all depths.

    The steps in which an input or a state is largest and smallest are always among them; of a state
    those that make it and those that read it, so that its range is the same on both sides.

    Args:
        graph: the float step.
        sequences: name -> [time, ...] of every input, one mapping a sequence.
        count: how many of the other steps, drawn evenly from all.

    Returns:
        Mappings from every input's and state's name to its value of one step.

    Example:
        >>> from gru_zoo import GRU
        >>> graph = step_graph(keras.Sequential([keras.Input((None, 4)), GRU(7, name="gru")]))
        >>> samples = rollouts(graph, [{"inputs": np.ones((5, 4), "float32")}])
        >>> len(samples), samples[0]["inputs"].shape, samples[0]["state_gru"].shape
        (6, (1, 4), (1, 7))
    """
    count = positive_int("count", count)
    taken = {name: [] for name in (*graph.inputs, *graph.states)}
    states = _states(graph)
    for sequence in sequences:
        before = states({name: tf.constant(sequence[name]) for name in graph.inputs})
        for name, rows in before.items():
            taken[name].append(rows.numpy())  # [time + 1, 1, size]
        for name in graph.inputs:
            # The state after the last step is read by one more, the first again.
            rows = np.concatenate([sequence[name], sequence[name][:1]])
            taken[name].append(rows[:, None])
    rows = {name: np.concatenate(parts) for name, parts in taken.items()}
    total = len(next(iter(rows.values())))
    chosen = set(np.random.default_rng(0).permutation(total)[:count].tolist())
    for name, values in rows.items():
        if name in graph.inputs and np.issubdtype(values.dtype, np.integer):
            continue  # ids are not scaled
        flat = values.reshape(total, -1)
        for row in (int(flat.max(axis=1).argmax()), int(flat.min(axis=1).argmin())):
            chosen |= {max(row - 1, 0), row} if name in graph.states else {row}
    return [{name: values[row] for name, values in rows.items()} for row in sorted(chosen)]


def _states(graph: StepGraph) -> Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """Return a function of the inputs [time, ...] that gives the states [time + 1, 1, size].

    They are those before every step and after the last. Sequences of all lengths share its graph.
    """
    rows = {name: tf.TensorSpec([None, *x.shape[1:]], x.dtype) for name, x in graph.inputs.items()}

    @tf.function(autograph=False, input_signature=[rows])
    def scan(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        def step(states: dict, given: dict) -> dict:
            after = graph.step(**{name: x[None] for name, x in given.items()}, **states)
            return {name: after[name] for name in graph.states}

        initial = {name: tf.constant(value) for name, value in graph.initial().items()}
        after = tf.scan(step, inputs, initial)
        return {name: tf.concat([initial[name][None], after[name]], 0) for name in initial}

    return scan


def calibrated(
    graph: StepGraph,
    samples: Sequence[Sample],
    variant: str,
    *,
    name: str = "model",
    in_float: Sequence[str] = (),
    seconds: float = 600,
) -> bytes:
    """Convert a step to integers, in a process of its own.

    Args:
        graph: the float step.
        samples: what `rollouts` returned.
        variant: "int8_full" or "int16x8".
        name: the model's, for errors.
        in_float: operators that may compute in float.
        seconds: how long it may take.

    Returns:
        `.tflite` bytes with the one signature "step".

    Raises:
        ConversionFailed: a crash, a time-out or an error; or other operators are left in float.

    Example:
        >>> from gru_zoo import GRU
        >>> graph = step_graph(keras.Sequential([keras.Input((None, 4)), GRU(7)]))
        >>> samples = rollouts(graph, [{"inputs": np.ones((5, 4), "float32")}])
        >>> calibrated(graph, samples, "int8_full", name="tiny", seconds=0.01)
        Traceback (most recent call last):
        gru_zoo.export.ConversionFailed: model 'tiny' to variant 'int8_full' took longer than...
    """
    one_of("variant", variant, INTEGER_ONLY)
    what = f"model {name!r} to variant {variant!r}"
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place, "saved_model"), Path(place, "step.tflite")
        step = graph.step.get_concrete_function(**graph.inputs, **graph.states)
        tf.saved_model.save(graph, os.fspath(folder), signatures={STEP: step})
        arrays = {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}
        np.savez(Path(place, "samples.npz"), **arrays)
        arguments = [folder, Path(place, "samples.npz"), variant, file]
        isolated(
            "gru_zoo.export.workers.calibrate_worker",
            [str(a) for a in arguments],
            what=what,
            seconds=seconds,
        )
        content = file.read_bytes()
    left = [name for name in float_operators(content) if name not in in_float]
    if left:
        raise ConversionFailed(f"{what} failed: no integer form of {', '.join(left)}.")
    return share_scales(content, graph.states)
