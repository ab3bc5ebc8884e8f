"""The judge of every kernel: a GRU in NumPy float64, written from the papers, with its gradient.

Cho et al. (2014), "Learning Phrase Representations using RNN Encoder-Decoder", equations 5 to 8:
the reset gate multiplies the state before the product (reset_after=False), and the update gate
keeps the old state ("keep"). Chung et al. (2014), "Empirical Evaluation of Gated Recurrent Neural
Networks", equation 4, lets the update gate write the candidate ("write"). reset_after=True
multiplies after the product, as cuDNN does, which therefore has a second bias.

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
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def random_case(seed: int = 0, dtype: str = "float64", bias: bool = True) -> dict[str, np.ndarray]:
    """Return asymmetric inputs and weights with nonzero biases, packed z | r | h as Keras does."""
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
    return case if bias else {**case, "bias": np.zeros_like(case["bias"])}


def _gates(packed: np.ndarray) -> list[np.ndarray]:
    units = packed.shape[-1] // 3
    return [packed[..., :units], packed[..., units : 2 * units], packed[..., 2 * units :]]


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
    ) -> None:
        self.case = {name: np.asarray(value, np.float64) for name, value in case.items()}
        self.convention = convention
        batch, time, _ = self.case["x"].shape
        self.mask = np.ones((batch, time), bool) if mask is None else mask
        self.order = list(range(time))[::-1] if go_backwards else list(range(time))
        self.saved: list[tuple[np.ndarray, ...]] = []
        h, states = self.case["h0"], []
        for t in self.order:
            new = self._step(self.case["x"][:, t], h)
            h = np.where(self.mask[:, t, None], new, h)
            states.append(h)
        self.states, self.last = np.stack(states, axis=1), h

    def _step(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        wz, wr, wc = _gates(self.case["kernel"])
        uz, ur, uc = _gates(self.case["recurrent_kernel"])
        bz, br, bc = _gates(self.case["bias"][0])
        if self.convention.reset_after:
            bz2, br2, bc2 = _gates(self.case["bias"][1])
            z = sigmoid(x @ wz + bz + h @ uz + bz2)
            r = sigmoid(x @ wr + br + h @ ur + br2)
            inner = h @ uc + bc2
            c = np.tanh(x @ wc + bc + r * inner)
        else:
            z = sigmoid(x @ wz + bz + h @ uz)
            r = sigmoid(x @ wr + br + h @ ur)
            inner = r * h
            c = np.tanh(x @ wc + bc + inner @ uc)
        self.saved.append((x, h, z, r, c, inner))
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
        uz, ur, uc = _gates(self.case["recurrent_kernel"])
        grads = {name: np.zeros_like(value) for name, value in self.case.items()}
        dh = d_last
        for i in reversed(range(len(self.order))):
            t = self.order[i]
            x, h, z, r, c, inner = self.saved[i]
            dh = dh + d_states[:, i]
            kept = np.where(self.mask[:, t, None], 0.0, dh)
            dh = np.where(self.mask[:, t, None], dh, 0.0)
            if self.convention.update_gate == "keep":
                dz, dc, before = dh * (h - c), dh * (1.0 - z), dh * z
            else:
                dz, dc, before = dh * (c - h), dh * z, dh * (1.0 - z)
            az, ac = dz * z * (1.0 - z), dc * (1.0 - c * c)  # by the pre-activations
            if self.convention.reset_after:
                ar, hc, uc_input = ac * inner * r * (1.0 - r), ac * r, h
                before = before + hc @ uc.T
            else:
                d_inner = ac @ uc.T
                ar, hc, uc_input = d_inner * h * r * (1.0 - r), ac, inner
                before = before + d_inner * r
            before = before + az @ uz.T + ar @ ur.T
            packed = np.concatenate([az, ar, ac], axis=-1)
            grads["x"][:, t] = packed @ self.case["kernel"].T
            grads["kernel"] += x.T @ packed
            grads["recurrent_kernel"] += np.concatenate([h.T @ az, h.T @ ar, uc_input.T @ hc], -1)
            grads["bias"][0] += packed.sum(0)
            if self.convention.reset_after:
                grads["bias"][1] += np.concatenate([az, ar, hc], axis=-1).sum(0)
            dh = before + kept
        grads["h0"] = dh
        return grads
