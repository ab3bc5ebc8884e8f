"""Do integer-only steps hold? A sentiment stream of 1,000 words, in float32, int8 and int16.

    python -m benchmarks.integer_streaming                  # TFDS_DATA_DIR for IMDB; 20 minutes
    python -m benchmarks.integer_streaming --variants int4  # one anew, the others as they were
    python -m benchmarks.integer_streaming --report-only    # table and picture of the results

The preset's step graph is calibrated on training reviews and runs in LiteRT, one thread, each
state fed back as it came out. Beside them int4: small weights, states in float32. Three
questions, all on IMDB's test half:

    drift     reviews of at least 1,000 words, their first 1,000 fed word by word, far beyond the
              400 that the model was trained on: mean |state - float32's state| at every step
    streams   reviews of one label joined until there are 1,000 words: accuracy after the last.
              (There are too few long reviews to measure half a point on.)
    reviews   every review as the preset reads it, its first 400 words: accuracy
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import records, timing
from gru_zoo.arguments import positive_int
from gru_zoo.files import atomic_write, write_json
from recipes.shared import cli

RESULTS = Path(__file__).parent / "results" / "integer_streaming.json"
PRESET = "sentiment_imdb_gru_supervised"
REFERENCE = "float32"
PARTS = ("last", "max", "mean", "probabilities")
States = dict[str, np.ndarray]
PACKAGES = ("gru-zoo", "tensorflow", "ai-edge-litert", "numpy")
# So many of the longest reviews are always among those that integers are calibrated on.
LONGEST = 20


@dataclasses.dataclass(frozen=True)
class Config:
    """Compare an integer-only step with the step in float32."""

    # Data.
    steps: int = 1000
    representative: int = 200
    """Training reviews to calibrate on, whole, the longest 20 among them."""
    streams: int = 2000
    reviews: int = 25_000
    """Fewer of either are the first in a fixed mixed order."""

    # Running.
    variants: tuple[Literal["int8_full", "int16x8", "int4"], ...] = ("int8_full", "int16x8", "int4")
    processes: int = 2
    report_only: bool = False


def run(config: Config) -> None:
    """Measure what the flags ask for, and report all."""
    for name in ("steps", "representative", "streams", "reviews", "processes"):
        positive_int(name, getattr(config, name))
    if config.representative < LONGEST:
        raise ValueError(
            f"representative must be at least {LONGEST}, the longest reviews; "
            f"got {config.representative}."
        )
    if not config.report_only:
        record = measure(config)
        if RESULTS.exists():
            older = records.read(RESULTS)
            record["variants"] = kept(older, record) | record["variants"]
            if lost := sorted(older["variants"].keys() - record["variants"].keys()):
                print(f"not kept, measured otherwise: {', '.join(lost)}", file=sys.stderr)
        write_json(RESULTS, record)
    from benchmarks import integer_streaming_report as report

    record = report.read(RESULTS)
    print(report.table(record))
    with atomic_write(RESULTS.with_suffix(".png")) as partial:
        report.figure(record, partial)


def kept(before: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return of an older record the variants that were measured as the new ones are.

    Accuracies depend on the reviews, the files on the packages; a processor changes neither.
    """
    names = ("preset", "model", "representative", "long_reviews", "streams", "reviews")
    older, newer = (
        [each.get(name) for name in names] + [each["config"]["steps"], each["machine"]["versions"]]
        for each in (before, record)
    )
    return dict(before["variants"]) if older == newer else {}


def measure(config: Config) -> dict[str, Any]:
    """Return everything that is measured, for JSON."""
    from gru_zoo import load
    from gru_zoo.export.graphs.integer_state import UNITS
    from gru_zoo.export.graphs.step_graph import step_graph
    from gru_zoo.export.variants import INTEGER_ONLY

    model = load(PRESET)
    initial = step_graph(model).initial()
    train, _ = reviews(model, "train")
    test, labels = reviews(model, "test")
    longest = sorted(train, key=len)[-LONGEST:]
    representative = longest + train[: config.representative - LONGEST]
    long = [ids[: config.steps] for ids in test if len(ids) >= config.steps]
    joined, joined_labels = joined_streams(test, labels, config)
    cut = [ids[: model.tokenizer.sequence_length] for ids in test[: config.reviews]]
    record: dict[str, Any] = {
        "config": dataclasses.asdict(config),
        "machine": timing.machine(PACKAGES),
        "preset": PRESET,
        "model": model.card.files["model.keras"]["sha256"],
        "representative": len(representative),
        "long_reviews": len(long),
        "streams": len(joined),
        "reviews": len(cut),
        "variants": {},
    }
    traces, answers = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for variant in (REFERENCE, *config.variants):
            path = Path(place, f"{variant}.tflite")
            path.write_bytes(convert(model, variant, representative))
            unit = 1 / UNITS if variant in INTEGER_ONLY else 1.0
            traces[variant] = [trace(path, initial, ids, unit) for ids in long]
            found = record["variants"][variant] = {"bytes": path.stat().st_size}
            if variant != REFERENCE:
                found["drift"] = errors(traces[variant], traces[REFERENCE])
            for name, texts, truth in (
                ("streams", joined, joined_labels),
                ("reviews", cut, labels[: len(cut)]),
            ):
                answers[variant, name] = labels_of(path, initial, texts, config.processes)
                found[name] = score(answers[variant, name], truth, answers[REFERENCE, name])
                print(f"{variant:10} {name}: {found[name]}", flush=True)
    return record


def reviews(model: Any, split: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the ids of every review's words, none cut off, and the labels; in a mixed order."""
    import tensorflow as tf

    from gru_zoo.data import imdb
    from gru_zoo.text.tokenizers import WordTokenizer

    rows = next(iter(imdb.load(split)[0].batch(tf.int64.max)))
    longest = max(len(text.split()) for text in rows["text"].numpy()) * 2
    config = {**model.tokenizer.get_config(), "sequence_length": longest}
    tokenizer = WordTokenizer.from_config(config)
    ids: list[np.ndarray] = []
    for start in range(0, len(rows["text"]), 1000):
        block = tokenizer(rows["text"][start : start + 1000]).numpy()
        ids.extend(row[row != 0].copy() for row in block)
    kept = [number for number, row in enumerate(ids) if len(row)]
    return [ids[number] for number in kept], rows["label"].numpy()[kept]


def joined_streams(
    texts: Sequence[np.ndarray], labels: np.ndarray, config: Config
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return streams of exactly `steps` words, each of reviews with one label, and the labels."""
    streams: dict[int, list[np.ndarray]] = {}
    for label in sorted(set(labels.tolist())):
        of_label = [ids for ids, its in zip(texts, labels, strict=True) if its == label]
        streams[label] = list(_cut(of_label, config.steps))
    pairs = zip(*streams.values(), strict=False)  # as many of each label
    mixed = [(ids, label) for pair in pairs for label, ids in zip(streams, pair, strict=True)]
    mixed = mixed[: config.streams]
    return [ids for ids, _ in mixed], np.array([label for _, label in mixed])


def _cut(texts: Iterable[np.ndarray], steps: int) -> Iterator[np.ndarray]:
    stream: list[np.ndarray] = []
    for ids in texts:
        stream.append(ids)
        if sum(map(len, stream)) >= steps:
            yield np.concatenate(stream)[:steps]
            stream = []


def convert(model: Any, variant: str, representative: Sequence[np.ndarray]) -> bytes:
    """Return the model's step as `.tflite` bytes."""
    from gru_zoo.export.flatbuffer.int4 import int4
    from gru_zoo.export.graphs.step_graph import step_graph
    from gru_zoo.export.integer_step import integer_step
    from gru_zoo.export.tflite_file import to_builtins
    from gru_zoo.export.variants import INTEGER_ONLY

    if variant in INTEGER_ONLY:
        return integer_step(model, variant, representative)
    graph = step_graph(model)
    function = graph.step.get_concrete_function(**graph.inputs, **graph.states)
    content = to_builtins(function, graph, "float32")
    return int4(content) if variant == "int4" else content


class Stepper:
    """A step file in LiteRT; states are fed back as they came out, bit by bit."""

    def __init__(self, path: Path, initial: States) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=1)
        self.interpreter.allocate_tensors()
        (name,) = self.interpreter.get_signature_list()
        runner = self.interpreter.get_signature_runner(name)
        self.given, self.results = runner.get_input_details(), runner.get_output_details()
        self.initial = {name: stored(self.given[name], x) for name, x in initial.items()}

    def run(self, ids: np.ndarray, keep: Sequence[str]) -> dict[str, np.ndarray]:
        """Return outputs and states as stored, [steps, ...], of a stream from its beginning."""
        kept: dict[str, list[np.ndarray]] = {name: [] for name in keep}
        for name, value in self.initial.items():
            self._set(name, value)
        for word in ids:
            self._set("ids", np.array([word], np.int32))
            self.interpreter.invoke()
            for name, rows in kept.items():
                rows.append(self.interpreter.get_tensor(self.results[name]["index"]))
            for name in self.initial:
                self._set(name, self.interpreter.get_tensor(self.results[name]["index"]))
        return {name: np.concatenate(rows) for name, rows in kept.items()}

    def _set(self, name: str, value: np.ndarray) -> None:
        self.interpreter.set_tensor(self.given[name]["index"], value)


def stored(details: dict[str, Any], values: np.ndarray) -> np.ndarray:
    """Return numbers as a tensor stores them."""
    (scale, zero), kind = details["quantization"], details["dtype"]
    if scale:
        limits = np.iinfo(kind)
        values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
    return values.astype(kind)


def real(details: dict[str, Any], values: np.ndarray) -> np.ndarray:
    """Return stored values as the numbers they stand for, float64."""
    scale, zero = details["quantization"]
    return (values.astype(np.float64) - zero) * scale if scale else values.astype(np.float64)


def trace(path: Path, initial: States, ids: np.ndarray, unit: float) -> dict[str, np.ndarray]:
    """Return last, max, mean and probabilities [steps, size] of a stream.

    Args:
        path: the step's file.
        initial: the states before the first word.
        ids: the words.
        unit: what one unit of the file's sum stands for.
    """
    stepper = Stepper(path, initial)
    stored_values = stepper.run(ids, [*initial, "probabilities"])
    values = {name: real(stepper.results[name], v) for name, v in stored_values.items()}
    return {
        "last": values["state_last"],
        "max": values["state_max"],
        "mean": unit * values["state_sum"] / values["state_count"],
        "probabilities": values["probabilities"],
    }


def errors(traces: list[dict], reference: list[dict]) -> dict[str, list[float]]:
    """Return for each part mean |difference| over streams and entries, at every step."""
    found = {}
    for part in PARTS:
        pairs = zip(traces, reference, strict=True)
        each = [np.abs(a[part] - b[part]).mean(axis=1) for a, b in pairs]
        found[part] = [float(f"{error:.3g}") for error in np.mean(each, axis=0)]
    return found


def score(answers: np.ndarray, labels: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """Return how often answers are right, and how often they are those of float32."""
    return {
        "texts": len(answers),
        "accuracy": float(np.mean(answers == labels)),
        "as_float32": float(np.mean(answers == reference)),
    }


def labels_of(
    path: Path, initial: States, texts: Sequence[np.ndarray], processes: int
) -> np.ndarray:
    """Return the most probable label after each text's last word."""
    shares = [list(texts[share::processes]) for share in range(processes)]
    found = np.empty(len(texts), np.int64)
    # Not forked: TensorFlow's threads would not come along.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawned) as pool:
        answers = pool.map(answered, [path] * processes, [initial] * processes, shares)
        for share, its in enumerate(answers):
            found[share::processes] = its
    return found


def answered(path: Path, initial: States, texts: Sequence[np.ndarray]) -> list[int]:
    """Return the most probable label of each text."""
    stepper = Stepper(path, initial)
    keep = ["probabilities"]
    return [int(stepper.run(ids, keep)["probabilities"][-1].argmax()) for ids in texts]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, run)}
    return cli.command("python -m benchmarks.integer_streaming", commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
