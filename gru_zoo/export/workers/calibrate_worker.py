"""Conversion of a step to integers, run by `integer_step` in a process of its own.

python -m gru_zoo.export.workers.calibrate_worker SAVED_MODEL SAMPLES.npz VARIANT FILE.tflite
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gru_zoo.arguments import one_of
from gru_zoo.export.names import STEP
from gru_zoo.export.variants import INTEGER_ONLY
from gru_zoo.imports import import_without_optional


def main(argv: list[str]) -> int:
    """Write the integer form of a SavedModel's signature "step"; 1 and the reason if it has none.

    Args:
        argv: the SavedModel's folder; an `.npz` of the inputs of every sample, [samples, ...] by
            name; "int8_full" or "int16x8"; the file to write.

    Example:
        >>> main(["folder", "samples.npz", "int9", "model.tflite"])
        Traceback (most recent call last):
        ValueError: variant must be one of 'int8_full', 'int16x8'; got 'int9'. ...
    """
    folder, samples, variant, destination = argv
    one_of("variant", variant, INTEGER_ONLY)
    try:
        Path(destination).write_bytes(convert(folder, samples, variant))
    except Exception as error:  # The converter raises its own private types.
        lines = str(error).strip().splitlines()
        print(lines[-1] if lines else type(error).__name__, file=sys.stderr)
        return 1
    return 0


def convert(folder: str, samples: str, variant: str) -> bytes:
    """Return a SavedModel's signature "step" as `.tflite` bytes; arguments as of `main`."""
    # The interpreter that the calibrator brings says on import that it will be gone one day.
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[STEP])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    operators = tf.lite.OpsSet
    kind, integers = {
        "int8_full": (tf.int8, operators.TFLITE_BUILTINS_INT8),
        "int16x8": (
            tf.int16,
            operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        ),
    }[variant]
    # Float operators too: `integer_step` says by name which ones are left, the converter does not.
    converter.target_spec.supported_ops = [integers, operators.TFLITE_BUILTINS]
    converter.inference_input_type = converter.inference_output_type = kind
    with np.load(samples) as archive:
        arrays = dict(archive)  # an archive would unpack an array again for every look at it

    def representative() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        for row in range(len(next(iter(arrays.values())))):
            yield STEP, {name: array[row] for name, array in arrays.items()}

    converter.representative_dataset = representative
    return converter.convert()


if __name__ == "__main__":
    import_without_optional()
    sys.exit(main(sys.argv[1:]))
