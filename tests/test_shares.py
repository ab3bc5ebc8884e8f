"""The longest tests begin first, and those of a file share a worker."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.plugins import shares

SHORT = """
import os
import pytest


@pytest.mark.parametrize("number", range(6))
def test_short(number, worker_id):
    with open(f"{__file__}.{worker_id}", "a") as file:
        file.write("x")
"""
LONG = """
import pytest


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["a", "b"])
def test_the_real_test_split_gives_the_cards_figure(name):
    pass


def test_of_the_same_file():
    pass
"""


def test_shares_and_their_order(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(SHORT)
    (tmp_path / "test_long.py").write_text(LONG)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}

    def run(*flags):
        words = [sys.executable, "-m", "pytest", "-v", *flags]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    alone = run("-n", "0")
    order = [alone.index(name) for name in ("figure[a]", "figure[b]", "test_a.py", "test_b.py")]
    assert order == sorted(order) and order[1] < alone.index("test_of_the_same_file")
    for path in tmp_path.glob("test_*.py.*"):
        path.unlink()
    together = run("-n", "2")
    # Workers do not begin at the same moment, but each begins with one of the longest.
    first = {}
    for worker, test in re.findall(r"^\[(gw\d)\].* PASSED \S+::(\S+)", together, re.MULTILINE):
        first.setdefault(worker, test)
    figure = "test_the_real_test_split_gives_the_cards_figure"
    assert sorted(first.values()) == [f"{figure}[a]", f"{figure}[b]"]
    # A file's tests all ran in one worker.
    assert sorted(len(path.read_text()) for path in tmp_path.glob("test_*.py.gw*")) == [6, 6]


def test_files_with_the_same_costly_fixture_share_a_worker():
    for users in (
        ("tests/export/test_tflite_files.py::test_x", "tests/export/test_streamer.py::test_y[1]"),
        ("tests/demo/test_page.py::test_x", "tests/demo/test_page_problems.py::test_y[1]"),
        ("tests/zoo/test_commands.py::test_x", "tests/zoo/test_hub.py::test_y[1]"),
    ):
        assert len({shares._scope(user) for user in users}) == 1
    assert shares._scope("tests/export/test_steps.py::test_x") == "tests/export/test_steps.py"
    root = Path(__file__).parents[1]
    for needed, files in shares._TOGETHER.items():
        assert all(needed in (root / name).read_text() for name in files)
    assert all((root / name).is_file() for name in shares._LONG)
