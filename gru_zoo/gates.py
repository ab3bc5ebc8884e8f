"""Gates made visible: z, r and c of a trained GRU, how often they saturate, and a heat map.

What the update gate z means depends on the layer's convention:

    update_gate="keep"    h' = z * h + (1 - z) * c     z = 1 keeps the state, z = 0 overwrites it
    update_gate="write"   h' = (1 - z) * h + z * c     z = 0 keeps the state, z = 1 overwrites it

The reset gate r = 0 hides the old state from the candidate c: wholly with reset_after=False, and
but for the recurrent bias with reset_after=True.
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

from gru_zoo.arguments import near_name, one_of, place
from gru_zoo.convert.keras_gru import from_keras
from gru_zoo.files import write_beside
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
        z: update gate, 0 to 1.
        r: reset gate, 0 to 1.
        c: candidate, -1 to 1.
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

    def recombined(self) -> np.ndarray:
        """Return the states that z, c and the states before give, [batch, time, units]."""
        keep = self.z if self.update_gate == "keep" else 1 - self.z
        keep = self.zoneout + (1 - self.zoneout) * keep
        states = keep * self.before + (1 - keep) * self.c
        return np.where(self.mask[:, :, None], states, self.before)


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
    _check_shape("inputs", inputs, (None, None, features))
    batch, time = inputs.shape[:2]
    if mask is None:
        mask = np.ones((batch, time), bool)
    mask = ops.convert_to_numpy(_numbers("mask", mask, "bool"))
    _check_shape("mask", mask, (batch, time))
    if initial_state is None:
        initial_state = layer.states if layer.stateful else layer.get_initial_state(batch)
    if isinstance(initial_state, (list, tuple)) and len(initial_state) == 1:
        (only,) = initial_state  # Keras hands the states of a layer over as a list.
        initial_state = only if np.ndim(only) == 2 else initial_state
    state = _numbers("initial_state", initial_state, dtype)
    _check_shape("initial_state", state, (batch, units))

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


def _check_shape(name: str, array: Any, shape: tuple[int | None, ...]) -> None:
    given = tuple(array.shape)
    if len(given) != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, given, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape [{wanted}]; got {list(given)}.")


def _numbers(name: str, value: Any, dtype: str) -> Any:
    """Return an array, or nested lists, of numbers as a tensor of that dtype."""
    try:
        array = value if hasattr(value, "dtype") else np.asarray(value)
        if keras.backend.standardize_dtype(array.dtype) != "string":
            return ops.cast(ops.convert_to_tensor(array), dtype)
    except (TypeError, ValueError):
        pass  # Objects, text, or lists of different lengths.
    raise ValueError(f"{name} must be an array of numbers; got a {type(value).__name__}.")


def _require_numbers(*gates: np.ndarray) -> None:
    """Raise if a gate of a step that is not masked is none."""
    if not all(np.isfinite(gate).all() for gate in gates):
        raise ValueError("gates must be numbers at every step that is not masked; got NaN.")


def _to_numpy(tensor: Any) -> np.ndarray:
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
        z_high: ... above `high`.
        r_low: share of the steps at which the unit's reset gate is below `low`.
        r_high: ... above `high`.
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
    if not 0 <= low < high <= 1:
        raise ValueError(f"low and high must be 0 <= low < high <= 1; got {low} and {high}.")
    if not gates.mask.any():
        raise ValueError("gates must have a step that is not masked; got none.")
    z, r = gates.z[gates.mask], gates.r[gates.mask]  # [steps, units]
    _require_numbers(z, r)
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
        >>> heat_map(gates, "/tmp/gates.png", tokens=["a", "fine", "film"])
    """
    from gru_zoo.gates_figure import draw

    batch, time, size = gates.z.shape
    one_of("path's ending", os.path.splitext(os.fspath(path))[1].lower(), [".png"])
    place("example", example, batch)
    if tokens is not None and len(tokens) != time:
        raise ValueError(f"tokens must have one label for each of {time} steps; got {len(tokens)}.")
    if not show:
        raise ValueError("show must name one of 'z', 'r', 'c' at least; got none.")
    for name in show:
        one_of("show", name, ["z", "r", "c"])
    rows = list(range(size) if units is None else units)
    for unit in rows:
        place("units", unit, size)
    if not rows:
        raise ValueError(f"units must name one of 0 to {size - 1} at least; got none.")
    steps = np.flatnonzero(gates.mask[example])
    if not steps.size:
        raise ValueError(f"example must have a step that is not masked; got {example}, all masked.")
    _require_numbers(*(getattr(gates, name)[example, steps] for name in show))
    inside = slice(steps[0], steps[-1] + 1)
    panels = {name: getattr(gates, name)[example, inside][:, rows].T for name in show}
    labels = None if tokens is None else [str(token) for token in tokens[inside]]
    figure = draw(
        panels,
        rows=rows,
        first_step=int(steps[0]),
        tokens=labels,
        z_means=Z_MEANS[gates.update_gate],
        title=gates.layer if title is None else title,
    )
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=120)
