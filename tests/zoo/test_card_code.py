"""What a card's "Use" shows is run as it stands there."""

import re

import numpy as np
import pytest

from gru_zoo import list_models
from gru_zoo.zoo import card, models_folder

pytestmark = pytest.mark.slow

FEATURES = {"tabular-classification": 6, "time-series-forecasting": 88}


@pytest.mark.parametrize("name", list_models())
def test_it_runs(name):
    about = card(name)
    if about.task == "translation":
        pytest.importorskip("tokenizers", reason="the extra `translation`")
    text = (models_folder() / name / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## Use\n\n```python\n(.*?)```", text, re.DOTALL)
    # What is the reader's own.
    random = np.random.default_rng(0)
    rows = random.integers(0, 2, (5, FEATURES.get(about.task, 1))).astype(np.float32)
    given = {"samples": rows, "frames": rows, "sample": rows[0], "frame": rows[0]}
    exec(code, given)
    used = [line for line in code.splitlines() if line.startswith("lite.")]
    assert used, "nothing is done with the file"
    answer = eval(used[-1].partition("#")[0], given)
    assert len(answer)
