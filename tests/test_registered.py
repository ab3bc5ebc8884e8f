"""Keras alone opens a model of ours after `import gru_zoo`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from gru_zoo.registered import HOMES
from gru_zoo.zoo import models_folder

ROOT = Path(__file__).resolve().parents[1]

OPEN = """
import sys
{imports}
assert not [name for name in sys.modules if name.startswith("gru_zoo.models")]
import keras
model = keras.saving.load_model({path!r})
assert type(model).__module__.startswith("gru_zoo.models"), type(model)
assert keras.saving.get_custom_objects()["gru_zoo>" + type(model).__name__] is type(model)
print(type(model).__name__)
"""


def registered_classes():
    """Class -> module of everything the package registers with Keras, read from the source."""
    found = {}
    for path in ROOT.glob("gru_zoo/**/*.py"):
        for node in ast.parse(path.read_text()).body:
            for decorator in getattr(node, "decorator_list", []):
                if "register_keras_serializable(package='gru_zoo')" in ast.unparse(decorator):
                    module = path.relative_to(ROOT).with_suffix("").parts
                    found[node.name] = ".".join(module)
    return found


def test_every_registered_class_has_its_home_in_the_table():
    assert registered_classes() == HOMES, "gru_zoo/registered.py names each class and its module"


# Also, in the same process: importing the layer draws no random number and starts nothing.
QUIETLY = """
import random
random.seed(5)
before = random.getstate()
import gru_zoo, importlib.util
assert random.getstate() == before
assert importlib.util.find_spec('keras')
import tensorflow as tf
random.seed(5)
assert gru_zoo.GRU.__name__ == "GRU"
assert random.getstate() == before
tf.config.threading.set_intra_op_parallelism_threads(2)  # refused once TensorFlow runs
assert gru_zoo.GRU(3, dropout=0.25).dropout == 0.25
"""


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param(QUIETLY, id="quietly"),
        pytest.param("import gru_zoo", marks=pytest.mark.slow),
        pytest.param("import keras\nimport gru_zoo", marks=pytest.mark.slow),
    ],
)
def test_keras_alone_opens_a_preset(imports):
    name = "sentiment_imdb_gru_small"  # of a class of ours
    code = OPEN.format(imports=imports, path=str(models_folder() / name / "model.keras"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in HOMES
