"""README's Swift compiles, and streams as Python does.

The library below it is a stand-in with the declarations of the real one (`TensorFlowLite.swift`),
whose work LiteRT for Python does: what is proven is README's class, not the library on a phone.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import readme_streamer
from tests.swift import toolchain

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(toolchain.why_not() is not None, reason=str(toolchain.why_not())),
]


@pytest.fixture(scope="module")
def folder():
    """A folder below the compiler's root, with the program of README's class and main.swift."""
    with tempfile.TemporaryDirectory(dir=toolchain.folder() / "tmp") as place:
        made = Path(place)
        (made / "Streamer.swift").write_text(readme_streamer.text("swift"), encoding="utf-8")
        for name in ("TensorFlowLite.swift", "main.swift"):
            shutil.copy(HERE / name, made)
        library = ["-emit-module", "-emit-library", "-static", "-module-name", "TensorFlowLite"]
        compile_in(made, *library, "TensorFlowLite.swift")
        program = ["-I.", "-L.", "-lTensorFlowLite", "-warnings-as-errors", "-o", "program"]
        compile_in(made, *program, "main.swift", "Streamer.swift")
        yield made


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
    path = Path(shutil.copy(readme_streamer.file(variant), folder))
    command = [sys.executable, str(readme_streamer.WORKER)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker,
        toolchain.start(
            toolchain.folder(),
            *("./program", path.name, *map(str, readme_streamer.IDS)),
            place=f"/tmp/{folder.name}",
            stdin=worker.stdout,
            stdout=worker.stdin,
            stderr=subprocess.PIPE,
            text=True,
        ) as program,
    ):
        # The ends of the pipes are the children's alone: each ends when the other one does.
        worker.stdin.close()
        worker.stdout.close()
        _, said = program.communicate(timeout=120)
    assert program.returncode == 0, said
    assert worker.returncode == 0
    readme_streamer.check(said, variant)
