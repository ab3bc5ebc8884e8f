"""Size and latency of a trained model's int8 file, converted the same way for every cell.

Command:  python -m recipes.comparison.device SUBJECT MODEL STEPS OUT   (`recipes.compare` runs it)

Batch 1 and any length, weights in int8 (dynamic range), built-in operators only, and loops as
the project's own exporter writes them, for every recurrent cell (see `device_loops`).
Latency is the median CPU time of the single compute thread, so that other programs on the machine
do not count.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.files import write_json

if TYPE_CHECKING:
    import keras
    import numpy as np

# How far a file may be off, as a share of the range of the model's answers to `_SAMPLES` inputs: a
# file that gives one answer to everything is off by half. Coarse, for weights in int8, whose
# accuracy is not judged here; and a model that has learnt nothing has hardly a range.
SHARE, SLACK = 0.4, 0.02
_SAMPLES = 4
_ROUNDS, _SECONDS = 50, 10.0


def _ids(model: Any, random: np.random.Generator, *shape: int) -> np.ndarray:
    """Return ids that every table of the model has."""
    import keras
    import numpy as np

    layers = model._flatten_layers()
    sizes = [layer.input_dim for layer in layers if isinstance(layer, keras.layers.Embedding)]
    return random.integers(1, max(3, min(sizes, default=3)), shape).astype(np.int32)


def _functional(model: Any, steps: int, random: np.random.Generator) -> dict[str, Any]:
    """Return one row for every input of a functional model; the axes that are open are time."""
    import numpy as np

    inputs = model.input if isinstance(model.input, dict) else {"inputs": model.input}
    made = {}
    for name, tensor in inputs.items():
        shape = (1, *(steps if size is None else size for size in tensor.shape[1:]))
        ids = "int" in tensor.dtype
        made[name] = _ids(model, random, *shape) if ids else random.random(shape, np.float32)
    return made


def _text(model: Any, steps: int, random: np.random.Generator) -> dict[str, Any]:
    return {"ids": _ids(model, random, 1, steps)}


def _pair(model: Any, steps: int, random: np.random.Generator) -> dict[str, Any]:
    """Return a sentence and a translation of the same length, both known: one pass, no search."""
    return {name: _ids(model, random, 1, steps) for name in ("source", "target")}


def _story(model: Any, steps: int, random: np.random.Generator) -> dict[str, Any]:
    """Return a story of so many sentences, and the first of them as the question."""
    import numpy as np

    facts = np.arange(1, steps + 1, dtype=np.int32)[None]
    sentences = _ids(model, random, steps + 1, model.text.sentence_length)
    return {"sentences": sentences, "story": facts, "question": np.ones(1, np.int32)}


_INPUTS = {"sentiment": _text, "translation": _pair, "comprehension": _story}


def measure(subject: str, path: Path, steps: int) -> dict[str, Any]:
    """Return bytes, latency_ms, steps and largest_difference of a model's int8 file.

    Raises:
        ValueError: the file's outputs differ from the model's.
    """
    import numpy as np

    from gru_zoo.models.keras_file import load_keras_file

    model = load_keras_file(path)
    make, random = _INPUTS.get(subject, _functional), np.random.default_rng(0)
    samples = [make(model, steps, random) for _ in range(_SAMPLES)]
    content = convert(model, _specs(samples[0], make(model, steps + 1, random)))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.tflite").write_bytes(content)
        run = _open(Path(folder) / "model.tflite")
        wanted = np.stack([_call(model, inputs).numpy() for inputs in samples])
        difference = float(abs(np.stack([run(inputs) for inputs in samples]) - wanted).max())
        allowed = max(SHARE * float(np.ptp(wanted, axis=0).max()), SLACK)
        if not difference <= allowed:  # NaN is rejected too.
            raise ValueError(
                f"the int8 file must be within {allowed:.3g} of the model; got a difference of "
                f"{difference:.3g}."
            )
        latency_ms = _latency_ms(lambda: run(samples[0]))
    return {
        "bytes": len(content),
        "steps": steps,
        "latency_ms": round(latency_ms, 4),
        "largest_difference": difference,
    }


def _call(model: keras.Model, inputs: dict[str, Any]) -> Any:
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    outputs = model(given, training=False)
    return outputs["answer"] if isinstance(outputs, dict) else outputs


def _specs(inputs: dict[str, np.ndarray], longer: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the inputs' specifications; an axis that grows with the steps is left open.

    With a fixed one, zeros and masks of the whole length would be written into the file.
    """
    import tensorflow as tf

    specs = {}
    for name, array in inputs.items():
        pairs = zip(array.shape, longer[name].shape, strict=True)
        shape = [size if size == other else None for size, other in pairs]
        specs[name] = tf.TensorSpec(shape, array.dtype, name=name)
    return specs


def convert(model: keras.Model, specs: dict[str, Any]) -> bytes:
    """Return a model as a TFLite file with such inputs."""
    import tensorflow as tf

    from gru_zoo.export.signatures import convert as to_tflite
    from recipes.comparison.device_loops import written

    holder = tf.Module()
    # Not the model: TensorFlow does not find a Keras model's variables by itself, and a file
    # without their values is written all the same.
    holder.held = [variable.value for variable in model.variables]
    holder.serve = tf.function(lambda **given: {"outputs": _call(model, given)})
    with written(model):
        function = holder.serve.get_concrete_function(**specs)
    return to_tflite({"serving_default": function}, holder, "int8")


def _open(path: Path) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    from gru_zoo.export.runners.runtime import interpreter

    opened = interpreter(path)
    runner = opened.get_signature_runner()

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        _ = opened  # The runner does not keep it alive, and would read freed memory.
        return runner(**inputs)["outputs"]

    return run


def _latency_ms(call: Callable[[], Any]) -> float:
    call()
    times, started = [], time.perf_counter()
    while len(times) < _ROUNDS and (len(times) < 5 or time.perf_counter() - started < _SECONDS):
        began = time.thread_time()
        call()
        times.append(1e3 * (time.thread_time() - began))
    return statistics.median(times)


def main(arguments: list[str]) -> None:
    """Measure, and write the figures."""
    subject, model, steps, out = arguments
    write_json(out, measure(subject, Path(model), int(steps)))


if __name__ == "__main__":
    main(sys.argv[1:])
