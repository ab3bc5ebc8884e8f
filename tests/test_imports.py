"""What goes along with the first import of a package."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gru_zoo.imports import hidden, when_imported

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Name of a module that notes in `sys.ran` when it is run."""
    (tmp_path / "noted_module.py").write_text("import sys\nsys.ran.append('module')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "ran", [], raising=False)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    yield "noted_module"
    sys.modules.pop("noted_module", None)


def noting(what):
    def wrap(execute):
        def execute_and_note(module):
            sys.ran.append(f"before {what}")
            execute(module)
            sys.ran.append(f"after {what}")

        return execute_and_note

    return wrap


def test_it_is_run_around_the_first_import_and_by_all_who_wait(package):
    finders = sys.meta_path[:]
    when_imported(package, noting("one"))
    when_imported(package, noting("two"))
    # To look for it is not to import it.
    assert importlib.util.find_spec(package) and importlib.util.find_spec(package)
    assert sys.ran == []
    importlib.import_module(package)
    assert sys.ran == ["before two", "before one", "module", "after one", "after two"]
    assert sys.meta_path == finders
    importlib.import_module(package)
    assert len(sys.ran) == 5


def test_a_package_that_is_not_there_is_missing_as_ever(package):
    when_imported("no_such_package_at_all", noting("it"))
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        importlib.import_module("no_such_package_at_all")
    assert importlib.util.find_spec("no_such_package_at_all") is None and sys.ran == []


def test_what_is_hidden_comes_back(package):
    with pytest.raises(RuntimeError, match="on the way"), hidden((package, "pytest")):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(package)
        assert importlib.import_module("pytest") is pytest  # It was there before.
        raise RuntimeError("on the way")
    assert importlib.import_module(package).__name__ == package


def test_a_command_imports_tensorflow_without_its_optional_packages():
    code = """
import sys
from gru_zoo.imports import import_without_optional
import_without_optional()
import tensorflow as tf, keras, numpy as np
print(*(name for name in ("jax", "matplotlib", "sklearn") if name in sys.modules))
import matplotlib
assert keras.layers.Dense(3)(np.ones((2, 4), "float32")).shape == (2, 3)
assert tf.lite.TFLiteConverter
assert keras.saving.get_custom_objects()["gru_zoo>GRU"]
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("variable", "text", "seen"),
    [
        ("", '{"backend": "jax"}', "jax"),
        ("jax", '{"backend": "tensorflow"}', "jax"),
        ("tensorflow", '{"backend": "jax"}', ""),
        ("", '{"backend": "tensorflow"}', ""),
        ("", "{", ""),
        ("", None, ""),
    ],
)
def test_the_backend_that_keras_will_take_is_not_hidden(tmp_path, variable, text, seen):
    (tmp_path / "jax.py").touch()
    look = "import importlib.util\nprint('jax' if importlib.util.find_spec('jax') else '')\n"
    (tmp_path / "tensorflow.py").write_text(look)
    home = tmp_path / ".keras"
    home.mkdir()
    if text is not None:
        (home / "keras.json").write_text(text)
    code = "from gru_zoo.imports import import_without_optional as go; go(); import tensorflow"
    given = {k: v for k, v in os.environ.items() if k != "KERAS_HOME"}
    given |= {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "KERAS_BACKEND": variable}
    for place in ({"HOME": str(tmp_path)}, {"KERAS_HOME": str(home)}):
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, capture_output=True, text=True, env=given | place)
        assert (done.returncode, done.stdout) == (0, f"{seen}\n"), done.stderr
