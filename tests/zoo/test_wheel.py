"""A wheel that is built and installed loads its presets, and fetches what it does not carry."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gru_zoo.files import sha256
from gru_zoo.zoo import card, list_models
from tests.zoo.served import serving

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("gru_zoo", "recipes", "saved_models", "setup.py", "pyproject.toml", "README.md", "LICENSE")
NAME = "sentiment_imdb_gru_small"


def run(words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=900, **options)


def test_a_build_again_carries_no_preset_that_is_gone(tmp_path, monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.setattr(setuptools, "setup", lambda **given: None)
    build = runpy.run_path(str(ROOT / "setup.py"))["BuildWithPresets"](setuptools.Distribution())
    build.build_lib, build.editable_mode = str(tmp_path), False
    build.packages = build.py_modules = None
    old = tmp_path / "gru_zoo" / "presets" / "renamed_since" / "card.json"
    old.parent.mkdir(parents=True)
    old.touch()
    build.run()
    assert sorted(path.name for path in old.parents[1].iterdir()) == list_models()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that a wheel of this checkout was installed into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copyfile(ROOT / part, source / part)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # With the setuptools that is installed, where it will do: the network may be away.
    done = run([*pip, "wheel", ".", "--no-deps", "--no-build-isolation", "-w", "out"], cwd=source)
    if done.returncode:
        done = run([*pip, "wheel", ".", "--no-deps", "-w", "out"], cwd=source)
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "out").glob("*.whl")
    # PyPI's MAX_FILESIZE (pypi/warehouse, warehouse/constants.py): 100 MiB, or 104.9 MB.
    assert wheel.stat().st_size < 100 * 2**20
    done = run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)])
    assert done.returncode == 0, done.stderr
    return target


def python(installed, tmp_path, code, **environment):
    given = {k: v for k, v in os.environ.items() if not k.startswith("GRU_ZOO")}
    given |= {"PYTHONPATH": str(installed), "GRU_ZOO_CACHE": str(tmp_path / "cache"), **environment}
    return run([sys.executable, "-c", code], cwd=tmp_path, env=given)


LOAD = """
import json
import gru_zoo
from gru_zoo.zoo import models_folder
assert "installed" in gru_zoo.__file__, gru_zoo.__file__
assert models_folder().name == "presets"
name = {name!r}
assert name in gru_zoo.list_models()
texts = ["A quiet, wonderful film.", "A dull film."]
print(json.dumps([
    gru_zoo.load(name).predict(texts, verbose=0).tolist(),
    gru_zoo.load(name, format="tflite", variant={variant!r}).predict(texts).tolist(),
]))
"""


@pytest.mark.slow
def test_an_installed_wheel_loads_its_presets(installed, tmp_path):
    done = python(installed, tmp_path, LOAD.format(name=NAME, variant="int8"))
    assert done.returncode == 0, done.stderr
    whole, small = json.loads(done.stdout.splitlines()[-1])
    assert whole[0][1] > 0.5 > whole[1][1]
    assert whole[0] == pytest.approx(small[0], abs=0.1)
    assert not (tmp_path / "cache").exists()  # Both are in the wheel.


@pytest.mark.slow
def test_it_carries_the_keras_model_of_every_preset(installed):
    for name in list_models():
        kept = installed / "gru_zoo" / "presets" / name / "model.keras"
        assert sha256(kept) == card(name).files["model.keras"]["sha256"]


@pytest.mark.slow
def test_what_it_does_not_carry_is_fetched_once(installed, tmp_path):
    code = LOAD.format(name=NAME, variant="float16")
    with serving(ROOT / "saved_models") as server:
        done = python(installed, tmp_path, code, GRU_ZOO_URL=server.url)
        assert done.returncode == 0, done.stderr
        whole, half = json.loads(done.stdout.splitlines()[-1])
        assert whole[0] == pytest.approx(half[0], abs=1e-2)
        assert [path for path, _ in server.asked] == [f"/{NAME}/model_float16.tflite"]
    # The network is gone; the file is there.
    again = python(installed, tmp_path, code)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
    shutil.rmtree(tmp_path / "cache")
    offline = python(installed, tmp_path, code)
    size = card(NAME).files["model_float16.tflite"]["bytes"] / 1e6
    assert offline.returncode == 1
    assert "model_float16.tflite is neither in the installed package nor in" in offline.stderr
    assert f"({size:.1f} MB)" in offline.stderr
