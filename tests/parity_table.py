"""Largest differences from the NumPy float64 reference: `python -m tests.parity_table`.

Prints a Markdown table, kernel x convention x feature; each cell is "outputs / gradients", the
gradients' as a share of the largest entry of their array, or "no" where the kernel cannot run it.
On a machine with a GPU, cuDNN's own record:

    python -m tests.parity_table --kernels cudnn loop --json benchmarks/results/cudnn.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import machine
from gru_zoo.layers import kernels
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
) -> tuple[float, float] | None:
    """Return the largest differences of outputs and of gradients; None if it cannot run."""
    case = random_case(dtype=dtype, bias=bias, gain=options.get("layer_norm", False))
    layer = layer_of(case, convention, kernel=kernel, dtype=dtype, **options)
    if kernels.why_not(kernel, layer, time=case["x"].shape[1], training=draws is not None):
        return None
    if draws and kernel == "cudnn":  # it can take none; the draws stand for rates of the layer
        return None
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


def main(argv: list[str] | None = None) -> None:
    """Print the table, and write it as JSON with the machine and its versions if asked to."""
    import tensorflow as tf

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", nargs="+", choices=kernels.KERNELS, default=list(KERNELS))
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # a GPU's products, too
    record = []
    print(f"| kernel | convention | {' | '.join(FEATURES)} |")
    print("|---" * (len(FEATURES) + 2) + "|")
    for kernel in arguments.kernels:
        for convention in CONVENTIONS:
            row = {name: differences(kernel, convention, **o) for name, o in FEATURES.items()}
            cells = [
                "no" if pair is None else "{:.0e} / {:.0e}".format(*pair) for pair in row.values()
            ]
            print(f"| {kernel} | {convention} | {' | '.join(cells)} |", flush=True)
            record.append({"kernel": kernel, "convention": str(convention), "differences": row})
    if arguments.json:
        record = {**machine(("tensorflow", "keras", "numpy")), "gpus": gpus(), "rows": record}
        arguments.json.write_text(json.dumps(record, indent=1, default=float) + "\n")


def gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow finds."""
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in found]


if __name__ == "__main__":
    main()
