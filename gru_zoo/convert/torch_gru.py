"""To and from torch.nn.GRU: its state dict, any number of layers, one or two directions.

PyTorch keeps, for layer k, `weight_ih_lk` [3 units, features] and `weight_hh_lk` [3 units, units]
with rows packed r | z | n, biases `bias_ih_lk` and `bias_hh_lk` [3 units], and the same with
`_reverse` for the direction that goes back. Its GRU resets after the product and its update gate
keeps.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_zoo.arguments import numeric, one_of, string
from gru_zoo.convert.weights import (
    RESET_REASON,
    Weights,
    keep_weights,
    negate_update_columns,
    require_default_activations,
    require_gru,
    require_plain,
    write_weights,
)
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

_KEY = re.compile(r"(weight|bias)_(ih|hh)_l(\d+)(_reverse)?")
_DIRECTIONS = ("", "_reverse")  # how a key ends


def from_torch(
    source: Any,
    *,
    prefix: str = "",
    dropout: float | None = None,
    update_gate: str = "keep",
    kernel: str = "auto",
    return_state: bool = True,
    name: str | None = None,
) -> StackedGRU:
    """Return a StackedGRU with the weights of a `torch.nn.GRU`.

    Args:
        source: a `torch.nn.GRU`, or a state dict whose values are tensors or NumPy arrays (no
            PyTorch is needed then) of one dtype: float16, float32 or float64.
        prefix: read only the keys that begin so, as "encoder.rnn." in a whole model's state dict.
        dropout: of the result; None takes the module's, and 0 for a state dict.
        update_gate: "keep" copies the numbers; "write" negates what feeds z.
        kernel: as in `GRU`.
        return_state: as in `StackedGRU`.
        name: of the result.

    Returns:
        A built `StackedGRU` in the dtype of the weights. It reads [batch, time, features], also
        where the module had `batch_first=False`.

    Raises:
        ValueError: keys that are missing or that no GRU has, arrays of a wrong shape or dtype, or
            a module that is no `torch.nn.GRU`; the message names what was met.

    Example:
        >>> shapes = {"weight_ih_l0": (21, 4), "weight_hh_l0": (21, 7)}
        >>> layer = from_torch({key: np.ones(shape, "float32") for key, shape in shapes.items()})
        >>> layer.units, layer.num_layers
        (7, 1)
    """
    one_of("update_gate", update_gate, ["keep", "write"])
    string("prefix", prefix)
    if hasattr(source, "state_dict"):
        if getattr(source, "mode", None) != "GRU":
            raise ValueError(
                f"source must be a torch.nn.GRU or a state dict; got {type(source).__name__}."
            )
        dropout = source.dropout if dropout is None else dropout
        source = source.state_dict()
    if not isinstance(source, Mapping):
        raise ValueError(
            f"source must be a torch.nn.GRU or a state dict; got {type(source).__name__}."
        )
    for key in source:
        string("source's keys", key)
    own = {key.removeprefix(prefix): key for key in source if key.startswith(prefix)}
    num_layers, bidirectional, use_bias = _read_keys(own, prefix)
    arrays = {key: _to_numpy(name, source[name]) for key, name in own.items()}
    for key in ("weight_ih_l0", "weight_hh_l0"):
        if arrays[key].ndim != 2:
            given = list(arrays[key].shape)
            raise ValueError(f"{prefix}{key} must have shape [3 * units, width]; got {given}.")
    units = arrays["weight_hh_l0"].shape[-1]
    _check_shapes_and_dtypes(arrays, units, bidirectional, prefix)
    layer = StackedGRU(
        units,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=0.0 if dropout is None else dropout,
        use_bias=use_bias,
        update_gate=update_gate,
        kernel=kernel,
        return_state=return_state,
        dtype=arrays["weight_hh_l0"].dtype.name,
        name=name,
    )
    layer.build((None, None, arrays["weight_ih_l0"].shape[-1]))
    for number, grus in enumerate(layer.grus):
        for gru, direction in zip(grus, _DIRECTIONS, strict=False):
            weights = _decode(arrays, f"l{number}{direction}")
            write_weights(
                gru, negate_update_columns(weights) if update_gate == "write" else weights
            )
    return layer


def to_torch(layer: GRU | StackedGRU, *, prefix: str = "") -> dict[str, np.ndarray]:
    """Return the state dict of the `torch.nn.GRU` that computes the same, as NumPy arrays.

    Args:
        layer: a built `StackedGRU`, or a built `GRU` that goes forwards. With
            `update_gate="write"` what feeds z is negated, which is exact.
        prefix: put before every key.

    Returns:
        Arrays by key, in the order of PyTorch's own state dict. Load them with
        `module.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})`.

    Raises:
        ValueError: another class, a layer that is not built, `reset_after=False`,
            `go_backwards=True`, activations other than tanh and sigmoid, an option that
            PyTorch does not have, or weights in bfloat16, which NumPy has not.

    Example:
        >>> layer = StackedGRU(7, num_layers=2)
        >>> layer.build((None, None, 4))
        >>> list(to_torch(layer))[:2], to_torch(layer)["weight_hh_l1"].shape
        (['weight_ih_l0', 'weight_hh_l0'], (21, 7))
    """
    require_gru(layer, GRU, StackedGRU)
    string("prefix", prefix)
    if isinstance(layer, GRU) and layer.go_backwards:
        raise ValueError(
            "go_backwards must be False for torch.nn.GRU, which runs backwards only beside a "
            "forward direction; got True."
        )
    if layer.variable_dtype == "bfloat16":  # torch.from_numpy could not read it.
        raise ValueError(
            "dtype must be float16, float32 or float64 for torch.nn.GRU; got bfloat16."
        )
    arrays = {}
    for number, grus in enumerate(layer.grus if isinstance(layer, StackedGRU) else [[layer]]):
        for gru, direction in zip(grus, _DIRECTIONS, strict=False):
            require_default_activations(gru, "torch.nn.GRU")
            require_plain(gru, "torch.nn.GRU")
            if not gru.cell.reset_after:
                raise ValueError(
                    f"reset_after must be True for torch.nn.GRU; got False. {RESET_REASON}."
                )
            arrays.update(_encode(keep_weights(gru), f"l{number}{direction}"))
    return {prefix + key: value for key, value in arrays.items()}


def _swap_rz(array: np.ndarray) -> np.ndarray:
    """Exchange the first two thirds of the last axis: r | z | n to z | r | n, or back."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def _decode(arrays: Mapping[str, np.ndarray], suffix: str) -> Weights:
    """Return the weights under the keys that end in `suffix`, such as "l0_reverse"."""
    bias = None
    if f"bias_ih_{suffix}" in arrays:
        bias = _swap_rz(np.stack([arrays[f"bias_ih_{suffix}"], arrays[f"bias_hh_{suffix}"]]))
    return Weights(
        _swap_rz(arrays[f"weight_ih_{suffix}"].T), _swap_rz(arrays[f"weight_hh_{suffix}"].T), bias
    )


def _encode(weights: Weights, suffix: str) -> dict[str, np.ndarray]:
    """Return the arrays of one layer and direction by their keys, which end in `suffix`."""
    arrays = {
        f"weight_ih_{suffix}": _swap_rz(weights.kernel).T,
        f"weight_hh_{suffix}": _swap_rz(weights.recurrent_kernel).T,
    }
    if weights.bias is not None:
        input_bias, recurrent_bias = _swap_rz(weights.bias)
        arrays |= {f"bias_ih_{suffix}": input_bias, f"bias_hh_{suffix}": recurrent_bias}
    return {key: np.ascontiguousarray(value) for key, value in arrays.items()}


def _to_numpy(key: str, value: Any) -> np.ndarray:
    """Return a tensor or array as NumPy's; `key` is what an error calls it."""
    if hasattr(value, "detach"):
        if value.is_meta:
            raise ValueError(f"{key} must have its numbers; got a tensor of the meta device.")
        if str(value.dtype) == "torch.bfloat16":
            raise ValueError(f"{key} must be float16, float32 or float64; got bfloat16.")
    return numeric(key, value)


def _read_keys(keys: Mapping[str, Any], prefix: str) -> tuple[int, bool, bool]:
    """Return the number of layers, whether bidirectional, whether biases; check the keys."""
    matches = {key: _KEY.fullmatch(key) for key in keys}
    strange = [key for key, match in matches.items() if not match]
    if strange or not keys:
        raise ValueError(_no_gru_keys(strange, prefix))
    num_layers = 1 + max(int(match[3]) for match in matches.values())
    bidirectional = any(match[4] for match in matches.values())
    directions = _DIRECTIONS if bidirectional else _DIRECTIONS[:1]
    kinds = ["weight_ih", "weight_hh"]
    if any(match[1] == "bias" for match in matches.values()):
        kinds += ["bias_ih", "bias_hh"]
    wanted = (f"{k}_l{n}{d}" for n in range(num_layers) for d in directions for k in kinds)
    # A key may claim any number of layers: four suffice to say what is wrong.
    missing = list(itertools.islice((prefix + key for key in wanted if key not in keys), 4))
    if missing:
        raise ValueError(
            f"source must have all keys of a torch.nn.GRU with {num_layers} layers and "
            f"{len(directions)} directions; missing: {_shown(missing)}."
        )
    return num_layers, bidirectional, len(kinds) == 4


def _shown(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")


def _no_gru_keys(strange: list[str], prefix: str) -> str:
    """Say which keys are no GRU's, and which prefix might be meant."""
    roots = sorted(
        {prefix + key.removesuffix("weight_ih_l0") for key in strange if "weight_ih_l0" in key}
    )
    hint = ""
    if roots:
        hint = f" GRU weights may be found with prefix={' or '.join(map(repr, roots))}."
    if not strange:
        return f"source must have keys that begin with prefix={prefix!r}; got none.{hint}"
    shown = _shown([prefix + key for key in strange])
    if any(key.startswith("weight_hr") for key in strange):
        shown += " (a projection, which torch.nn.GRU does not have)"
    return (
        f"source must have only the keys of a torch.nn.GRU (weight_ih_l0, ...); got {shown}.{hint}"
    )


def _check_shapes_and_dtypes(
    arrays: Mapping[str, np.ndarray], units: int, bidirectional: bool, prefix: str
) -> None:
    """Raise ValueError unless every array fits the units, and all have one of three dtypes."""
    features = arrays["weight_ih_l0"].shape[-1]
    dtype = arrays["weight_hh_l0"].dtype
    for key, array in arrays.items():
        if array.dtype != dtype or dtype not in ("float16", "float32", "float64"):
            raise ValueError(
                f"{prefix}{key} must be float16, float32 or float64, as all others; "
                f"got {array.dtype} (weight_hh_l0 is {dtype})."
            )
        if key.startswith("bias"):
            shape: tuple[int, ...] = (3 * units,)
        elif key.startswith("weight_hh"):
            shape = (3 * units, units)
        elif _KEY.fullmatch(key)[3] == "0":
            shape = (3 * units, features)
        else:
            shape = (3 * units, units * (1 + bidirectional))
        if array.shape != shape:
            raise ValueError(
                f"{prefix}{key} must have shape {list(shape)}, for a GRU of {units} units "
                f"(weight_hh_l0 is [3 * units, units]); got {list(array.shape)}."
            )
