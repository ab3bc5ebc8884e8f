"""README's Kotlin compiles, and streams as Python does.

The interpreter below it is a stand-in with the methods of Android's (`Interpreter.java`), whose
work LiteRT for Python does: what is proven is the class in README, not the library on a phone.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    path = str(readme_streamer.file(variant))
    worker = f"-Dworker={sys.executable}\n{readme_streamer.WORKER}"
    command = ["java", "-cp", program, worker, "MainKt", path, *map(str, readme_streamer.IDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    readme_streamer.check(done.stdout, variant)
