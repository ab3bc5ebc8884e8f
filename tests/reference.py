"""The judge of every kernel: a GRU in NumPy float64, written from the papers, with its gradient.

Cho et al. (2014), "Learning Phrase Representations using RNN Encoder-Decoder", equations 5 to 8:
the reset gate multiplies the state before the product (reset_after=False), and the update gate
keeps the old state ("keep"). Chung et al. (2014), "Empirical Evaluation of Gated Recurrent Neural
Networks", equation 4, lets the update gate write the candidate ("write"). reset_after=True
multiplies after the product, as cuDNN does, which therefore has a second bias.
Dropout: Gal and Ghahramani (2016), one mask a sequence and gate; zoneout: Krueger et al. (2016),
equation 6; layer normalization: Ba et al. (2016), supplement, z and r normalized together.

Nothing here is shared with the package: each gate has its own matrices, and the gradient is
derived by hand. test_reference.py proves it by finite differences.
"""

from __future__ import annotations

import dataclasses

import numpy as np

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 7

MASKS = {
    "none": None,
    "right padded": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool),
    "any pattern": np.array([[0, 1, 1, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 0, 0]], bool),
    "row fully masked": np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]], bool),
}


@dataclasses.dataclass(frozen=True)
class Convention:
    """Where the reset gate stands, and what an open update gate does."""

    reset_after: bool = True
    update_gate: str = "keep"

    def __str__(self) -> str:
        return f"{'after' if self.reset_after else 'before'}-{self.update_gate}"


CONVENTIONS = [Convention(after, gate) for after in (True, False) for gate in ("keep", "write")]


def sigmoid(a: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(a))  # so that neither end loses digits
    return np.where(a >= 0.0, 1.0, small) / (1.0 + small)


def random_case(
    seed: int = 0, dtype: str = "float64", bias: bool = True, gain: bool = False
) -> dict[str, np.ndarray]:
    """Return asymmetric inputs and weights with nonzero biases, packed z | r | h as Keras does.

    With `gain`, also the gains of a layer normalization.
    """
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return (0.6 * rng.standard_normal(shape) + 0.1).astype(dtype)

    case = {
        "x": draw(BATCH, TIME, FEATURES),
        "h0": draw(BATCH, UNITS),
        "kernel": draw(FEATURES, 3 * UNITS),
        "recurrent_kernel": draw(UNITS, 3 * UNITS),
        "bias": draw(2, 3 * UNITS),
    }
    if gain:
        case["gain"] = 1.0 + draw(2, 3 * UNITS)
    return case if bias else {**case, "bias": np.zeros_like(case["bias"])}


def _gates(packed: np.ndarray) -> list[np.ndarray]:
    units = packed.shape[-1] // 3
    return [packed[..., :units], packed[..., units : 2 * units], packed[..., 2 * units :]]


@dataclasses.dataclass(frozen=True)
class Draws:
    """What dropout and zoneout drew; 1 and 0 where there is none."""

    inputs: np.ndarray | float = 1.0  # [3, batch, features], one a gate: z, r, c
    state: np.ndarray | float = 1.0  # [3, batch, units]
    kept: np.ndarray | float = 0.0  # [batch, time, units]


class Norm:
    """gain * (a - mean) / sqrt(variance + epsilon) over z and r together, and over c by itself."""

    def __init__(self, a: np.ndarray, gain: np.ndarray | None, groups: list[slice]) -> None:
        self.gain, self.groups = gain, groups
        self.normal, self.scale = a.copy(), np.ones_like(a)
        for group in groups if gain is not None else []:
            centred = a[:, group] - a[:, group].mean(-1, keepdims=True)
            self.scale[:, group] = 1.0 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
            self.normal[:, group] = centred * self.scale[:, group]
        self.result = self.normal if gain is None else gain * self.normal

    def backward(self, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of `a` and of the gain."""
        if self.gain is None:
            return d, np.zeros(d.shape[-1])
        d_normal, d_a = d * self.gain, np.zeros_like(d)
        for group in self.groups:
            dn, n = d_normal[:, group], self.normal[:, group]
            mean = dn.mean(-1, keepdims=True) + n * (dn * n).mean(-1, keepdims=True)
            d_a[:, group] = self.scale[:, group] * (dn - mean)
        return d_a, (d * self.normal).sum(0)


class Reference:
    """One run over a batch of sequences, in the order of processing.

    `case` as `random_case` returns it, in float64; the second bias counts only with reset_after.
    A masked step keeps the state. `states` is [batch, time, units] in the order of processing.
    """

    def __init__(
        self,
        case: dict[str, np.ndarray],
        convention: Convention,
        mask: np.ndarray | None = None,
        go_backwards: bool = False,
        draws: Draws | None = None,
    ) -> None:
        self.case = {name: np.asarray(value, np.float64) for name, value in case.items()}
        self.convention, self.draws = convention, draws or Draws()
        batch, time, features = self.case["x"].shape
        units = self.units = self.case["h0"].shape[-1]
        self.zr, self.c = slice(0, 2 * units), slice(2 * units, 3 * units)
        self.mask = np.ones((batch, time), bool) if mask is None else mask
        self.x_masks = np.broadcast_to(self.draws.inputs, (3, batch, features))
        self.h_masks = np.broadcast_to(self.draws.state, (3, batch, units))
        self.kept = np.broadcast_to(self.draws.kept, (batch, time, units))
        self.order = list(range(time))[::-1] if go_backwards else list(range(time))
        self.saved: list[dict[str, np.ndarray]] = []
        h, states = self.case["h0"], []
        for t in self.order:
            new = self._step(self.case["x"][:, t], h)
            new = self.kept[:, t] * h + (1.0 - self.kept[:, t]) * new
            h = np.where(self.mask[:, t, None], new, h)
            states.append(h)
        self.states, self.last = np.stack(states, axis=1), h

    def _step(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        after, gain = self.convention.reset_after, self.case.get("gain", (None, None))
        w, u = _gates(self.case["kernel"]), _gates(self.case["recurrent_kernel"])
        xs, hs = [x * m for m in self.x_masks], [h * m for m in self.h_masks]
        by_x = Norm(
            np.hstack([a @ b for a, b in zip(xs, w, strict=True)]), gain[0], [self.zr, self.c]
        )
        a_x = by_x.result + self.case["bias"][0]
        last = hs[2] @ u[2] if after else np.zeros_like(h)
        products = np.hstack([hs[0] @ u[0], hs[1] @ u[1], last])
        by_h = Norm(products, gain[1], [self.zr, self.c] if after else [self.zr])
        a_h = by_h.result + (self.case["bias"][1] if after else 0.0)
        z, r, _ = _gates(sigmoid(a_x + a_h))
        if after:
            inner, by_c = a_h[:, self.c], None
            c = np.tanh(a_x[:, self.c] + r * inner)
        else:
            inner = r * hs[2]
            by_c = Norm(inner @ u[2], None if gain[1] is None else gain[1][self.c], [slice(None)])
            c = np.tanh(a_x[:, self.c] + by_c.result)
        saved = {"x": x, "xs": xs, "h": h, "hs": hs, "by_x": by_x, "by_h": by_h, "by_c": by_c}
        self.saved.append({**saved, "z": z, "r": r, "c": c, "inner": inner})
        if self.convention.update_gate == "keep":
            return z * h + (1.0 - z) * c
        return (1.0 - z) * h + z * c

    def shown(self, zero_output_for_mask: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return the outputs as a Keras layer shows them, and which of them it shows.

        Keras repeats the output before at a masked step; before the first unmasked one that
        output is zero, even where the initial state is not.
        """
        seen = self.mask[:, self.order]
        if not zero_output_for_mask:
            seen = np.maximum.accumulate(seen, axis=1)
        return np.where(seen[:, :, None], self.states, 0.0), seen[:, :, None]

    def gradients(self, d_states: np.ndarray, d_last: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradient of sum(d_states * states) + sum(d_last * last) by every array."""
        grads = {name: np.zeros_like(value) for name, value in self.case.items()}
        dh = d_last
        for i in reversed(range(len(self.order))):
            t = self.order[i]
            dh = dh + d_states[:, i]
            passed = np.where(self.mask[:, t, None], self.kept[:, t], 1.0)
            dx, before = self._step_gradient(dh * (1.0 - passed), self.saved[i], grads)
            grads["x"][:, t] = dx
            dh = dh * passed + before
        grads["h0"] = dh
        return grads

    def _step_gradient(
        self, dh: np.ndarray, s: dict, grads: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add one step's gradients of the weights; return those of x and of h."""
        after, gain = self.convention.reset_after, np.zeros((2, 3 * self.units))
        w, u = _gates(self.case["kernel"]), _gates(self.case["recurrent_kernel"])
        h, z, r, c, inner, hs = s["h"], s["z"], s["r"], s["c"], s["inner"], s["hs"]
        if self.convention.update_gate == "keep":
            dz, dc, before = dh * (h - c), dh * (1.0 - z), dh * z
        else:
            dz, dc, before = dh * (c - h), dh * z, dh * (1.0 - z)
        az, ac = dz * z * (1.0 - z), dc * (1.0 - c * c)  # by the pre-activations
        if after:
            dr, d_product = ac * inner, ac * r
        else:
            d_product, gain[1, self.c] = s["by_c"].backward(ac)
            d_inner = d_product @ u[2].T
            dr, before = d_inner * hs[2], before + d_inner * r * self.h_masks[2]
        ar = dr * r * (1.0 - r)
        a_x, a_h = np.hstack([az, ar, ac]), np.hstack([az, ar, d_product if after else 0.0 * ac])
        grads["bias"][0] += a_x.sum(0)
        grads["bias"][1] += a_h.sum(0) if after else 0.0
        p_x, gain[0] = s["by_x"].backward(a_x)
        p_h, by_h = s["by_h"].backward(a_h)
        counted = slice(None) if after else self.zr
        gain[1, counted] += by_h[counted]
        if "gain" in grads:
            grads["gain"] += gain
        lefts = [hs[0], hs[1], hs[2] if after else inner]
        rights = [*_gates(p_h)[:2], _gates(p_h)[2] if after else d_product]
        pairs = zip(s["xs"], _gates(p_x), strict=True)
        grads["kernel"] += np.hstack([left.T @ right for left, right in pairs])
        pairs = zip(lefts, rights, strict=True)
        grads["recurrent_kernel"] += np.hstack([left.T @ right for left, right in pairs])
        for gate in range(3 if after else 2):
            before = before + rights[gate] @ u[gate].T * self.h_masks[gate]
        dx = sum(p @ w[g].T * self.x_masks[g] for g, p in enumerate(_gates(p_x)))
        return dx, before
