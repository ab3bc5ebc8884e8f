"""Comparison of a TFLite file with its model on random arrays: every length, both signatures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from gru_zoo.export.check import LIMITS
from gru_zoo.export.inspection import Refused
from gru_zoo.export.network import Network
from gru_zoo.export.probes import answers
from gru_zoo.export.signatures import STEP, WHOLE
from gru_zoo.export.steps import step_graph
from gru_zoo.export.streamer import Streamer

# Lengths a file is compared at, besides the one that it is made for.
LENGTHS = (1, 7)
# Steps of a representative sequence that an integer step is compared on.
STREAMED = 50


def length(network: Network) -> int | None:
    """Return the number of steps that a model was made for, None if any."""
    return next((g.length for g in network.inputs.values() if g.kind != "vector"), None)


def compare(
    path: str | os.PathLike,
    model: keras.Model,
    variant: str,
    longest: int,
    sequences: Sequence[Mapping[str, np.ndarray]] | None = None,
) -> float:
    """Return the largest difference of a file's outputs from the model's.

    Numbers beyond 1 in size may differ in proportion.

    Args:
        path: a `.tflite` file.
        model: what it was made from.
        variant: decides how far it may be off, see `check.LIMITS`.
        longest: number of steps that the file is made for.
        sequences: for a file of integers, what it was calibrated on, by name.

    Raises:
        Refused: it differs by more than the limit.

    Example:
        >>> from gru_zoo import GRU, export
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
        >>> _ = export.tflite(model, "tiny.tflite")
        >>> compare("tiny.tflite", model, "float32", 20) < 1e-5
        True
    """
    if sequences is not None:
        worst = 0.0
        for sequence in sequences[:3]:
            inputs = {name: rows[:STREAMED] for name, rows in sequence.items()}
            wanted = _streamed_graph(model, inputs)
            worst = max(worst, _judge(path, variant, streamed(path, inputs, {}), wanted))
        return worst
    known = list(Interpreter(model_path=os.fspath(path)).get_signature_list())
    network, worst = Network(model), 0.0
    free = network.program.any_length
    for time in dict.fromkeys((*LENGTHS, longest) if free else (length(network),)):
        inputs = _random(model, network, time)
        wanted = answers(model, network, inputs)
        if WHOLE in known:
            given = Interpreter(model_path=os.fspath(path), num_threads=1)
            outputs = given.get_signature_runner(WHOLE)(**inputs)
            worst = max(worst, _judge(path, variant, outputs, wanted))
        if STEP in known and (time != longest or not free):
            rows = {n: x if network.inputs[n].kind == "vector" else x[0] for n, x in inputs.items()}
            worst = max(worst, _judge(path, variant, streamed(path, rows, wanted), wanted))
    return worst


def streamed(
    path: str | os.PathLike, inputs: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the outputs of a file's step after a sequence.

    Args:
        path: a `.tflite` file with the signature "step".
        inputs: name -> [time, ...], or [1, features] that stays the same.
        like: the outputs [1, time, ...] here are given for all steps, the others for the last.
    """
    stream, taken = Streamer(path), []
    for t in range(max(len(rows) for rows in inputs.values())):
        taken.append(stream.push(**{n: x[t] if len(x) > 1 else x[0] for n, x in inputs.items()}))
    return {
        name: np.stack([each[name] for each in taken], axis=1)
        if name in like and like[name].ndim > last.ndim
        else last
        for name, last in taken[-1].items()
    }


def _streamed_graph(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs of the model's float step after a sequence."""
    graph = step_graph(model)
    states = outputs = graph.initial()
    for t in range(max(len(rows) for rows in inputs.values())):
        given = {name: rows[t : t + 1] for name, rows in inputs.items()}
        outputs = graph.step(**given, **states)
        states = {name: outputs[name] for name in states}
    return {name: outputs[name].numpy() for name in graph.outputs}


def _judge(
    path: Any,
    variant: str,
    outputs: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
) -> float:
    worst, limit = 0.0, LIMITS[variant].difference
    for name, model in wanted.items():
        scale = max(1.0, float(np.abs(model).max(initial=0)))
        difference = float(np.abs(outputs[name] - model).max(initial=0)) / scale
        if not difference <= limit:  # NaN is refused too.
            raise Refused(
                f"{path} ({variant}) must be within {limit:g} of the model; output {name!r} "
                f"differs by {difference:.3g}."
            )
        worst = max(worst, difference)
    return worst


def _random(model: keras.Model, network: Network, time: int) -> dict[str, np.ndarray]:
    """Return inputs of one sequence without padding."""
    random = np.random.default_rng(time)
    rows = [x.input_dim for x in model._flatten_layers() if isinstance(x, keras.layers.Embedding)]
    inputs = {}
    for name, given in network.inputs.items():
        if given.kind == "ids":
            array = random.integers(1, max(2, min(rows, default=2)), (1, time), np.int32)
        else:
            shape = (1, *([] if given.kind == "vector" else [time]), *given.shape)
            array = random.normal(size=shape).astype(np.float32)
        inputs[name] = array
    return inputs
