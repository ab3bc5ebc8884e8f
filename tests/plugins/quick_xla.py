"""XLA without its optimizations, for tests that compile a program for each few numbers.

Compiling is half of what such tests do, and takes half the time so (`benchmarks/NOTES.md`). What
XLA makes is slower, so slow tests, on real data, have the optimizations that a user has (but for
recipes of smoke size in processes of their own); among them are the fuzzing of the layer and every
preset's figures.
"""

import os

FLAGS = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"


def use(markers: str) -> None:
    """Set XLA's flags, also for processes that tests start, unless slow tests run or some are set.

    Args:
        markers: pytest's `-m`.
    """
    if "not slow" in markers:
        os.environ.setdefault("XLA_FLAGS", FLAGS)
