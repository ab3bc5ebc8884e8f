"""What benchmarks/microcontroller.py measures: steps of models under TFLM and under LiteRT."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from gru_zoo import GRU, load
from gru_zoo.export.flatbuffer.operators import name_of
from gru_zoo.export.graphs.integer_state import UNITS
from gru_zoo.export.micro import MicroStep, smallest_arena, step_file
from gru_zoo.export.workers.isolated import ConversionFailed
from gru_zoo.zoo import models_folder

SENTIMENT = "sentiment_imdb_gru_supervised"
ACTIVITY = "activity_watch_gru_small"
VARIANTS = ("float32", "int8_full", "int16x8")
# LiteRT's kernels for this processor, and its plain ones, which TFLM's are made from.
LITERT = {
    "from_litert": OpResolverType.BUILTIN,
    "from_litert_reference_kernels": OpResolverType.BUILTIN_REF,
}
# LiteRT has no plain kernel of these.
NOT_PLAIN = {"ROUND"}

Step = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def keyword() -> tuple[keras.Model, list[np.ndarray]]:
    """Return the keyword model and sequences [49, 40] for it."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None, 40)), GRU(128, name="gru"), keras.layers.Dense(12, "softmax")],
        name="keyword",
    )
    random = np.random.default_rng(0)
    return model, list(random.normal(size=(40, 49, 40)).astype(np.float32))


def sentiment() -> tuple[keras.Model, list[np.ndarray]]:
    """Return the preset and the ids of its golden texts."""
    ids = _golden(SENTIMENT, "ids")
    return load(SENTIMENT), [row[row != 0] for row in ids]


def activity() -> tuple[keras.Model, list[np.ndarray]]:
    """Return the preset and its golden windows [200, 6]."""
    return load(ACTIVITY), list(_golden(ACTIVITY, "inputs"))


MODELS = {"keyword": keyword, "activity": activity, "sentiment": sentiment}


def _golden(preset: str, name: str) -> np.ndarray:
    with np.load(models_folder() / preset / "golden.npz", allow_pickle=False) as archive:
        return archive[name]


def lite_step(content: bytes, kernels: OpResolverType) -> Step:
    """Return a file's only signature in LiteRT, as a function of arrays by name."""
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kernels
    )
    (name,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(name)
    return lambda arrays: runner(**arrays)


def stream(
    step: Step, about: MicroStep, content: bytes, sequences: Sequence[np.ndarray], steps: int
) -> dict[str, np.ndarray]:
    """Run a step over sequences, `steps` of them in all; return its outputs [steps, ...].

    Args:
        step: LiteRT's or TFLM's.
        about: has the scales of inputs and outputs.
        content: of the file, for the shapes and types of the inputs.
        sequences: [time, features], or ids [time]; each begins with states that are zero.
        steps: how many.
    """
    interpreter = Interpreter(model_content=content)
    (name,) = interpreter.get_signature_list()
    details = interpreter.get_signature_runner(name).get_input_details()
    (given,) = (key for key in details if not key.startswith("state_"))
    results: list[dict[str, np.ndarray]] = []
    for sequence in sequences:
        state = {key: np.zeros(one["shape"]) for key, one in details.items() if key != given}
        for row in sequence:
            real = {given: row, **state}
            arrays = {k: stored(x, details[k], about.inputs[k]) for k, x in real.items()}
            outputs = {k: numbers(y, about.outputs[k]) for k, y in step(arrays).items()}
            state = {key: outputs[key] for key in state}
            results.append(outputs)
            if len(results) == steps:
                return {key: np.stack([one[key] for one in results]) for key in outputs}
    raise ValueError(f"sequences must have {steps} steps; got {len(results)}.")


def stored(real: Any, details: dict[str, Any], scale: tuple[float, int]) -> np.ndarray:
    """Return numbers as an input stores them."""
    array = np.asarray(real).reshape(details["shape"])
    if scale[0]:
        limits = np.iinfo(details["dtype"])
        array = np.clip(np.round(array / scale[0]) + scale[1], limits.min, limits.max)
    return array.astype(details["dtype"])


def numbers(array: np.ndarray, scale: tuple[float, int]) -> np.ndarray:
    """Return the numbers that an output stands for."""
    return (array.astype(np.float64) - scale[1]) * scale[0] if scale[0] else array


def operators(content: bytes) -> dict[str, int]:
    """Return operator -> how many of it one step runs."""
    model = schema.ModelT.InitFromPackedBuf(content)
    codes = [name_of(code) for code in model.operatorCodes]
    found = collections.Counter(codes[o.opcodeIndex] for o in model.subgraphs[0].operators)
    return dict(sorted(found.items()))


def measure(name: str, variant: str, steps: int) -> dict[str, Any]:
    """Return the record of one model and variant; with "reason" where TFLM cannot run it."""
    model, sequences = MODELS[name]()
    if (there := sum(map(len, sequences))) < steps:
        raise ValueError(f"steps must be at most the {there} of model {name!r}; got {steps}.")
    content = step_file(model, variant, None if variant == "float32" else sequences)
    record = {"model": name, "variant": variant, "file_bytes": len(content)}
    record |= {"operators": operators(content), "steps": steps}
    try:
        arena = smallest_arena(content)
        micro = MicroStep(content, arena)
        ours = stream(micro, micro, content, sequences, steps)
    except ConversionFailed:  # The search took too long, which says nothing of TFLM.
        raise
    except ValueError as error:
        return {**record, "reason": str(error)}
    record |= {"arena_bytes": arena, "one_unit": {k: s for k, (s, _) in micro.outputs.items()}}
    for place, kernels in LITERT.items():
        if place != "from_litert" and set(record["operators"]) & NOT_PLAIN:
            continue
        step, beside = lite_step(content, kernels), []

        def both(arrays: dict[str, np.ndarray], step: Step = step, beside: list = beside) -> dict:
            beside.append(micro(arrays))
            return step(arrays)

        theirs = stream(both, micro, content, sequences, steps)
        record[place] = {
            "own_states": {key: difference(key, ours[key], theirs[key]) for key in theirs},
            "same_states": {
                key: difference(
                    key,
                    numbers(np.stack([one[key] for one in beside]), micro.outputs[key]),
                    theirs[key],
                )
                for key in theirs
            },
        }
    return record


def difference(name: str, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference of a state or output; of numbers above 1 the largest share."""
    # A sum of integers is in fixed point.
    unit = UNITS if name.endswith("_sum") and theirs.dtype == np.int32 else 1.0
    return float((np.abs(ours - theirs) / np.maximum(unit, np.abs(theirs))).max())
