"""README's JavaScript `Streamer`, as it stands there, in Chromium: what Python's streams give."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.zoo import models_folder

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"
PRESET = "sentiment_imdb_gru_small"
IDS = [1, *np.random.default_rng(6).integers(3, 5000, 9).tolist()]


def snippet() -> str:
    """Return the class without its import and export, which a module alone may have."""
    blocks = re.findall(r"```js\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if "class Streamer" in block)
    before, found, after = block.partition('import { Tensor } from "@litertjs/core";')
    assert found
    return (before + after).replace("export class", "class")


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_a_paused_stream_gives_pythons_numbers(chromium, address, variant):
    file = f"model_{variant}.tflite"
    chromium.open(address)
    steps = chromium.evaluate(f"""(async () => {{
        const {{ compile, Tensor }} = await import("./src/runtime.js");
        {snippet()}
        const response = await fetch("models/{PRESET}/{file}");
        const model = await compile(new Uint8Array(await response.arrayBuffer()));
        let stream = new Streamer(model);
        const steps = [];
        for (const id of {json.dumps(IDS)}) {{
            if (steps.length === 5) {{ // Pause it, and go on in another.
                const paused = stream.state;
                stream.reset();
                stream = new Streamer(model);
                stream.state = paused;
            }}
            const outputs = await stream.push({{ ids: new Int32Array([id]) }});
            steps.push(Object.fromEntries(
                Object.entries(outputs).map(([name, values]) => [name, [...values]])));
        }}
        return steps;
    }})()""")
    stream = Streamer(models_folder() / PRESET / file)
    for word, given in zip(IDS, steps, strict=True):
        wanted = stream.push(word)
        assert given.keys() == wanted.keys()
        for name, values in given.items():
            np.testing.assert_allclose(
                values, wanted[name].ravel(), atol={"float32": 1e-5, "int8": 5e-3}[variant]
            )
