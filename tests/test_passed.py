"""What passed is left out of the next run, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os
import pytest


def test_passes():
    pass


@pytest.mark.parametrize("name", ["a", "b"])
def test_waits(name):
    if "PACKAGE" not in os.environ:
        pytest.skip("needs the package")


def test_fails():
    assert "PACKAGE" in os.environ
"""
LATER = """
import os
import pytest

if "PACKAGE" not in os.environ:
    pytest.skip("needs the package", allow_module_level=True)


def test_later():
    pass
"""


@pytest.mark.slow
def test_only_what_did_not_pass_runs_again(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_later.py").write_text(LATER)

    def run(*flags, workers="2", **more):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **more}
        words = [sys.executable, "-m", "pytest", "-v", "-n", workers, *flags]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)

    forgetful = run("-p", "no:cacheprovider", workers="0")
    assert "1 failed, 1 passed, 3 skipped" in forgetful.stdout, forgetful.stderr
    first = run()
    assert "1 failed, 1 passed, 3 skipped" in first.stdout, first.stdout + first.stderr
    # No test runs: what is known stays as it was.
    assert run("-k", "nothing", workers="0").returncode == 5
    for _ in range(2):  # The second run does not change what the first one left.
        second = run("--after-pass", PACKAGE="there")
        assert "4 passed" in second.stdout and second.returncode == 0, second.stdout
        assert "test_passes" not in second.stdout and "test_later" in second.stdout
