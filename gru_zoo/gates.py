"""Gates made visible: z, r and c of a trained GRU, how often they saturate, and a heat map.

What the update gate z means depends on the layer's convention:

    update_gate="keep"    h' = z * h + (1 - z) * c     z = 1 keeps the state, z = 0 overwrites it
    update_gate="write"   h' = (1 - z) * h + z * c     z = 0 keeps the state, z = 1 overwrites it

The reset gate r = 0 hides the old state from the candidate c wholly: c = tanh(x Wc + bc). With
reset_after=True it hides the recurrent bias too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from gru_zoo.arguments import (
    finite,
    instance,
    near_name,
    number,
    numeric,
    one_of,
    pathlike,
    string,
)
from gru_zoo.convert.keras_gru import from_keras
from gru_zoo.files import atomic_write
from gru_zoo.layers.checks import check_shape
from gru_zoo.layers.gru import GRU

Z_MEANS = {"keep": "1 keeps the state", "write": "1 overwrites the state"}


@dataclasses.dataclass(frozen=True)
class Gates:
    """Gate activations of one GRU layer over a batch of sequences.

    Every array is float, [batch, time, units], in the order of the input's steps, also where the
    layer goes backwards (its own outputs are then in the opposite order). At masked steps, where
    no gate is computed, z, r and c are NaN and the state stays as it is.

    Attributes:
        layer: the layer's name.
        z: update gate, 0 to 1 with a sigmoid.
        r: reset gate, 0 to 1 with a sigmoid.
        c: candidate, -1 to 1 with tanh.
        before: the state that each step starts from.
        after: the state that each step leaves.
        mask: bool [batch, time]; False where the step is ignored.
        update_gate: "keep" or "write", what z means.
        reset_after: where r is applied.
        go_backwards: whether the steps were taken from the last to the first.
        zoneout: the share of the state that stays at every step beside what z keeps.
    """

    layer: str
    z: np.ndarray
    r: np.ndarray
    c: np.ndarray
    before: np.ndarray
    after: np.ndarray
    mask: np.ndarray
    update_gate: str
    reset_after: bool
    go_backwards: bool
    zoneout: float = 0.0


def layer_gates(
    layer: GRU | keras.layers.GRU,
    inputs: Any,
    *,
    mask: Any = None,
    initial_state: Any = None,
) -> Gates:
    """Run a GRU layer on its input and return its gates; dropout is off.

    Args:
        layer: a built `GRU` or `keras.layers.GRU`. For a `StackedGRU` take a member of its `grus`.
        inputs: float [batch, time, features].
        mask: bool [batch, time] of any pattern, or None.
        initial_state: float [batch, units], or None for the layer's own (zeros, or what a
            stateful layer remembers).

    Returns:
        The `Gates`, computed in the weights' precision and returned in float32 (float64 for a
        float64 layer). The states of a stateful layer do not change.

    Raises:
        ValueError: another class of layer, a layer that is not built, a wrong shape, or what is no
            array of numbers.

    Example:
        >>> layer = GRU(7)
        >>> layer.build((None, None, 4))
        >>> layer_gates(layer, np.ones((3, 5, 4), "float32")).z.shape
        (3, 5, 7)
    """
    if type(layer) is keras.layers.GRU:
        layer = from_keras(layer)
    if not isinstance(layer, GRU):
        raise ValueError(f"layer must be a GRU; got {type(layer).__name__}.")
    if not layer.built:
        raise ValueError(f"layer must be built, so that it has weights; got {layer.name!r}.")
    cell, dtype = layer.cell, layer.variable_dtype
    units, features = cell.units, cell.kernel.shape[0]
    inputs = _numbers("inputs", inputs, dtype)
    check_shape("inputs", inputs, ("batch", "time", "features"), (None, None, features))
    batch, time = inputs.shape[:2]
    if mask is None:
        mask = np.ones((batch, time), bool)
    mask = ops.convert_to_numpy(_numbers("mask", mask, "bool"))
    check_shape("mask", mask, ("batch", "time"), (batch, time))
    if initial_state is None:
        initial_state = layer.states if layer.stateful else layer.get_initial_state(batch)
    if isinstance(initial_state, (list, tuple)) and len(initial_state) == 1:
        (only,) = initial_state
        # Keras hands a layer's states over as a list; nested numbers are one state as they are.
        initial_state = only if hasattr(only, "ndim") else initial_state
    state = _numbers("initial_state", initial_state, dtype)
    check_shape("initial_state", state, ("batch", "units"), (batch, units))

    result_dtype = "float64" if dtype == "float64" else "float32"
    z, r, c, before, after = np.full((5, batch, time, units), np.nan, result_dtype)
    projected = cell.project(inputs)  # [batch, time, 3 * units]
    for step in reversed(range(time)) if layer.go_backwards else range(time):
        gates = cell.gates(projected[:, step], state)
        new_state = cell.recur(projected[:, step], state, kept=cell.zoneout or None)
        before[:, step] = _to_numpy(state)
        state = ops.where(mask[:, step, None], new_state, state)
        after[:, step] = _to_numpy(state)
        for array, gate in zip((z, r, c), gates, strict=True):
            array[:, step] = np.where(mask[:, step, None], _to_numpy(gate), np.nan)
    return Gates(
        layer.name,
        *(z, r, c, before, after, mask),
        update_gate=cell.update_gate,
        reset_after=cell.reset_after,
        go_backwards=layer.go_backwards,
        zoneout=cell.zoneout,
    )


def model_gates(model: keras.Model, inputs: Any, layer: str | None = None) -> Gates:
    """Run a model and return the gates of one GRU layer in it, for the input that reaches it.

    Args:
        model: any built Keras model: functional, sequential or subclassed; the GRU may sit inside
            a nested model, a `Bidirectional` wrapper or a `StackedGRU`.
        inputs: what the model takes, one batch.
        layer: name of the GRU layer, or enough of the end of its path to tell it from others, as
            "stacked_gru/backward_0"; None if the model has a single GRU.

    Returns:
        The `Gates`, with the mask and the initial state that the layer was given.

    Raises:
        ValueError: no such layer, several of that name, or a layer that runs not exactly once.

    Example:
        >>> model = keras.Sequential([keras.layers.Embedding(9, 4, mask_zero=True), GRU(7)])
        >>> model_gates(model, np.array([[1, 2, 0]])).z.shape
        (1, 3, 7)
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a keras.Model; got {type(model).__name__}.")
    gru = _find(model, layer)
    calls: list[dict[str, Any]] = []
    with _recorded(gru, calls):
        model(inputs, training=False)
    if len(calls) != 1:
        raise ValueError(
            f"layer {gru.name!r} must run once when the model does; it ran {len(calls)} times."
        )
    return layer_gates(gru, **calls[0])


def _find(model: keras.Model, name: str | None) -> Any:
    """Return the GRU layer of that name or path."""
    grus = [
        layer for layer in model._flatten_layers() if isinstance(layer, (GRU, keras.layers.GRU))
    ]
    paths = [layer.path or layer.name for layer in grus]
    found = [
        layer
        for layer, path in zip(grus, paths, strict=True)
        if name is None or name == layer.name or f"/{path}".endswith(f"/{name}")
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(map(repr, paths)) or "none"
    hint = "" if name is None or found else near_name(name, [gru.name for gru in grus])
    raise ValueError(f"layer must name one GRU layer of the model ({names}); got {name!r}.{hint}")


@contextlib.contextmanager
def _recorded(layer: Any, calls: list[dict[str, Any]]) -> Iterator[None]:
    """Note what the layer is called with while the block runs."""
    original, state_before = layer.call, [ops.copy(state) for state in layer.states or ()]

    def call(
        sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        if initial_state is None and layer.stateful:
            initial_state = list(state_before)
        calls.append({"inputs": sequences, "mask": mask, "initial_state": initial_state})
        return original(sequences, initial_state=initial_state, mask=mask, training=training)

    layer.call = call
    try:
        yield
    finally:
        del layer.call  # the class's own shows again
        for variable, value in zip(layer.states or (), state_before, strict=True):
            variable.assign(value)


def _numbers(name: str, value: Any, dtype: str) -> Any:
    """Return numbers as a tensor of that dtype."""
    # A backend's tensor of numbers stays one: NumPy may not reach its device, nor have its type.
    known = ops.is_tensor(value) and None not in value.shape
    kind = keras.backend.standardize_dtype(value.dtype) if known else ""
    if not kind.startswith(("float", "bfloat", "int", "uint", "bool")):
        value = numeric(name, value)
    return ops.cast(ops.convert_to_tensor(value, sparse=False), dtype)


def _to_numpy(tensor: Any) -> np.ndarray:
    """Return a float tensor in a type that NumPy has, as it has no bfloat16."""
    return ops.convert_to_numpy(ops.cast(tensor, "float64"))


@dataclasses.dataclass(frozen=True)
class Saturation:
    """How often each unit's gates are nearly shut or nearly open; arrays [units], 0 to 1.

    Attributes:
        layer: the layer's name.
        update_gate: "keep" or "write", what an open update gate does.
        low: gates below it count as shut.
        high: gates above it count as open.
        steps: how many steps were counted: the unmasked ones of all sequences.
        z_low: share of the steps at which the unit's update gate is below `low`.
        z_high: share of the steps at which it is above `high`.
        r_low: share of the steps at which the unit's reset gate is below `low`.
        r_high: share of the steps at which it is above `high`.
    """

    layer: str
    update_gate: str
    low: float
    high: float
    steps: int
    z_low: np.ndarray
    z_high: np.ndarray
    r_low: np.ndarray
    r_high: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as JSON can hold them."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in dataclasses.asdict(self).items()
        }

    def __str__(self) -> str:
        """Return a table: mean, largest share and the unit that has it."""
        lines = [
            f"{self.layer}: {self.steps} steps, {len(self.z_low)} units; "
            f"update gate {self.update_gate!r}: {Z_MEANS[self.update_gate]}",
            f"{'':26}{'mean':>8}{'largest':>10}{'unit':>6}",
        ]
        for gate, word in (("z", "update"), ("r", "reset")):
            for end, sign, limit in (("low", "<", self.low), ("high", ">", self.high)):
                share = getattr(self, f"{gate}_{end}")
                label = f"{word} gate {gate} {sign} {limit:g}"
                worst = int(share.argmax())
                lines.append(f"{label:26}{share.mean():8.1%}{share[worst]:10.1%}{worst:6}")
        return "\n".join(lines)


def saturation(gates: Gates, *, low: float = 0.05, high: float = 0.95) -> Saturation:
    """Count, unit by unit, the share of unmasked steps with a saturated update or reset gate.

    Args:
        gates: of one layer, from `layer_gates` or `model_gates`.
        low: a gate strictly below it is counted as shut.
        high: a gate strictly above it is counted as open.

    Returns:
        The `Saturation`; print it for a table, `as_dict()` for JSON.

    Raises:
        ValueError: `low` and `high` out of order or outside [0, 1], every step masked, or NaN.

    Example:
        >>> layer = GRU(7)
        >>> layer.build((None, None, 4))
        >>> saturation(layer_gates(layer, np.zeros((3, 5, 4), "float32"))).z_low.max().item()
        0.0
    """
    instance("gates", gates, Gates)
    low, high = number("low", low), number("high", high)
    if not 0 <= low < high <= 1:
        raise ValueError(f"low and high must be 0 <= low < high <= 1; got {low} and {high}.")
    if not gates.mask.any():
        raise ValueError("gates must have a step that is not masked; got none.")
    z, r = gates.z[gates.mask], gates.r[gates.mask]  # [steps, units]
    for gate in (z, r):
        finite("gates of steps that are not masked", gate)
    return Saturation(
        layer=gates.layer,
        update_gate=gates.update_gate,
        low=low,
        high=high,
        steps=len(z),
        z_low=(z < low).mean(axis=0),
        z_high=(z > high).mean(axis=0),
        r_low=(r < low).mean(axis=0),
        r_high=(r > high).mean(axis=0),
    )


def heat_map(
    gates: Gates,
    path: str | os.PathLike,
    *,
    example: int = 0,
    tokens: Sequence[str] | None = None,
    show: Sequence[str] = ("z", "r", "c"),
    units: Sequence[int] | None = None,
    title: str | None = None,
) -> None:
    """Draw the gates of one sequence as a PNG: time on x, units on y, one panel a gate.

    Masked steps are grey; masked steps at either end are left out.

    Args:
        gates: of one layer, from `layer_gates` or `model_gates`.
        path: the PNG; it is written whole or not at all.
        example: which sequence of the batch.
        tokens: a label for every step of the input, masked ones too; None numbers the steps.
        show: which of "z", "r", "c", from top to bottom.
        units: which units, from top to bottom; None shows all.
        title: over the picture; None names the layer.

    Raises:
        ValueError: a wrong path, example, tokens, show or units, every step masked, or NaN.

    Example:
        >>> layer = GRU(7)
        >>> layer.build((None, None, 4))
        >>> gates = layer_gates(layer, np.ones((1, 3, 4), "float32"))
        >>> heat_map(gates, "gates.png", tokens=["a", "fine", "film"])
    """
    from gru_zoo.gates_figure import picture

    instance("gates", gates, Gates)
    one_of("path's ending", os.path.splitext(pathlike("path", path))[1].lower(), [".png"])
    figure = picture(
        gates,
        z_means=Z_MEANS[gates.update_gate],
        example=example,
        tokens=tokens,
        show=show,
        units=units,
        title=gates.layer if title is None else string("title", title),
    )
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120)
