"""Which tokenizer? The same small classifier on cased words, folded words and WordPiece.

    python -m benchmarks.tokenizers                       # everything; TFDS_DATA_DIR for full IMDB
    python -m benchmarks.tokenizers --folds 0 1 --candidates words_cased_20k words_folded_20k

Only IMDB's training half is used (`train` and `validation`; no review of a test split is read).
A validation split of 2,500 reviews cannot tell apart candidates 0.3 points away from each other,
so its place is taken in turn by each fifth of the reviews in the order of their hash: every fold
is a training run with its own seed, tokenizer fitted on its own 80 %, scored on the other 20 %.
Each run is added to benchmarks/results/tokenizers.json when it ends.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import records
from gru_zoo.arguments import one_of
from gru_zoo.data.source import other_data
from gru_zoo.files import write_json
from gru_zoo.processor import processor
from recipes.shared import cli

RESULTS = Path(__file__).parent / "results" / "tokenizers.json"
SETTINGS = {
    "sequence_length": 256,
    "embedding_dim": 64,
    "units": 64,
    "dropout": 0.3,
    "batch_size": 128,
    "epochs": 2,
    "learning_rate": 3e-3,  # falls to zero over the run, half a cosine
    "folds": 5,
}
# name: (kind, number of ids, fold case)
CANDIDATES = {
    "words_cased_20k": ("words", 20_000, False),
    "words_folded_20k": ("words", 20_000, True),
    "wordpiece_lower_8k": ("wordpiece", 8_000, True),
    "words_folded_10k": ("words", 10_000, True),
    "wordpiece_lower_20k": ("wordpiece", 20_000, True),
}
BASELINE = "words_cased_20k"
# So many reviews of each fold are also scored retyped in lower and in upper case.
RETYPED = 1000
MEANS = (
    "parameters",
    "vocabulary_file_bytes",
    "reviews_cut",
    "accuracy_in_lower_case",
    "accuracy_in_upper_case",
)

Encode = Callable[[list[bytes]], np.ndarray]  # texts to ids [texts, time] int32


def reviews() -> tuple[list[bytes], np.ndarray, dict[str, Any]]:
    """Return the training half in the order of its texts' hash, and its source's record."""
    import tensorflow as tf

    from gru_zoo.data import imdb

    held_out, source = imdb.load("validation")
    dataset = held_out.concatenate(imdb.load("train")[0])
    rows = next(iter(dataset.batch(tf.int64.max)))
    return rows["text"].numpy().tolist(), rows["label"].numpy(), source.as_dict()


def words(train: list[bytes], size: int, fold: bool) -> tuple[Encode, dict[str, int]]:
    """Return WordTokenizer, fitted on `train`, as a function of texts; and facts about it."""
    import tensorflow as tf

    from gru_zoo.text.tokenizers import WordTokenizer

    tokenizer = WordTokenizer.fit(train, size, SETTINGS["sequence_length"], fold_case=fold)

    def encode(texts: list[bytes]) -> np.ndarray:
        parts = [texts[start : start + 1000] for start in range(0, len(texts), 1000)]
        return np.concatenate([tokenizer(tf.constant(part)).numpy() for part in parts])

    return encode, {
        "ids": len(tokenizer.vocabulary),
        "vocabulary_file_bytes": len(tokenizer.vocabulary_bytes()),
    }


def wordpiece(train: list[bytes], size: int, fold: bool) -> tuple[Encode, dict[str, int]]:
    """Return a WordPiece, fitted on `train`, as a function of texts; and facts about it.

    HTML breaks stay in, as in MediaPipe's BertTokenizer, which has no way to drop them.
    """
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(lowercase=fold)
    decoded = [text.decode() for text in train]
    tokenizer.train_from_iterator(decoded, vocab_size=size, show_progress=False)
    length = SETTINGS["sequence_length"]

    def encode(texts: list[bytes]) -> np.ndarray:
        ids = np.zeros((len(texts), length), np.int32)  # 0 is [PAD]
        encoded = tokenizer.encode_batch([text.decode() for text in texts])
        for row, item in zip(ids, encoded, strict=True):
            kept = item.ids[:length]
            row[: len(kept)] = kept
        return ids

    vocabulary = tokenizer.get_vocab()
    return encode, {
        "ids": len(vocabulary),
        "vocabulary_file_bytes": sum(len(piece.encode()) + 1 for piece in vocabulary),
    }


def classifier(ids: int, steps: int) -> Any:
    """Return the compiled network: embedding, GRU, [last; max; mean] pooling, softmax."""
    import keras

    from gru_zoo.layers.gru import GRU
    from gru_zoo.layers.pooling import MaskedPooling

    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(ids, SETTINGS["embedding_dim"], mask_zero=True),
            keras.layers.SpatialDropout1D(SETTINGS["dropout"]),
            GRU(SETTINGS["units"], return_sequences=True),
            MaskedPooling(),
            keras.layers.Dropout(SETTINGS["dropout"]),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(SETTINGS["learning_rate"], steps), clipnorm=1.0
        ),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def run(name: str, fold: int, texts: list[bytes], labels: np.ndarray) -> dict[str, Any]:
    """Train one candidate on four fifths; return its score on the other."""
    import keras

    from gru_zoo.training.batching import BucketedBatches, predict_by_length, quarter_lengths

    start = time.perf_counter()
    kind, size, fold_case = CANDIDATES[name]
    part = np.arange(len(texts)) * SETTINGS["folds"] // len(texts) == fold
    train = [text for text, out in zip(texts, part, strict=True) if not out]
    held_out = [text for text, out in zip(texts, part, strict=True) if out]
    encode, facts = (words if kind == "words" else wordpiece)(train, size, fold_case)
    ids = encode(train)
    keras.utils.set_random_seed(fold)
    lengths = quarter_lengths(SETTINGS["sequence_length"])
    batches = BucketedBatches(ids, labels[~part], SETTINGS["batch_size"], lengths, seed=fold)
    epochs = SETTINGS["epochs"]
    model = classifier(facts["ids"], len(batches) * epochs)
    prepared = time.perf_counter()
    model.fit(batches.dataset(0, epochs), steps_per_epoch=len(batches), epochs=epochs, verbose=2)
    trained = time.perf_counter()

    def accuracy(some: list[bytes]) -> float:
        probabilities = predict_by_length(model, encode(some))
        return float((probabilities.argmax(axis=1) == labels[part][: len(some)]).mean())

    retyped = [text.decode() for text in held_out[:RETYPED]]
    return {
        "candidate": name,
        "fold": fold,
        **facts,
        "parameters": model.count_params(),
        "reviews_cut": float((ids[:, -1] != 0).mean()),
        "accuracy": accuracy(held_out),
        "accuracy_in_lower_case": accuracy([text.lower().encode() for text in retyped]),
        "accuracy_in_upper_case": accuracy([text.upper().encode() for text in retyped]),
        "prepare_seconds": round(prepared - start, 1),
        "train_seconds": round(trained - prepared, 1),
    }


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a candidate: mean score, and its distance to the baseline fold by fold."""
    scores_of = {(r["candidate"], r["fold"]): r["accuracy"] for r in runs}
    rows = []
    for name in CANDIDATES:
        mine = [r for r in runs if r["candidate"] == name]
        if not mine:
            continue
        scores = [r["accuracy"] for r in mine]
        gains = [
            r["accuracy"] - scores_of[BASELINE, r["fold"]]
            for r in mine
            if (BASELINE, r["fold"]) in scores_of
        ]
        spread = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
        rows.append(
            {
                "candidate": name,
                "folds": len(mine),
                "accuracy": statistics.mean(scores),
                "accuracy_stdev": statistics.stdev(scores) if len(scores) > 1 else None,
                "gain_over_baseline": statistics.mean(gains) if gains else None,
                "gain_standard_error": spread,
                **{key: statistics.mean(r[key] for r in mine) for key in MEANS},
            }
        )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Tokenizers on IMDB's training half")
    for column in ("candidate", "folds", "accuracy %", "gain, points", "parameters"):
        left = column == "candidate"
        table.add_column(column, justify="left" if left else "right", no_wrap=left)
    for column in ("vocabulary KB", "cut %", "lower case %", "UPPER CASE %"):
        table.add_column(column, justify="right")
    for row in rows:
        gain, error = row["gain_over_baseline"], row["gain_standard_error"]
        table.add_row(
            row["candidate"],
            str(row["folds"]),
            f"{100 * row['accuracy']:.2f}",
            "" if gain is None or error is None else f"{100 * gain:+.2f} ± {100 * error:.2f}",
            f"{row['parameters']:,.0f}",
            f"{row['vocabulary_file_bytes'] / 1000:.0f}",
            f"{100 * row['reviews_cut']:.0f}",
            f"{100 * row['accuracy_in_lower_case']:.1f}",
            f"{100 * row['accuracy_in_upper_case']:.1f}",
        )
    Console(width=130).print(table)


@dataclasses.dataclass(frozen=True)
class Config:
    """The same small classifier on cased words, folded words and WordPiece."""

    candidates: tuple[str, ...] = tuple(CANDIDATES)
    folds: tuple[int, ...] = tuple(range(SETTINGS["folds"]))
    """Fifths of the reviews that are held out, one after the other."""
    results: Path = RESULTS


def kept(before: Mapping[str, Any], alike: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an older record's runs if new ones can stand beside them; say that they cannot."""
    runs = list(before.get("runs", []))
    if not runs:
        return []
    others = [f"other {name}" for name in ("settings", "versions") if before[name] != alike[name]]
    data = other_data(before["source"], alike["source"])
    others += [f"another source: now {data}"] if data else []
    if not others:
        return runs
    print(f"{len(runs)} older runs had {' and '.join(others)}; they are left out", file=sys.stderr)
    return []


def measure(config: Config) -> None:
    """Run what the flags ask for; add each run to the results as it ends."""
    for name in config.candidates:
        one_of("candidates", name, CANDIDATES)
    for fold in config.folds:
        one_of("folds", fold, range(SETTINGS["folds"]))
    texts, labels, source = reviews()
    versions = {
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "tokenizers")},
    }
    alike = {"versions": versions, "source": source, "settings": SETTINGS}
    before = records.read(config.results) if config.results.exists() else {}
    runs = kept(before, alike)
    for fold in config.folds:
        for name in config.candidates:
            made = run(name, fold, texts, labels)
            runs = [r for r in runs if (r["candidate"], r["fold"]) != (name, fold)] + [made]
            record = {
                "what": "accuracy on held-out fifths of IMDB's training half",
                "command": "python -m benchmarks.tokenizers",
                "date": datetime.date.today().isoformat(),
                "machine": f"{processor()}, {os.cpu_count()} cores",
                **alike,
                "summary": summary(runs),
                "runs": runs,
            }
            write_json(config.results, record)
    show(summary(runs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    commands = {"measure": (Config, measure)}
    going_on = "finished runs are kept; name the others with --folds and --candidates."
    return cli.command("python -m benchmarks.tokenizers", commands, arguments, going_on)


if __name__ == "__main__":
    sys.exit(main())
