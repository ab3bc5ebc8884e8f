"""README's C++ compiles, and streams as TFLM for Python does.

The headers below it are stand-ins that declare what TFLM's declare, and ask TFLM for Python: what
is proven is README's sketch, not the library on a board.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite_micro", reason="TFLM is not installed: the extra micro")

from benchmarks import micro_steps, microcontroller  # noqa: E402
from gru_zoo.export import micro  # noqa: E402

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]


@pytest.fixture(scope="module")
def keyword():
    """The keyword model's step as a file, and a sequence for it."""
    model, sequences = micro_steps.keyword()
    return micro.step_file(model), sequences[0]


@pytest.fixture(scope="module")
def program(tmp_path_factory, keyword):
    """The compiled sketch."""
    folder = tmp_path_factory.mktemp("sketch")
    text = (microcontroller.ROOT / "README.md").read_text(encoding="utf-8")
    (sketch,) = re.findall(r"```cpp\n(.*?)```", text, re.DOTALL)
    (folder / "readme.h").write_text(sketch, encoding="utf-8")
    array = ", ".join(map(str, keyword[0]))  # as xxd writes it
    (folder / "step_tflite.h").write_text(
        f"alignas(16) const unsigned char step_tflite[] = {{{array}}};\n"
    )
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{HERE / 'stand_in'}", f"-I{folder}"]
    command = ["g++", *flags, "-o", str(folder / "sketch"), str(HERE / "sketch.cc")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "sketch"


class Sketch:
    """The program at the other end of a pipe."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, *lines):
        for numbers in lines:
            print(*(float(x).hex() for x in np.ravel(numbers)), file=self.process.stdin)
        self.process.stdin.flush()

    def say_tensors(self, arrays, places):
        """Say arrays by name, in the order of their places."""
        print(len(arrays), file=self.process.stdin)
        self.say(*(arrays[name] for name in sorted(places, key=places.get)))

    def hear(self, kind):
        found, *words = self.process.stdout.readline().split()
        assert found == kind
        return words

    def hear_numbers(self, kind):
        return np.array([float.fromhex(word) for word in self.hear(kind)], np.float32)


def test_it_streams_as_tflm_for_python_does(program, keyword):
    content, sequence = keyword
    step, alone, sketch = micro.MicroStep(content), micro.MicroStep(content), Sketch(program)
    (state,) = (name for name in step.input_places if name.startswith("state_"))
    (features,) = step.input_places.keys() - {state}
    wanted = {features: np.zeros((1, 40), np.float32), state: np.zeros((1, 128), np.float32)}
    first = dict(wanted)
    for number, row in enumerate(sequence):
        sketch.say(row)
        if number == 0:  # It makes the interpreter.
            _, room, arena, off, *operators = sketch.hear("made")
            assert sorted(operators) == sorted(micro_steps.operators(content))
            assert int(room) == len(operators) and off == "0"
            assert micro.smallest_arena(content) <= int(arena)
            sketch.say_tensors(first, step.input_places)
            sketch.say_tensors(step(first), step.output_places)
        given = sketch.hear_numbers("run")
        assert given.size == 40 + 128
        arrays = dict(first)
        for name in sorted(step.input_places, key=step.input_places.get):
            arrays[name], given = np.split(given, [first[name].size])
            arrays[name] = arrays[name].reshape(first[name].shape)
        sketch.say_tensors(step(arrays), step.output_places)
        wanted = alone({features: row[None], state: wanted[state]})
        (answer,) = wanted.keys() - {state}
        np.testing.assert_array_equal(sketch.hear_numbers("answer"), wanted[answer][0])
    sketch.process.communicate(timeout=60)  # Ends its input.
    assert sketch.process.returncode == 0
