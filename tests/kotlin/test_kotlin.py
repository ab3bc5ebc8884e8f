"""README's Kotlin compiles, and streams as Python does.

The interpreter below it is a stand-in with the methods of Android's (`Interpreter.java`), whose
work LiteRT for Python does: what is proven is the class in README, not the library on a phone.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gru_zoo.export.streamer import Streamer
from gru_zoo.zoo import models_folder

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
PRESET = "sentiment_imdb_gru_small"
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
    blocks = re.findall(r"```kotlin\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (snippet,) = (block for block in blocks if "class Streamer" in block)
    (folder / "Streamer.kt").write_text(snippet, encoding="utf-8")
    java = ["javac", "-d", str(folder / "java"), str(HERE / "Interpreter.java")]
    subprocess.run([*java, str(HERE / "Tensor.java")], check=True)
    jar = folder / "program.jar"
    sources = [str(folder / "Streamer.kt"), str(HERE / "Main.kt")]
    kotlin = ["kotlinc", *sources, "-cp", str(folder / "java"), "-include-runtime", "-d", str(jar)]
    done = subprocess.run(kotlin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return f"{jar}:{folder / 'java'}"


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_the_class_streams_as_python_does(program, variant):
    path = models_folder() / PRESET / f"model_{variant}.tflite"
    ids = [1, *np.random.default_rng(5).integers(3, 5000, 9)]
    worker = f"-Dworker={sys.executable}\n{HERE.parent / 'step_worker.py'}"
    command = ["java", "-cp", program, worker, "MainKt", str(path), *map(str, ids)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    said, stream = iter(lines), Streamer(path)
    for word in ids:
        wanted = stream.push(word)
        for _ in wanted:  # what it gives besides its states, in any order
            name, *numbers = next(said).split()
            np.testing.assert_allclose(np.array(numbers, float), wanted[name].ravel(), atol=1e-6)
    assert next(said, None) is None
    assert last == "reset -1.0"
