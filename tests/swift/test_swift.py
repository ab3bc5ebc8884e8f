"""README's Swift compiles, and streams as Python does.

The library below it is a stand-in with the declarations of the real one (`TensorFlowLite.swift`),
whose work LiteRT for Python does: what is proven is README's class, not the library on a phone.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from gru_zoo.export.streamer import Streamer
from gru_zoo.zoo import models_folder
from tests.swift import toolchain

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
PRESET = "sentiment_imdb_gru_small"
WORKER = HERE.parent / "step_worker.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(toolchain.why_not() is not None, reason=str(toolchain.why_not())),
]


@pytest.fixture(scope="module")
def folder():
    """A folder below the compiler's root, with the program of README's class and main.swift."""
    root = toolchain.folder()
    made = Path(tempfile.mkdtemp(dir=root / "tmp"))
    blocks = re.findall(r"```swift\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (snippet,) = (block for block in blocks if "class Streamer" in block)
    (made / "Streamer.swift").write_text(snippet, encoding="utf-8")
    for name in ("TensorFlowLite.swift", "main.swift"):
        shutil.copy(HERE / name, made)
    library = ["-emit-module", "-emit-library", "-static", "-module-name", "TensorFlowLite"]
    compile_in(made, *library, "TensorFlowLite.swift")
    program = ["-I.", "-L.", "-lTensorFlowLite", "-warnings-as-errors", "-o", "program"]
    compile_in(made, *program, "main.swift", "Streamer.swift")
    yield made
    shutil.rmtree(made)


def compile_in(made, *arguments):
    done = toolchain.start(
        toolchain.folder(),
        *("swiftc", *arguments),
        place=f"/tmp/{made.name}",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = done.communicate(timeout=300)
    assert done.returncode == 0, said


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_the_class_streams_as_python_does(folder, variant):
    path = models_folder() / PRESET / f"model_{variant}.tflite"
    shutil.copy(path, folder)
    ids = [1, *np.random.default_rng(5).integers(3, 5000, 9)]
    worker = subprocess.Popen(
        [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    program = toolchain.start(
        toolchain.folder(),
        *("./program", path.name, *map(str, ids)),
        place=f"/tmp/{folder.name}",
        stdin=worker.stdout,
        stdout=worker.stdin,
        stderr=subprocess.PIPE,
        text=True,
    )
    # The ends of the pipes are the children's alone: each ends when the other one does.
    worker.stdin.close()
    worker.stdout.close()
    _, said = program.communicate(timeout=120)
    assert program.returncode == 0, said
    assert worker.wait(timeout=60) == 0
    *lines, last = said.splitlines()
    found, stream = iter(lines), Streamer(path)
    for word in ids:
        wanted = stream.push(word)
        for _ in wanted:  # what it gives besides its states, in any order
            name, *numbers = next(found).split()
            np.testing.assert_allclose(np.array(numbers, float), wanted[name].ravel(), atol=1e-6)
    assert next(found, None) is None
    assert last == "reset -1.0"
