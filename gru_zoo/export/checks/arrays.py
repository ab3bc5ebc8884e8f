"""Comparison of a TFLite file with its model on random arrays: every length, both signatures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gru_zoo.export.checks.differences import scaled_difference
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.export.checks.probes import answers, in_half_precision, require_shape
from gru_zoo.export.checks.representative import padding, unpadded
from gru_zoo.export.graphs.convolution import total_reach
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.step_graph import step_graph
from gru_zoo.export.names import STEP, WHOLE
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.export.workers.isolated import ConversionFailed, isolated

# Lengths a file is compared at, besides the one that it is made for; the second is longer by what
# convolutions look back.
LENGTHS = (1, 7)
# What is said of smaller weights that were compared on numbers of our own.
_RANDOM = (
    " It was compared on random numbers, which the model may never have met: give it "
    "`representative` sequences."
)
# Steps of a representative sequence that an integer step is compared on.
STREAMED = 50
_SECONDS = 300  # that the first step of a file may take


def length(network: Network) -> int | None:
    """Return the largest number of steps that a model was made for, None if it leaves one open."""
    lengths = network.lengths().values()
    return None if None in lengths else max(lengths, default=None)


def compare(
    path: str | os.PathLike,
    model: keras.Model,
    variant: str,
    longest: int,
    sequences: Sequence[Mapping[str, np.ndarray]] | None = None,
) -> float:
    """Return the largest difference of a file's outputs from the model's.

    Where an output has numbers beyond 1 in size, all of it may differ in proportion.

    Args:
        path: a `.tflite` file.
        model: what it was made from.
        variant: decides how far it may be off, see `limits.LIMITS`.
        longest: number of steps that the file is made for.
        sequences: what the inputs are like, by name; None takes random numbers. A short one is
            read again from its beginning. A step is compared on them without padding, which a
            stream does not have.

    Raises:
        Refused: it differs by more than the limit, or a runtime cannot run it.

    Example:
        >>> from gru_zoo import GRU, export
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
        >>> _ = export.tflite(model, "tiny.tflite")
        >>> compare("tiny.tflite", model, "float32", 20) < 1e-5
        True
    """
    known = list(interpreter(path).get_signature_list())
    network, worst = Network(model), 0.0
    if variant == "float32" and in_half_precision(model):
        variant = "float16"  # The model itself is as far off.
    hint = "" if sequences or variant in ("float32", "float16") else _RANDOM
    free = network.program.any_length or length(network) is None
    for time in dict.fromkeys((*_lengths(model), longest) if free else (length(network),)):
        inputs = _random(model, network, time)
        if sequences:
            inputs = _taken(sequences[time % len(sequences)], inputs)
        wanted = answers(model, network, inputs)
        # Enough for what takes its time; one of them may be what the file is made for.
        short = time in _lengths(model) or not free
        if WHOLE in known:
            worst = max(worst, _judge(path, variant, _read(path, variant, inputs), wanted, hint))
        padded = _padded(model, network, inputs)
        if WHOLE in known and short and any((padded[n] != x).any() for n, x in inputs.items()):
            outputs = _read(path, variant, padded)
            worst = max(
                worst, _judge(path, variant, outputs, answers(model, network, padded), hint)
            )
        if STEP in known and short:
            fed = _unpadded(model, network, inputs, time)
            if any((fed[name] != x).any() for name, x in inputs.items()):
                wanted = answers(model, network, fed)
            rows = _rows(network, fed)
            worst = max(worst, _judge(path, variant, streamed(path, rows, wanted), wanted, hint))
    return worst


def compare_integers(
    path: str | os.PathLike,
    model: keras.Model,
    variant: str,
    longest: int,
    sequences: Sequence[Mapping[str, np.ndarray]],
) -> float:
    """Return the largest difference of a file of integers from the model's float step.

    Args:
        path: a `.tflite` file with the signature "step" alone.
        model: what it was made from; its own step is compared with it first.
        variant: as for `compare`.
        longest: as for `compare`; a step has no length.
        sequences: what the file was calibrated on, by name, as `representative.streams` has them.

    Raises:
        Refused: it differs by more than the limit.
        ConversionFailed: it does not run. A ValueError.

    Example:
        >>> compare_integers("none.tflite", keras.Sequential(), "int8_full", 1, [])
        Traceback (most recent call last):
        ValueError: model must be built; ...
    """
    require_step(model)
    _require_run(path, variant, sequences[0])
    worst = 0.0
    for sequence in sequences[:3]:
        inputs = {name: rows[:STREAMED] for name, rows in sequence.items()}
        wanted = _streamed_graph(model, inputs)
        worst = max(worst, _judge(path, variant, streamed(path, inputs, {}), wanted))
    return worst


def _read(
    path: str | os.PathLike, variant: str, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what a file gives for whole sequences."""
    given = interpreter(path)
    try:
        return given.get_signature_runner(WHOLE)(**inputs)
    except RuntimeError as error:  # LiteRT's only one
        raise Refused(f"{path} ({variant}) does not run: {error}") from error


def _padded(
    model: keras.Model, network: Network, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return inputs whose sequences end in padding, and begin so too where that may be.

    It is what the model masks, else zeros, and of a second input it has other places. One step at
    least stays: over none Keras' average is no number.
    """
    masked = padding(model, network.inputs)
    padded = {name: rows.copy() for name, rows in inputs.items()}
    for number, (name, rows) in enumerate(padded.items()):
        if network.inputs[name].kind == "vector":
            continue
        steps, values = rows.shape[1], masked.get(name, [0])
        begin, end = (steps // 4, steps // 3) if number % 2 == 0 else (steps // 3, steps // 4)
        rows[:, steps - end :] = values[0]
        if network.program.padded:
            rows[:, :begin] = values[-1]
    return padded


def _unpadded(
    model: keras.Model, network: Network, inputs: Mapping[str, np.ndarray], time: int
) -> dict[str, np.ndarray]:
    """Return inputs of one sequence as a stream has them; where one is all padding, random ones."""
    found = unpadded(_rows(network, inputs), padding(model, network.inputs))
    if found is None:
        return _random(model, network, time)
    return {name: found[name].reshape(x.shape) for name, x in inputs.items()}


def _rows(network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return inputs of one sequence without the batch axis; a vector keeps it."""
    return {n: x if network.inputs[n].kind == "vector" else x[0] for n, x in inputs.items()}


def _taken(
    sequence: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return a sequence's inputs in the shapes of others, [1, time, ...]."""
    taken = {}
    for name, wanted in like.items():
        rows = sequence[name]
        if wanted.ndim == rows.ndim:  # a vector, the same at every step
            taken[name] = rows[:1].astype(wanted.dtype)
        else:
            taken[name] = rows[np.arange(wanted.shape[1]) % len(rows)][None].astype(wanted.dtype)
    return taken


def _lengths(model: keras.Model) -> tuple[int, int]:
    return LENGTHS[0], LENGTHS[1] + total_reach(model)


def require_step(model: keras.Model) -> None:
    """Raise `Refused` unless the float step, of which integers are made, is right: as the model."""
    network, what = Network(model), f"one step of model {model.name!r}"
    time = length(network) or _lengths(model)[-1]
    inputs = _random(model, network, time)
    found = _streamed_graph(model, _rows(network, inputs))
    wanted = answers(model, network, inputs)
    last = {n: x[:, -1] if x.ndim > found[n].ndim else x for n, x in wanted.items()}
    _judge(what, "float16" if in_half_precision(model) else "float32", found, last)


def _require_run(path: str | os.PathLike, variant: str, inputs: Mapping[str, np.ndarray]) -> None:
    """Raise unless the runtime can run a step of integers, which it may not survive trying."""
    with tempfile.TemporaryDirectory() as place:
        first = Path(place, "first.npz")
        np.savez(first, **{name: rows[0] for name, rows in inputs.items()})
        what = f"the first step of {path} ({variant})"
        arguments = [os.fspath(path), os.fspath(first)]
        try:
            isolated(
                "gru_zoo.export.workers.first_run_worker", arguments, what=what, seconds=_SECONDS
            )
        except ConversionFailed as error:
            message = f"{error} Is something zero throughout the representative data?"
            raise ConversionFailed(message) from None


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
        given = {n: x[t : t + 1] if len(x) > 1 else x for n, x in inputs.items()}
        outputs = graph.step(**given, **states)
        states = {name: outputs[name] for name in states}
    return {name: outputs[name].numpy() for name in graph.outputs}


def _judge(
    path: Any,
    variant: str,
    outputs: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    hint: str = "",
) -> float:
    worst, limit = 0.0, LIMITS[variant].difference
    for name, model in wanted.items():
        require_shape(path, name, outputs[name], model)
        difference = float(scaled_difference(outputs[name], model).max(initial=0))
        if not difference <= limit:  # NaN is refused too.
            raise Refused(
                f"{path} ({variant}) must be within {limit:g} of the model; output {name!r} "
                f"differs by {difference:.3g}.{hint}"
            )
        worst = max(worst, difference)
    return worst


def _random(model: keras.Model, network: Network, time: int) -> dict[str, np.ndarray]:
    """Return inputs of one sequence without padding."""
    random = np.random.default_rng(time)
    rows = [x.input_dim for x in model._flatten_layers() if isinstance(x, keras.layers.Embedding)]
    inputs = {}
    for name, given in network.inputs.items():
        steps = given.length or time
        if given.kind == "ids":
            array = random.integers(1, max(2, min(rows, default=2)), (1, steps), np.int32)
        else:
            shape = (1, *([] if given.kind == "vector" else [steps]), *given.shape)
            array = random.normal(size=shape).astype(np.float32)
        inputs[name] = array
    return inputs
