"""Largest differences from the NumPy float64 reference: `python -m tests.parity_table`.

Prints a Markdown table, kernel x convention x feature; each cell is "outputs / gradients", the
gradients' as a share of the largest entry of their array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.gradients import outputs_and_gradients
from tests.layers.test_gru_extras import DRAWS, draw_these
from tests.layers.test_gru_reference import KERNELS, layer_of
from tests.reference import CONVENTIONS, MASKS, Convention, Draws, Reference, random_case

FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "right padded": {"mask": MASKS["right padded"]},
    "any mask": {"mask": MASKS["any pattern"]},
    "empty row": {"mask": MASKS["row fully masked"]},
    "backwards, any mask": {"mask": MASKS["any pattern"], "go_backwards": True},
    "no bias": {"bias": False},
    "dropout": {"draws": DRAWS["dropout, one mask a gate"]},
    "zoneout": {"draws": DRAWS["zoneout"]},
    "layer norm": {"layer_norm": True},
    "float64": {"dtype": "float64"},
}


def differences(
    kernel: str,
    convention: Convention,
    *,
    mask: Any = None,
    draws: Draws | None = None,
    bias: bool = True,
    dtype: str = "float32",
    **options: Any,
) -> tuple[float, float]:
    """Return the largest differences of outputs and of gradients."""
    case = random_case(dtype=dtype, bias=bias, gain=options.get("layer_norm", False))
    layer = layer_of(case, convention, kernel=kernel, dtype=dtype, **options)
    layer = draw_these(layer, draws) if draws else layer
    run = Reference(case, convention, mask, layer.go_backwards, draws)
    shown, visible = run.shown()
    rng = np.random.default_rng(2)
    d_states = rng.standard_normal(run.states.shape).astype(dtype)
    d_last = rng.standard_normal(run.last.shape).astype(dtype)
    wanted = run.gradients(d_states * visible, d_last.astype("float64"))
    if not convention.reset_after:
        wanted["bias"] = wanted["bias"][0]
    arguments = layer, case["x"], case["h0"], mask, d_states, d_last
    outputs, last, gradients = outputs_and_gradients(*arguments, training=draws is not None)
    errors = [
        np.abs(gradients[name] - wanted[name]).max() / np.abs(wanted[name]).max()
        for name in gradients
    ]
    return max(np.abs(outputs - shown).max(), np.abs(last - run.last).max()), max(errors)


def main() -> None:
    """Print the table."""
    print(f"| kernel | convention | {' | '.join(FEATURES)} |")
    print("|---" * (len(FEATURES) + 2) + "|")
    for kernel in KERNELS:
        for convention in CONVENTIONS:
            cells = []
            for options in FEATURES.values():
                if kernel == "fused" and "layer_norm" in options:
                    cells.append("loop")
                    continue
                cells.append("{:.0e} / {:.0e}".format(*differences(kernel, convention, **options)))
            print(f"| {kernel} | {convention} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
