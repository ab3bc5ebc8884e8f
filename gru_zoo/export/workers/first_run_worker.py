"""A first run of a step of integers, by `arrays.compare_integers` in a process of its own.

python -m gru_zoo.export.workers.first_run_worker FILE.tflite INPUTS.npz

The runtime ends its process where a scale in a file makes no sense, as that of a tensor does which
was zero throughout the calibration.
"""

from __future__ import annotations

import sys

import numpy as np

from gru_zoo.export.runners.streamer import Streamer


def main(argv: list[str]) -> int:
    """Run a file's step once; 1 and the reason if it does not run.

    Args:
        argv: the file; an `.npz` of one step's inputs by name.

    Example:
        >>> main(["missing.tflite", "missing.npz"])
        1
    """
    path, inputs = argv
    try:
        with np.load(inputs) as archive:
            given = dict(archive)
        Streamer(path).push(**given)
    except (OSError, RuntimeError, ValueError) as error:
        print(str(error).strip().splitlines()[-1], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
