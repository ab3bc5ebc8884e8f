"""A stream through a TFLite file's signature "step": a value in, the outputs so far out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_zoo.arguments import numeric
from gru_zoo.export.names import STATE, STEP, initial_value
from gru_zoo.export.runners.runtime import interpreter

# Operators of an embedding, which name themselves when an id has no row; the latter is of int4.
_LOOK_UPS = ("GATHER", "EMBEDDING_LOOKUP")


class Streamer:
    """Feeds a stream step by step; all it remembers is `state`.

    Args:
        path: a `.tflite` file with the signature "step", as `export.tflite` writes for causal
            models.

    Attributes:
        state: name -> array as it comes out of the file. Copy the dictionary to pause a stream,
            assign it to go on, on this or on another machine.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file has no signature "step", or is no TFLite file; or a `state` is assigned
            that is none of the file.

    Example:
        >>> import keras
        >>> from gru_zoo import GRU, export
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
        >>> _ = export.tflite(model, "tiny.tflite")
        >>> stream = Streamer("tiny.tflite")
        >>> for step in np.ones((5, 4), "float32"):
        ...     outputs = stream.push(step)
        >>> outputs["outputs"].shape
        (1, 7)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._interpreter = interpreter(path)
        known = list(self._interpreter.get_signature_list())
        if STEP not in known:
            raise ValueError(f"path must have the signature {STEP!r}; {path} has {known}.")
        self._step = self._interpreter.get_signature_runner(STEP)
        self._given = self._step.get_input_details()
        self._results = self._step.get_output_details()
        self.reset()
        self._inputs = sorted(set(self._given) - set(self._state))

    def reset(self) -> None:
        """Begin a new stream."""
        self._state = {
            name: _quantized(np.full(about["shape"], initial_value(name)), about)
            for name, about in self._given.items()
            if name.startswith(STATE) and name in self._results
        }

    @property
    def state(self) -> Mapping[str, np.ndarray]:
        """All that is remembered, name -> array."""
        return self._state

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        self._require_state(state)
        # A mapping such as np.load's reads a file that may be closed before the next step.
        self._state = {name: np.array(numeric(name, value)) for name, value in state.items()}

    def push(self, x: Any = None, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Take one step.

        Args:
            x: the only input's value, [features] or an id; with several, give them by name.
            **inputs: name -> value.

        Returns:
            name -> output [1, ...], float32 whatever the file computes in.

        Raises:
            ValueError: an id is no whole number or has no row in its embedding, an input is
                missing, unknown, of another size or no number.
        """
        if x is not None and len(self._inputs) == 1 and not inputs:
            inputs, x = {self._inputs[0]: x}, None
        if x is not None or sorted(inputs) != self._inputs:
            given = ", ".join([*sorted(inputs), *["one without a name"] * (x is not None)])
            raise ValueError(f"inputs must be {', '.join(self._inputs)}; got {given or 'none'}.")
        tensors = {name: self._tensor(name, value) for name, value in inputs.items()}
        try:
            results = self._step(**tensors, **self._state)
        except RuntimeError as error:
            if not any(name in str(error) for name in _LOOK_UPS):
                raise
            given = ", ".join(f"{name}={value.tolist()}" for name, value in tensors.items())
            message = f"ids must be rows of their embedding, counted from 0; got {given}."
            raise ValueError(message) from error
        self._state = {name: self._carried(name, results.pop(name)) for name in self._state}
        return {name: _float(value, self._results[name]) for name, value in results.items()}

    def _tensor(self, name: str, value: Any) -> np.ndarray:
        about, value = self._given[name], numeric(name, value)
        if value.size != np.prod(about["shape"]):
            wanted, given = about["shape"][1:].tolist(), list(value.shape)
            raise ValueError(f"{name} must be one step {wanted}; got the shape {given}.")
        if about["quantization"][0] and not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite in a file of integers; got {value!r}.")
        return _quantized(value.reshape(about["shape"]), about)

    def _require_state(self, state: Any) -> None:
        """Raise unless `state` is one that this file can go on from."""
        wanted = sorted(self._state)
        given = sorted(state) if isinstance(state, Mapping) else type(state).__name__
        if given != wanted:
            raise ValueError(f"state must be a dictionary of {wanted}; got {given}.")
        for name, value in state.items():
            about, value = self._given[name], numeric(name, value)
            if value.dtype != about["dtype"] or value.shape != tuple(about["shape"]):
                wanted = f"{np.dtype(about['dtype']).name} {about['shape'].tolist()}"
                given = f"{value.dtype.name} {list(value.shape)}"
                raise ValueError(f"{name} must be {wanted}; got {given}.")

    def _carried(self, name: str, value: np.ndarray) -> np.ndarray:
        """Return a state as it goes in again."""
        given, result = self._given[name], self._results[name]
        if given["quantization"] == result["quantization"]:
            return value
        return _quantized(_float(value, result), given)


def _quantized(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """Return numbers in a tensor's type and scale."""
    scale, zero = about["quantization"]
    if scale:
        limits = np.iinfo(about["dtype"])
        value = np.clip(np.round(value / scale) + zero, limits.min, limits.max)
    with np.errstate(invalid="ignore"):  # NaN, which is refused below
        typed = np.asarray(value, about["dtype"])
    if typed.dtype.kind in "iu" and not np.array_equal(typed, value):
        limits = np.iinfo(typed.dtype)
        if np.array_equal(value, np.round(value)):
            raise ValueError(
                f"an id must be from {limits.min} to {limits.max}, which {typed.dtype} holds; got "
                f"{value!r}."
            )
        raise ValueError(f"an id must be a whole number; got {value!r}.")
    return typed


def _float(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """Return a tensor's numbers as float32."""
    scale, zero = about["quantization"]
    return np.float32(scale) * (value.astype(np.float32) - zero) if scale else value
