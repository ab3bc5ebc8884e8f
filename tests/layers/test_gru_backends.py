"""The same parity tests under Keras' JAX and PyTorch backends, each in a process of its own."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import pytest

HERE = pathlib.Path(__file__).parent
TESTS = [
    "gru_reference",
    "gru_keras_parity",
    "gru_streaming",
    "gru_extras",
    "gru_bad_input",
    "gru_in_models",
    "gru_cells",
    "attention_gru_mask",
]
# They read results as NumPy arrays, which PyTorch refuses of what has a gradient.
ON_JAX = ["stacked", "trainable"]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # JAX compiles each of hundreds of small loops
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_parity_under(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if keras.backend.backend() == backend:
        pytest.skip("this is the process")
    # One process: of two, one reads from JAX's cache what the other has half written, and both
    # import what is slow to import. Without pytest's cache: `--after-pass` would take what passed
    # here for what passed before.
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "not slow and not gpu"]
    command += ["-p", "no:cacheprovider"]
    command += [
        str(HERE / f"test_{name}.py") for name in TESTS + (ON_JAX if backend == "jax" else [])
    ]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        # Many of the loops are the same program: a fifth less of the time.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    run = subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
