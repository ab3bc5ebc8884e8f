"""README's Kotlin compiles, and streams as Python does.

The interpreter below it is a stand-in with the methods of Android's (`Interpreter.java`), whose
work LiteRT for Python does: what is proven is the class in README, not the library on a phone.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from gru_zoo import GRU, export
from tests import readme_streamer

HERE = Path(__file__).parent
TOOLS = ("kotlinc", "javac", "java")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, TOOLS)), reason="needs a Kotlin compiler and a JDK"
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Compile README's class and Main.kt; return the Java class path."""
    folder = tmp_path_factory.mktemp("kotlin")
    (folder / "Streamer.kt").write_text(readme_streamer.text("kotlin"), encoding="utf-8")
    stand_ins = [str(HERE / f"{name}.java") for name in ("Interpreter", "Tensor", "DataType")]
    subprocess.run(["javac", "-d", str(folder / "java"), *stand_ins], check=True)
    jar = folder / "program.jar"
    sources = [str(folder / "Streamer.kt"), str(HERE / "Main.kt")]
    kotlin = ["kotlinc", *sources, "-cp", str(folder / "java"), "-include-runtime", "-d", str(jar)]
    done = subprocess.run(kotlin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return f"{jar}:{folder / 'java'}"


def run(program: str, path: Path) -> subprocess.CompletedProcess:
    worker = f"-Dworker={sys.executable}\n{readme_streamer.WORKER}"
    command = ["java", "-cp", program, worker, "MainKt", str(path), *map(str, readme_streamer.IDS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_the_class_streams_as_python_does(program, variant):
    done = run(program, readme_streamer.file(variant))
    assert done.returncode == 0, done.stderr
    readme_streamer.check(done.stdout, variant)


@pytest.mark.usefixtures("converted_here")
def test_states_in_integers_are_refused(program, tmp_path):
    model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
    frames = [np.random.default_rng(row).normal(size=(9, 4)).astype("float32") for row in range(4)]
    export.tflite(model, tmp_path / "m.tflite", variant="int8_full", representative=frames)
    done = run(program, tmp_path / "m.tflite")
    assert done.returncode != 0 and "must be float32; it is INT8" in done.stderr
